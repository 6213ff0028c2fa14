// Rows of the matrix: WebSockets, from their handshake to their end.
import assert from "node:assert/strict";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { closeAndFin, type FrameMaker, fromBackend, fromClient } from "./frames.ts";
import {
  arrive,
  BYE,
  type Case,
  type Cell,
  closeByBackend,
  closeByClient,
  EMPTY,
  fieldOf,
  openWebSocket,
  passDown,
  passUp,
  resetBackend,
  tally,
} from "./tunnel_cell.ts";

/** The defaults of --max-frame, and of --max-message. */
const MAX_FRAME_BYTES = 1024 * 1024;
const FRAMES_A_MESSAGE = 8;

const HELLO_UP = fromClient.text("hello from the client");
const HELLO_DOWN = fromBackend.text("hello from the backend");

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 7 % 251);
}

function echoed(make: FrameMaker): Uint8Array[] {
  return [
    make.text("grüße"),
    make.text(""),
    make.frame(Opcode.BINARY, bytesOf(70_000)),
    make.frame(Opcode.BINARY, bytesOf(126)),
  ];
}

/** One message whose parts are cut in mid-character, with control frames between them. */
function fragments(make: FrameMaker): Uint8Array[] {
  const text = new TextEncoder().encode("für");
  return [
    make.frame(Opcode.TEXT, text.subarray(0, 2), { fin: false }),
    make.frame(Opcode.PING, "between"),
    make.frame(Opcode.CONTINUATION, "", { fin: false }),
    make.frame(Opcode.CONTINUATION, text.subarray(2)),
    make.text("next"),
  ];
}

function wholeMessage(make: FrameMaker): Uint8Array[] {
  const part = bytesOf(MAX_FRAME_BYTES);
  return Array.from({ length: FRAMES_A_MESSAGE }, (_, i) => {
    const fin = i === FRAMES_A_MESSAGE - 1;
    return make.frame(i === 0 ? Opcode.BINARY : Opcode.CONTINUATION, part, { fin });
  });
}

/** Frames both ways at once, then a Close of the client's. */
function exchange(frames: (make: FrameMaker) => Uint8Array[]): Case["run"] {
  return async (cell) => {
    const opened = await openWebSocket(cell);
    await Promise.all([
      passUp(cell, opened, frames(fromClient)),
      passDown(cell, opened, frames(fromBackend)),
    ]);
    await closeByClient(cell, opened);
  };
}

async function echo(cell: Cell): Promise<void> {
  const opened = await openWebSocket(cell);
  const [up, down] = [echoed(fromClient), echoed(fromBackend)];
  for (let i = 0; i < up.length; i++) {
    await passUp(cell, opened, [up[i]]);
    await passDown(cell, opened, [down[i]]);
  }
  await closeByClient(cell, opened);
}

async function pings(cell: Cell): Promise<void> {
  const opened = await openWebSocket(cell);
  const payload = bytesOf(125);
  for (const data of [payload, EMPTY]) {
    await passUp(cell, opened, [fromClient.frame(Opcode.PING, data)]);
    await passDown(cell, opened, [fromBackend.frame(Opcode.PONG, data)]);
    await passDown(cell, opened, [fromBackend.frame(Opcode.PING, data)]);
    await passUp(cell, opened, [fromClient.frame(Opcode.PONG, data)]);
  }
  await closeByClient(cell, opened);
}

async function finByClient(cell: Cell): Promise<void> {
  const opened = await openWebSocket(cell);
  const { client, backend } = opened;
  await client.write(HELLO_UP);
  await client.fin();
  assert.deepEqual(await backend.inbox.rest(), HELLO_UP);
  assert.equal(backend.inbox.ending, "fin");
  tally(cell.passed.toBackend, [HELLO_UP]);
  // What the backend still says arrives.
  backend.write(HELLO_DOWN);
  backend.fin();
  assert.deepEqual(await client.inbox.rest(), HELLO_DOWN);
  assert.equal(client.inbox.ending, "fin");
  tally(cell.passed.toClient, [HELLO_DOWN]);
}

/** A backend that goes without a Close: the client is told by one of the proxy's. */
function lostBackend(lose: "fin" | "reset"): Case["run"] {
  return async (cell) => {
    const opened = await openWebSocket(cell);
    const { client, backend } = opened;
    await passDown(cell, opened, [HELLO_DOWN]);
    if (lose === "fin") backend.fin();
    else resetBackend(backend);
    assert.deepEqual(await closeAndFin(client.inbox, false), {
      code: 1011,
      reason: "backend connection lost",
    });
    await client.fin();
    if (lose === "fin") assert.deepEqual(await backend.inbox.rest(), EMPTY);
  };
}

async function resetByClient(cell: Cell): Promise<void> {
  const opened = await openWebSocket(cell);
  const { client, backend } = opened;
  await passUp(cell, opened, [HELLO_UP]);
  client.reset();
  assert.deepEqual(await backend.inbox.rest(), EMPTY);
  if (cell.door.http === "3") {
    backend.write(HELLO_DOWN);
    tally(cell.passed.toClient, [HELLO_DOWN]);
  }
}

async function subprotocol(cell: Cell): Promise<void> {
  const opened = await openWebSocket(cell, {
    fields: [["sec-websocket-protocol", "chat.v1, chat.v2"]],
    lines: ["Sec-WebSocket-Protocol: chat.v2"],
  });
  assert.equal(opened.request.get("sec-websocket-protocol"), "chat.v1, chat.v2");
  assert.equal(fieldOf(opened.client, "sec-websocket-protocol"), "chat.v2");
  await closeByClient(cell, opened);
}

async function noSubprotocol(cell: Cell): Promise<void> {
  const opened = await openWebSocket(cell, {
    fields: [["sec-websocket-protocol", "chat.v1"]],
  });
  assert.equal(opened.request.get("sec-websocket-protocol"), "chat.v1");
  assert.equal(fieldOf(opened.client, "sec-websocket-protocol"), null);
  await closeByClient(cell, opened);
}

async function deflate(cell: Cell): Promise<void> {
  const offer = "permessage-deflate; client_max_window_bits";
  const chosen = "permessage-deflate; server_no_context_takeover";
  const opened = await openWebSocket(cell, {
    fields: [["sec-websocket-extensions", offer]],
    lines: [`Sec-WebSocket-Extensions: ${chosen}`],
  });
  assert.equal(opened.request.get("sec-websocket-extensions"), offer);
  assert.equal(fieldOf(opened.client, "sec-websocket-extensions"), chosen);
  // RFC 7692 §7.2.3.2: "Hello" in one compressed block, and in two parts (§7.2.3.1).
  const hello = Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);
  const frames = (make: FrameMaker) => [
    make.frame(Opcode.TEXT, hello, { rsv: 4 }),
    make.frame(Opcode.TEXT, hello.subarray(0, 3), { rsv: 4, fin: false }),
    make.frame(Opcode.CONTINUATION, hello.subarray(3)),
    make.text("not compressed"),
  ];
  await passUp(cell, opened, frames(fromClient));
  await passDown(cell, opened, frames(fromBackend));
  await closeByClient(cell, opened);
}

async function firstOfClient(cell: Cell): Promise<void> {
  const frames = [HELLO_UP, fromClient.text("and one more")];
  const opened = await openWebSocket(cell, { first: concat(frames) });
  await arrive(opened.backend.inbox, frames, "what came with the request");
  tally(cell.passed.toBackend, frames);
  await passUp(cell, opened, [fromClient.text("later")]);
  await closeByClient(cell, opened);
}

async function firstOfBackend(cell: Cell): Promise<void> {
  const frames = [HELLO_DOWN, fromBackend.text("and one more")];
  const opened = await openWebSocket(cell, { rest: concat(frames) });
  await arrive(opened.client.inbox, frames, "what came with the 101");
  tally(cell.passed.toClient, frames);
  await passDown(cell, opened, [fromBackend.text("later")]);
  await closeByClient(cell, opened);
}

/** A Close in one packet with all that was before it, and with the answer to the request. */
async function allAtOnce(cell: Cell): Promise<void> {
  const close = fromBackend.close(1000, "that was all");
  const opened = await openWebSocket(cell, { rest: concat([HELLO_DOWN, close]) });
  const { client, backend } = opened;
  await arrive(client.inbox, [HELLO_DOWN, close], "what came with the 101");
  tally(cell.passed.toClient, [HELLO_DOWN, close]);
  await passUp(cell, opened, [fromClient.close(1000)]);
  assert.deepEqual(await client.inbox.rest(), EMPTY);
  backend.fin();
  await client.fin();
  assert.deepEqual(await backend.inbox.rest(), EMPTY);
}

export const WEBSOCKET_CASES: readonly Case[] = [
  {
    name: "echo",
    group: "messages",
    run: echo,
    end: BYE,
    note:
      "HTTP/1.1 accepts a tunnel by 101 (RFC 9110 §7.8), HTTP/2 and HTTP/3 by 200 (RFC 8441 §5, " +
      "RFC 9220 §3); the backend gets a GET with Upgrade from all of them",
  },
  { name: "fragments", group: "messages", run: exchange(fragments), end: BYE },
  { name: "a message of 8 MiB", group: "messages", run: exchange(wholeMessage), end: BYE },
  { name: "Ping and Pong", group: "messages", run: pings, end: BYE },
  {
    name: "Close 4001 by the client",
    group: "ends",
    run: async (cell) => await closeByClient(cell, await openWebSocket(cell), 4001),
    end: { by: "client", code: 4001, reason: "bye" },
  },
  {
    name: "Close 4001 by the backend",
    group: "ends",
    run: async (cell) => await closeByBackend(cell, await openWebSocket(cell), 4001),
    end: { by: "backend", code: 4001, reason: "done" },
  },
  {
    name: "FIN by the client",
    group: "ends",
    run: finByClient,
    end: { by: "client", code: 1006 },
    note:
      "it is close_notify over TLS (RFC 8446 §6.1), END_STREAM over HTTP/2 (RFC 8441 §5), and " +
      "ends one direction alone in every version",
  },
  {
    name: "FIN by the backend",
    group: "ends",
    run: lostBackend("fin"),
    end: { by: "backend", code: 1006 },
  },
  {
    name: "reset by the client",
    group: "ends",
    run: resetByClient,
    end: { by: "client", code: 1006 },
    note: "RST over HTTP/1.1, RST_STREAM with CANCEL over HTTP/2 (RFC 8441 §5); over HTTP/3 " +
      "STOP_SENDING and FIN, which the backend's next bytes run into: Deno's QUIC sends no " +
      "RESET_STREAM (RFC 9000 §19.4)",
  },
  {
    name: "reset by the backend",
    group: "ends",
    run: lostBackend("reset"),
    end: { by: "backend", code: 1006 },
  },
  {
    name: "a subprotocol",
    group: "handshake",
    run: subprotocol,
    end: BYE,
    subprotocol: "chat.v2",
  },
  { name: "no subprotocol", group: "handshake", run: noSubprotocol, end: BYE },
  { name: "permessage-deflate", group: "handshake", run: deflate, end: BYE },
  {
    name: "the client's first frame in one packet with its request",
    group: "handshake",
    run: firstOfClient,
    end: BYE,
  },
  {
    name: "the backend's first frame in one packet with its 101",
    group: "handshake",
    run: firstOfBackend,
    end: BYE,
  },
  {
    name: "101, message and Close in one packet",
    group: "handshake",
    run: allAtOnce,
    end: { by: "backend", code: 1000, reason: "that was all" },
  },
];
