// RFC 9000 §9: a connection outlives the address of its client, as where a NAT forgets it. The relay
// changes its source port, and what is under way to the old one is lost.
import assert from "node:assert/strict";
import { type ConnectOptions, connectWebSocket } from "../../../src/client/connect.ts";
import { Connections } from "../../../src/client/connections.ts";
import type { Socket } from "../../../src/endpoint/socket.ts";
import { serve, type Server } from "../../../src/server/server.ts";
import { testCertificates } from "../../support/proxy.ts";
import { startUdpRelay, type UdpRelay } from "../../support/udp_relay.ts";
import { until } from "../../support/until.ts";
import { Aioquic } from "../aioquic.ts";
import { peerTests } from "../peers.ts";
import { printTable } from "./table.ts";

const SOCKETS = 4;
const MOVES = 3;
/** Between two moves. */
const MESSAGES = 50;
const AT_ONCE = 10;

interface Moving {
  server: Server;
  relay: UdpRelay;
  caPem: string;
  /** The ports of the clients that the handler was told of, in order. */
  told: number[];
}

async function whileMoving(body: (moving: Moving) => Promise<void>): Promise<void> {
  const { caPem, certPem, keyPem } = await testCertificates();
  const told: number[] = [];
  const server = await serve({ listen: "127.0.0.1:0", certPem, keyPem }, async (request) => {
    told.push(request.client.port);
    const socket = await request.accept();
    for await (const message of socket) await socket.send(message);
  });
  try {
    await using relay = startUdpRelay(server.port!, { delayMs: 5 });
    await body({ server, relay, caPem, told });
  } finally {
    await server.stop();
  }
}

/** Numbers go out and come back, each in its turn, some of them under way at any time: how many. */
async function count(socket: Socket, from: number): Promise<number> {
  let sent = from;
  const end = from + MESSAGES;
  while (sent < from + AT_ONCE) await socket.send(`${sent++}`);
  for (let next = from; next < end; next++) {
    assert.equal(await socket.receive(), `${next}`);
    if (sent < end) await socket.send(`${sent++}`);
  }
  return MESSAGES;
}

Deno.test("claims: sockets over HTTP/3 live on when the client's port changes", async () => {
  await whileMoving(async ({ server, relay, caPem, told }) => {
    using connections = new Connections();
    const options: ConnectOptions = { httpVersion: "3", connections, caCerts: [caPem] };
    const connect = () => connectWebSocket(`wss://localhost:${relay.port}/`, options);
    const sockets = await Promise.all(Array.from({ length: SOCKETS }, connect));
    let echoes = 0;
    for (let move = 0; move < MOVES; move++) {
      const counting = sockets.map((socket) => count(socket, move * MESSAGES));
      relay.rebind();
      for (const counted of await Promise.all(counting)) echoes += counted;
      assert.equal(server.connections, 1);
    }
    const [before] = relay.sourcePorts;
    const after = relay.sourcePorts.at(-1)!;
    // What is told of a client is as old as a second.
    await until("a request from the new port", async () => {
      await (await connect()).close();
      return told.at(-1) === after;
    });
    const nameOf = (port: number) => `port ${relay.sourcePorts.indexOf(port) + 1}`;
    printTable(
      `${SOCKETS} sockets over HTTP/3 while a NAT changes the client's port ${MOVES} times`,
      ["echoes in order", "connections", "ports", "client of the first", "of a new socket"],
      [[
        ...[echoes, server.connections, relay.sourcePorts.length],
        ...[nameOf(told[0]), nameOf(told.at(-1)!)],
      ]],
    );
    assert.equal(relay.sourcePorts.length, MOVES + 1);
    assert.equal(new Set(relay.sourcePorts).size, MOVES + 1);
    assert.deepEqual(told.slice(0, SOCKETS), Array(SOCKETS).fill(before));
    assert.equal(server.connections, 1);
    const ends = await Promise.all(sockets.map((socket) => socket.close()));
    assert.deepEqual(ends.map(({ code }) => code), Array(SOCKETS).fill(1000));
  });
});

const TEXT = 1;

peerTests("H3WS_PYTHON")("claims: aioquic's socket lives on when its port changes", (python) => {
  return whileMoving(async ({ server, relay, caPem }) => {
    await using aioquic = await Aioquic.connect({ python, port: relay.port, caPem });
    const stream = await aioquic.request([
      ...[[":method", "CONNECT"], [":protocol", "websocket"], [":scheme", "https"]] as const,
      ...[[":authority", "localhost"], [":path", "/"], ["sec-websocket-version", "13"]] as const,
    ]);
    assert.equal(await aioquic.status(stream), 200);
    for (let move = 0; move < MOVES; move++) {
      relay.rebind();
      const payload = new Uint8Array([move]);
      await aioquic.sendFrame(stream, TEXT, payload);
      assert.deepEqual(await aioquic.frame(stream), { opcode: TEXT, payload });
      assert.equal(server.connections, 1);
    }
    assert.equal(relay.sourcePorts.length, MOVES + 1);
  });
});
