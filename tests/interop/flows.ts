// What every client of HTTP/3 or HTTP/2 that is not ours must be able to do through the proxy, before
// npm:ws.
import assert from "node:assert/strict";
import { encodeClosePayload, parseClosePayload } from "../../src/protocol/websocket/close.ts";
import type { Frame } from "../../src/protocol/websocket/encoder.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import { type TestProxy, type TestProxyOptions, withProxy } from "../support/proxy.ts";
import { connectFields } from "../support/raw_h3.ts";
import { WsBackend, type WsPeer } from "../support/ws_backend.ts";
import { deflated, inflated } from "./deflate.ts";

/** A frame that came, unmasked. */
export interface PeerFrame {
  rsv: number;
  opcode: number;
  payload: Uint8Array;
}

/** A WebSocket of the peer's. */
export interface PeerSocket {
  /** Of the answer, with `:status`. */
  fields(): Promise<Field[]>;
  /** Masks the frame. */
  send(frame: Frame): void | Promise<void>;
  /** The next frame; `null` at FIN. */
  frame(): Promise<PeerFrame | null>;
  fin(): void | Promise<void>;
}

/** One connection of the peer's. */
export interface Peer extends AsyncDisposable {
  open(fields: readonly Field[]): Promise<PeerSocket>;
}

export interface FlowOptions {
  /** For the names of the tests. */
  name: string;
  /** Declares a test that gets what tells where the peer is. */
  test: (name: string, body: (where: string) => Promise<void>) => void;
  connect: (where: string, t: TestProxy) => Promise<Peer>;
  /** What the proxy needs for it. */
  proxy?: Omit<TestProxyOptions, "backend">;
}

interface Flow {
  t: TestProxy;
  /** A WebSocket, seen from both of its ends. */
  open(fields?: readonly Field[]): Promise<{ socket: PeerSocket; backend: WsPeer; head: Field[] }>;
}

const MIB = 2 ** 20;
const DEFLATE =
  "permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Declares the tests of a peer. */
export function flowTests({ name, test, connect, proxy }: FlowOptions): void {
  const flow = (what: string, body: (flow: Flow) => Promise<void>) =>
    test(`${name}: ${what}`, async (where) => {
      await using ws = await WsBackend.listen({ perMessageDeflate: { threshold: 0 } });
      const dial = { hostname: "127.0.0.1", port: ws.port };
      const target = { dial, url: `ws://127.0.0.1:${ws.port}` };
      await withProxy({ ...proxy, backend: target }, async (t) => {
        await using peer = await connect(where, t);
        await body({ t, open: (fields = []) => openSocket(peer, ws, fields) });
      });
    });
  flow("text and binary of 1 MiB, both ways", bigMessages);
  flow("permessage-deflate, negotiated end to end (RFC 7692)", compressed);
  flow("Close 4001 by the client", closedByClient);
  flow("Close 4001 by the backend", closedByBackend);
  flow("five sockets at once on one connection", fiveSockets);
}

async function openSocket(peer: Peer, ws: WsBackend, fields: readonly Field[]) {
  const section = connectFields({}, [["sec-websocket-version", "13"], ...fields]);
  const [socket, backend] = await Promise.all([peer.open(section), ws.accept()]);
  const head = await socket.fields();
  assert.equal(getField(head, ":status"), "200");
  return { socket, backend, head };
}

async function close(socket: PeerSocket): Promise<void> {
  await socket.send({ opcode: Opcode.CLOSE, payload: encodeClosePayload(1000, "") });
  await closeCame(socket, { code: 1000, reason: "" });
}

/** That Close, then FIN. */
async function closeCame(socket: PeerSocket, want: { code: number; reason: string }) {
  const frame = await socket.frame();
  assert.equal(frame?.opcode, Opcode.CLOSE);
  assert.deepEqual(parseClosePayload(frame!.payload), want);
  assert.equal(await socket.frame(), null);
  await socket.fin();
}

async function bigMessages({ open }: Flow): Promise<void> {
  const { socket, backend } = await open();
  const unit = "grüße, 世界. ";
  const text = unit.repeat(MIB / bytes(unit).length);
  const messages: [Opcode, string | Uint8Array][] = [
    [Opcode.TEXT, text.concat("x".repeat(MIB - bytes(text).length))],
    [Opcode.BINARY, Uint8Array.from({ length: MIB }, (_, i) => i * 31 + (i >> 8))],
  ];
  for (const [opcode, message] of messages) {
    const payload = typeof message === "string" ? bytes(message) : message;
    assert.equal(payload.length, MIB);
    await socket.send({ opcode, payload });
    // Not deepEqual, which would tell the difference of a mebibyte.
    assert.ok(same(await backend.message(), message), "to the backend");
    backend.socket.send(message);
    const frame = await socket.frame();
    assert.equal(frame?.opcode, opcode);
    assert.ok(same(frame!.payload, payload), "to the client");
  }
  await close(socket);
}

function same(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

async function compressed({ open, t }: Flow): Promise<void> {
  const { socket, backend, head } = await open([["sec-websocket-extensions", DEFLATE]]);
  const agreed = getField(head, "sec-websocket-extensions") ?? "";
  for (const word of DEFLATE.split("; ").slice(0, 3)) assert.ok(agreed.includes(word), agreed);
  assert.equal(backend.socket.extensions, "permessage-deflate");
  const text = "squeezed ".repeat(1000);
  await socket.send({ opcode: Opcode.TEXT, rsv: 4, payload: deflated(bytes(text)) });
  assert.equal(await backend.message(), text);
  backend.socket.send(text);
  const frame = await socket.frame();
  assert.deepEqual([frame?.opcode, frame?.rsv], [Opcode.TEXT, 4]);
  assert.equal(new TextDecoder().decode(inflated(frame!.payload)), text);
  for (const { bytes } of [t.seen.toBackend, t.seen.toClient]) assert.ok(bytes < 1000, `${bytes}`);
  await close(socket);
}

async function closedByClient({ open, t }: Flow): Promise<void> {
  const { socket, backend } = await open();
  await socket.send({ opcode: Opcode.CLOSE, payload: encodeClosePayload(4001, "enough") });
  await closeCame(socket, { code: 4001, reason: "enough" });
  assert.deepEqual(await backend.closed, { code: 4001, reason: "enough" });
  assert.deepEqual(await t.seen.end(), { by: "client", code: 4001, reason: "enough" });
}

async function closedByBackend({ open, t }: Flow): Promise<void> {
  const { socket, backend } = await open();
  backend.socket.close(4001, "enough");
  const frame = await socket.frame();
  assert.equal(frame?.opcode, Opcode.CLOSE);
  assert.deepEqual(parseClosePayload(frame!.payload), { code: 4001, reason: "enough" });
  await socket.send({ opcode: Opcode.CLOSE, payload: encodeClosePayload(4001, "") });
  assert.equal(await socket.frame(), null);
  await socket.fin();
  assert.equal((await backend.closed).code, 4001);
  assert.deepEqual(await t.seen.end(), { by: "backend", code: 4001, reason: "enough" });
}

async function fiveSockets({ open, t }: Flow): Promise<void> {
  const sockets = [];
  for (let i = 0; i < 5; i++) sockets.push({ ...await open(), text: `socket ${i}` });
  assert.deepEqual([t.proxy.sessions, t.proxy.connections], [5, 1]);
  for (const { socket, text } of sockets) {
    await socket.send({ opcode: Opcode.TEXT, payload: bytes(text) });
  }
  for (const { backend, text } of sockets) {
    assert.equal(await backend.message(), text);
    backend.socket.send(`to ${text}`);
  }
  for (const { socket, text } of sockets.toReversed()) {
    assert.equal(new TextDecoder().decode((await socket.frame())!.payload), `to ${text}`);
    await close(socket);
  }
}
