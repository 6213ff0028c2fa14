// One cell of the matrix: what one case does at one door, and what all cells have to show.
import assert from "node:assert/strict";
import { type Field, getField, getFields } from "../../src/protocol/wire/field.ts";
import type { EndedBy, SessionTraffic } from "../../src/proxy/observer.ts";
import type { BackendConn, RawBackend, SeenRequest } from "./backend.ts";
import { closeAndFin, fromBackend, fromClient, readClose } from "./frames.ts";
import type { Inbox } from "./inbox.ts";
import { CLIENT_ACCEPT } from "./raw_h3.ts";
import type { ClientTunnel, Door, TunnelClient } from "./tunnel_client.ts";

/** Where a case is run. */
export interface Cell {
  readonly door: Door;
  readonly client: TunnelClient;
  readonly backend: RawBackend;
  /** What has passed through the session. */
  readonly passed: { toBackend: SessionTraffic; toClient: SessionTraffic };
}

/** The record of a session's end, as a case expects it. */
export interface ExpectedEnd {
  by: EndedBy;
  code: number;
  /** A Close's own; what broke is told in words that differ. */
  reason?: string;
}

/** What one row of the matrix does, whichever the door. */
export interface Case {
  /** As the README has it. */
  name: string;
  /** The column of the README's table. */
  group: string;
  run(cell: Cell): Promise<void>;
  /** The one record that there has to be; `null` where no session came about. */
  end: ExpectedEnd | null;
  /** What was spoken; "websocket" if nothing is said. */
  protocol?: string;
  subprotocol?: string;
  /** The refusal that the log has; none if nothing is said. */
  rejected?: { reason: string; status: number };
  /** The failure that the log has, by its stage; none if nothing is said. */
  failed?: string;
  /** What is asked is not there. */
  backendDown?: boolean;
  /** What differs from one version to another, and where the RFC says so. */
  note?: string;
}

/** Both ends of a session. */
export interface OpenCell {
  client: ClientTunnel;
  backend: BackendConn;
  request: SeenRequest;
}

export interface OpenOptions {
  /** Of the client's request. */
  fields?: readonly Field[];
  /** Of the backend's 101. */
  lines?: readonly string[];
  /** Behind the request's head, in one write with it. */
  first?: Uint8Array;
  /** Behind the 101, in one write with it. */
  rest?: Uint8Array;
}

export const EMPTY = new Uint8Array(0);
export const PATH = "/ws?a=b";

/** Asks for a tunnel; `answer` is what the backend does with the request. */
export async function ask(
  { door, client, backend }: Cell,
  protocol: string,
  options: OpenOptions & { answer: (conn: BackendConn) => void },
): Promise<OpenCell> {
  const { fields, first, answer } = options;
  const opening = client.open({ protocol, path: PATH, fields, first });
  opening.catch(() => {});
  const conn = await backend.accept();
  const request = await conn.request();
  checkRequest(request, door, protocol);
  answer(conn);
  return { client: await opening, backend: conn, request };
}

/** An open WebSocket, seen from both of its ends. */
export async function openWebSocket(cell: Cell, options: OpenOptions = {}): Promise<OpenCell> {
  const { lines, rest } = options;
  const opened = await ask(cell, "websocket", {
    ...options,
    answer: (conn) => conn.upgrade(lines, rest),
  });
  checkAccepted(opened.client, cell.door, "websocket");
  return opened;
}

/** RFC 8441 §5, RFC 9220 §3: whatever the client came by, the backend gets a GET of HTTP/1.1. */
function checkRequest(request: SeenRequest, door: Door, protocol: string): void {
  const { method, target } = request;
  assert.deepEqual({ method, target }, { method: "GET", target: PATH });
  const want = {
    "host": "localhost",
    "connection": "Upgrade",
    "upgrade": protocol,
    "x-forwarded-proto": door.secure ? "https" : "http",
    "via": `${door.http} h3ws`,
  };
  for (const [name, value] of Object.entries(want)) {
    assert.deepEqual(getFields(request.fields, name), [value], `${name} at the backend`);
  }
  const key = getFields(request.fields, "sec-websocket-key").length;
  assert.equal(key, protocol === "websocket" ? 1 : 0, "Sec-WebSocket-Key at the backend");
}

/** That the client's own version says that its tunnel is open. */
export function checkAccepted(client: ClientTunnel, door: Door, protocol: string): void {
  assert.equal(client.status, door.accepted);
  const fields = (name: string) => getFields(client.fields, name);
  if (door.http === "1.1") {
    assert.deepEqual(fields("upgrade"), [protocol]);
    assert.deepEqual(fields("connection").map((value) => value.toLowerCase()), ["upgrade"]);
    const accept = protocol === "websocket" ? [CLIENT_ACCEPT] : [];
    assert.deepEqual(fields("sec-websocket-accept"), accept);
  } else {
    // RFC 9113 §8.2.2, RFC 9114 §4.2: no such fields. RFC 8441 §5: neither key nor accept.
    for (const name of ["connection", "upgrade", "sec-websocket-accept"]) {
      assert.deepEqual(fields(name), [], name);
    }
  }
}

/** RST; over TLS, which has none, that of the TCP connection below. */
export function resetBackend({ socket }: BackendConn): void {
  const { _parent } = socket as unknown as { _parent?: typeof socket };
  (_parent ?? socket).resetAndDestroy();
}

export function fieldOf(client: ClientTunnel, name: string): string | null {
  return getField(client.fields, name);
}

/** Compares more bytes than `deepEqual` would in time. */
export function same(actual: Uint8Array, expected: Uint8Array, what: string): void {
  assert.equal(actual.length, expected.length, `length of ${what}`);
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== expected[i]) assert.fail(`${what} differs at byte ${i}`);
  }
}

/** Sends these frames from the client; the backend must get just these bytes. */
export async function passUp(cell: Cell, opened: OpenCell, frames: readonly Uint8Array[]) {
  const sent = (async () => {
    for (const frame of frames) await opened.client.write(frame);
  })();
  await arrive(opened.backend.inbox, frames, "what the backend got");
  await sent;
  tally(cell.passed.toBackend, frames);
}

/** Sends these frames from the backend; the client must get just these bytes. */
export async function passDown(cell: Cell, opened: OpenCell, frames: readonly Uint8Array[]) {
  for (const frame of frames) opened.backend.write(frame);
  await arrive(opened.client.inbox, frames, "what the client got");
  tally(cell.passed.toClient, frames);
}

/** They come in their order and unchanged, each frame as it was sent. */
export async function arrive(inbox: Inbox, frames: readonly Uint8Array[], what: string) {
  for (const frame of frames) same(await inbox.take(frame.length), frame, what);
}

/** Frames that passed. */
export function tally(traffic: SessionTraffic, frames: readonly Uint8Array[]): void {
  for (const frame of frames) {
    traffic.bytes += frame.length;
    traffic.frames++;
    // RFC 6455 §5.2: FIN, and no control frame.
    if ((frame[0] & 0x88) === 0x80) traffic.messages++;
  }
}

/** Bytes of a tunnel of which nothing else is known. */
export function tallyBytes(traffic: SessionTraffic, bytes: Uint8Array): void {
  traffic.bytes += bytes.length;
}

export const BYE: ExpectedEnd = { by: "client", code: 1000, reason: "bye" };

/** The client closes, the backend answers, and both ends see each other's Close and FIN. */
export async function closeByClient(cell: Cell, opened: OpenCell, code = 1000): Promise<void> {
  const { client, backend } = opened;
  await passUp(cell, opened, [fromClient.close(code, "bye")]);
  const answer = fromBackend.close(code);
  backend.write(answer);
  backend.fin();
  assert.equal((await closeAndFin(client.inbox, false)).code, code);
  tally(cell.passed.toClient, [answer]);
  await client.fin();
  assert.deepEqual(await backend.inbox.rest(), EMPTY);
  assert.equal(backend.inbox.ending, "fin");
}

/** The backend closes, the client answers; RFC 6455 §7.1.1: the server ends its connection first. */
export async function closeByBackend(cell: Cell, opened: OpenCell, code: number): Promise<void> {
  const { client, backend } = opened;
  const close = fromBackend.close(code, "done");
  backend.write(close);
  assert.deepEqual(readClose(await client.inbox.frame()), { code, reason: "done" });
  tally(cell.passed.toClient, [close]);
  await passUp(cell, opened, [fromClient.close(code)]);
  assert.deepEqual(await client.inbox.rest(), EMPTY);
  assert.equal(client.inbox.ending, "fin");
  backend.fin();
  await client.fin();
  assert.deepEqual(await backend.inbox.rest(), EMPTY);
  assert.equal(backend.inbox.ending, "fin");
}
