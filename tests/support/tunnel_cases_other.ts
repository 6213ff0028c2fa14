// Rows of the matrix: refusals, protocols that are no WebSocket, and frames against the rules.
import assert from "node:assert/strict";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { closeAndFin, fromClient } from "./frames.ts";
import { fromLatin1 } from "./inbox.ts";
import {
  ask,
  type Case,
  type Cell,
  checkAccepted,
  EMPTY,
  fieldOf,
  type OpenCell,
  type OpenOptions,
  openWebSocket,
  passUp,
  PATH,
  resetBackend,
  tallyBytes,
} from "./tunnel_cell.ts";

const REFUSAL = '{"error":"token"}\n';
const REFUSAL_HEAD =
  'HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nWWW-Authenticate: Bearer realm="a"\r\n' +
  "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n";

function refusal(framed: string): Case["run"] {
  return async (cell) => {
    const { client, backend } = await ask(cell, "websocket", {
      answer: (conn) => conn.write(REFUSAL_HEAD + framed),
    });
    assert.equal(client.status, 401);
    assert.equal(await client.body(), REFUSAL);
    assert.equal(fieldOf(client, "content-type"), "application/json");
    assert.equal(fieldOf(client, "www-authenticate"), 'Bearer realm="a"');
    const cookies = client.fields.filter(([name]) => name === "set-cookie");
    assert.deepEqual(cookies.map(([, value]) => value), ["a=1", "b=2"]);
    await backend.inbox.rest();
    assert.equal(backend.inbox.ending, "fin");
  };
}

async function wrongAccept(cell: Cell): Promise<void> {
  const { client, backend } = await ask(cell, "websocket", {
    answer: (conn) =>
      conn.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
      ),
  });
  assert.equal(client.status, 502);
  assert.equal(await client.body(), "backend unreachable\n");
  // RFC 6455 §4.1: the client MUST fail the connection.
  assert.deepEqual(await backend.inbox.rest(), EMPTY);
}

async function noBackend({ client, backend }: Cell): Promise<void> {
  const answer = await client.open({ protocol: "websocket", path: PATH });
  assert.equal(answer.status, 502);
  assert.equal(await answer.body(), "backend unreachable\n");
  assert.equal(backend.connections.length, 0);
}

const UP = fromLatin1("\x00\xffup: no frame at all\r\n\r\n");
const DOWN = fromLatin1("\xfe\x01down: neither this\r\n");

async function openFoo(cell: Cell, options: OpenOptions = {}): Promise<OpenCell> {
  const { rest = EMPTY } = options;
  const head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo/1\r\n" +
    "X-Foo: bar\r\n\r\n";
  const opened = await ask(cell, "foo/1", {
    ...options,
    answer: (conn) => conn.write(concat([fromLatin1(head), rest])),
  });
  checkAccepted(opened.client, cell.door, "foo/1");
  assert.equal(fieldOf(opened.client, "x-foo"), "bar");
  return opened;
}

async function rawUp({ passed }: Cell, { client, backend }: OpenCell, bytes: Uint8Array) {
  await client.write(bytes);
  assert.deepEqual(await backend.inbox.take(bytes.length), bytes);
  tallyBytes(passed.toBackend, bytes);
}

async function rawDown({ passed }: Cell, { client, backend }: OpenCell, bytes: Uint8Array) {
  backend.write(bytes);
  assert.deepEqual(await client.inbox.take(bytes.length), bytes);
  tallyBytes(passed.toClient, bytes);
}

async function finOfClient({ client, backend }: OpenCell): Promise<void> {
  await client.fin();
  assert.deepEqual(await backend.inbox.rest(), EMPTY);
  assert.equal(backend.inbox.ending, "fin");
}

async function finOfBackend({ client, backend }: OpenCell): Promise<void> {
  backend.fin();
  assert.deepEqual(await client.inbox.rest(), EMPTY);
  assert.equal(client.inbox.ending, "fin");
}

async function fooByClient(cell: Cell): Promise<void> {
  const opened = await openFoo(cell);
  await rawUp(cell, opened, UP);
  await rawDown(cell, opened, DOWN);
  await finOfClient(opened);
  for (let i = 0; i < 3; i++) await rawDown(cell, opened, DOWN);
  await finOfBackend(opened);
}

async function fooByBackend(cell: Cell): Promise<void> {
  const opened = await openFoo(cell);
  await rawDown(cell, opened, DOWN);
  await finOfBackend(opened);
  for (let i = 0; i < 3; i++) await rawUp(cell, opened, UP);
  await finOfClient(opened);
}

async function fooFirst(cell: Cell): Promise<void> {
  const opened = await openFoo(cell, { first: UP, rest: DOWN });
  assert.deepEqual(await opened.backend.inbox.take(UP.length), UP);
  assert.deepEqual(await opened.client.inbox.take(DOWN.length), DOWN);
  tallyBytes(cell.passed.toBackend, UP);
  tallyBytes(cell.passed.toClient, DOWN);
  await finOfClient(opened);
  await finOfBackend(opened);
}

async function fooResetByClient(cell: Cell): Promise<void> {
  const opened = await openFoo(cell);
  const { client, backend } = opened;
  await rawUp(cell, opened, UP);
  client.reset();
  assert.deepEqual(await backend.inbox.rest(), EMPTY);
  if (cell.door.http === "3") {
    backend.write(DOWN);
    tallyBytes(cell.passed.toClient, DOWN);
  }
}

/** A tunnel that was broken off must not look whole, where there is a way to say so. */
async function fooResetByBackend(cell: Cell): Promise<void> {
  const opened = await openFoo(cell);
  const { client, backend } = opened;
  await rawDown(cell, opened, DOWN);
  resetBackend(backend);
  assert.deepEqual(await client.inbox.rest(), EMPTY);
  const isTold = cell.door.http === "2";
  assert.equal(client.inbox.ending, isTold ? "broken" : "fin");
  if (!isTold) await client.fin();
}

interface Fault {
  from: "client" | "backend";
  bytes: Uint8Array;
  /** The codes of the Closes that both get. */
  toClient: number;
  toBackend: number;
}

/** A side breaks a rule: both are told by a Close, and nothing of the frame passes. */
function fault({ from, bytes, toClient, toBackend }: Fault): Case["run"] {
  return async (cell) => {
    const opened = await openWebSocket(cell);
    const { client, backend } = opened;
    await passUp(cell, opened, [fromClient.text("all is well")]);
    if (from === "client") await client.write(bytes);
    else backend.write(bytes);
    assert.equal((await closeAndFin(client.inbox, false)).code, toClient);
    assert.equal((await closeAndFin(backend.inbox, true)).code, toBackend);
    await client.fin();
    backend.fin();
  };
}

/** RFC 6455 §5.2: a frame of 1 MiB and one byte, of which the header is enough. */
const TOO_LONG = Uint8Array.of(0x82, 0x7f, 0, 0, 0, 0, 0, 0x10, 0, 1);
const TOO_LONG_MASKED = Uint8Array.of(0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 2, 3, 4);
/** RFC 6455 §5.2: opcodes 3 to 7 are reserved. */
const RESERVED = Uint8Array.of(0x83, 0x00);
const RESERVED_MASKED = Uint8Array.of(0x83, 0x80, 1, 2, 3, 4);

const FOO_END = { code: 1005, reason: "" } as const;
const BAD_GATEWAY = 1014;

export const OTHER_CASES: readonly Case[] = [
  {
    name: "401 with its fields and body",
    group: "refusals",
    run: refusal(`Content-Length: ${REFUSAL.length}\r\n\r\n${REFUSAL}`),
    end: null,
    rejected: { reason: "backend", status: 401 },
  },
  {
    name: "401 with a body in chunks",
    group: "refusals",
    run: refusal(
      `Transfer-Encoding: chunked\r\n\r\n${REFUSAL.length.toString(16)}\r\n${REFUSAL}\r\n0\r\n\r\n`,
    ),
    end: null,
    rejected: { reason: "backend", status: 401 },
  },
  {
    name: "502 where the backend is down",
    group: "refusals",
    run: noBackend,
    end: null,
    failed: "backend_dial",
    backendDown: true,
  },
  {
    name: "502 for a wrong Sec-WebSocket-Accept",
    group: "refusals",
    run: wrongAccept,
    end: null,
    failed: "backend_handshake",
  },
  {
    name: "half-closed by the client",
    group: "other upgrades",
    run: fooByClient,
    end: { by: "client", ...FOO_END },
    protocol: "foo/1",
  },
  {
    name: "half-closed by the backend",
    group: "other upgrades",
    run: fooByBackend,
    end: { by: "backend", ...FOO_END },
    protocol: "foo/1",
  },
  {
    name: "bytes in one packet with both heads",
    group: "other upgrades",
    run: fooFirst,
    end: { by: "client", ...FOO_END },
    protocol: "foo/1",
  },
  {
    name: "reset by the client",
    group: "other upgrades",
    run: fooResetByClient,
    end: { by: "client", code: 1006 },
    protocol: "foo/1",
  },
  {
    name: "reset by the backend",
    group: "other upgrades",
    run: fooResetByBackend,
    end: { by: "backend", code: 1006 },
    protocol: "foo/1",
    note: "over HTTP/2 the client gets RST_STREAM with CANCEL (RFC 8441 §5); over HTTP/1.1 and " +
      "HTTP/3 the end of its connection or stream, as Deno sends neither RST nor RESET_STREAM",
  },
  {
    name: "1002 by the client",
    group: "faults",
    run: fault({ from: "client", bytes: RESERVED_MASKED, toClient: 1002, toBackend: 1002 }),
    end: { by: "proxy:error", code: 1002 },
  },
  {
    name: "1002 by the backend",
    group: "faults",
    run: fault({ from: "backend", bytes: RESERVED, toClient: BAD_GATEWAY, toBackend: 1002 }),
    end: { by: "proxy:error", code: 1002 },
  },
  {
    name: "1009 by the client",
    group: "faults",
    run: fault({ from: "client", bytes: TOO_LONG_MASKED, toClient: 1009, toBackend: 1009 }),
    end: { by: "proxy:limit", code: 1009 },
  },
  {
    name: "1009 by the backend",
    group: "faults",
    run: fault({ from: "backend", bytes: TOO_LONG, toClient: 1009, toBackend: 1009 }),
    end: { by: "proxy:limit", code: 1009 },
  },
];
