// Agents that break the rules of frames: their own link ends, and nobody else's.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { decodeFrame } from "../../src/protocol/tunnel/decode.ts";
import { encodeFrame, encodePrefixed } from "../../src/protocol/tunnel/encode.ts";
import type { Frame } from "../../src/protocol/tunnel/frame.ts";
import { FrameStream } from "../../src/tunnel/frame_stream.ts";
import { TUNNEL_SUBPROTOCOL } from "../../src/tunnel/mux_link.ts";
import { TUNNEL_ALPN } from "../../src/tunnel/quic_link.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { Shop } from "./shop.ts";
import { socksConnect } from "./socks_client.ts";
import { echo, echoClient, echoes, withTarget } from "./target.ts";

/** An agent in the test's hands. */
interface RawAgent extends AsyncDisposable {
  send(bytes: Uint8Array): Promise<void>;
  /** The bytes of a frame as they are sent here. */
  encode(frame: Frame): Uint8Array;
  next(): Promise<Frame>;
  /** Why the gateway ended the link. */
  readonly ended: Promise<string>;
}

async function byQuic(port: number): Promise<RawAgent> {
  const { caPem } = await testCertificates();
  const quic = await connectQuic({
    ...{ hostname: "localhost", port, alpnProtocols: [TUNNEL_ALPN], caCerts: [caPem] },
    ...{ maxStreams: 10, keepaliveMs: 15_000, idleTimeoutMs: 45_000 },
    signal: AbortSignal.timeout(10_000),
  });
  const stream = await quic.openStream();
  const control = new FrameStream(stream);
  return {
    send: (bytes) => stream.write(bytes),
    encode: encodePrefixed,
    next: () => within("a frame", control.expect()),
    ended: quic.closed.then(({ reason }) => reason),
    async [Symbol.asyncDispose]() {
      quic.close(0, "");
      await quic.closed;
    },
  };
}

async function byFrames(port: number): Promise<RawAgent & { socket: Socket }> {
  const { caPem } = await testCertificates();
  const connections = new Connections();
  const socket = await connectWebSocket(`wss://localhost:${port}/ws`, {
    ...{ protocols: [TUNNEL_SUBPROTOCOL], caCerts: [caPem], tcpOnly: true, connections },
  });
  return {
    socket,
    send: (bytes) => socket.send(bytes),
    encode: encodeFrame,
    async next() {
      const message = await within("a frame", socket.receive());
      return decodeFrame(message as Uint8Array)!;
    },
    ended: socket.closed.then(({ reason }) => reason),
    async [Symbol.asyncDispose]() {
      socket.abort();
      await socket.closed;
      connections.close();
    },
  };
}

const DOORS = { quic: byQuic, ws: byFrames };
const AUTH: Frame = { type: "auth", auth: { ...Shop.auth("raw"), maxConns: 100 } };

/** A gateway with an honest agent whose connection must live, whatever the raw one does. */
async function beside(run: (shop: Shop) => Promise<void>): Promise<void> {
  await using shop = await Shop.open({ gateway: { balance: "failover" } });
  await shop.agent({ clientId: "honest" });
  await shop.agents("honest");
  await withTarget(echo, async (port) => {
    const client = await echoClient(shop.socksPort, port);
    await run(shop);
    await echoes(client, "still here");
    client.fin();
    assert.equal(await within("the end", client.ended), "fin");
    await shop.agents("honest");
    await until("nothing left", () => shop.gateway.connections === 0);
  });
}

async function authenticate(agent: RawAgent): Promise<void> {
  await agent.send(agent.encode(AUTH));
  const frame = await agent.next();
  assert.ok(frame.type === "authed" && frame.authed.success);
}

for (const [name, connect] of Object.entries(DOORS)) {
  Deno.test(`hostile agent by ${name}: a wrong password is AUTH_FAILED, and the link ends`, async () => {
    await beside(async (shop) => {
      await using agent = await connect(shop.port);
      const login = { username: "ann", password: "wrong" };
      await agent.send(agent.encode({ type: "auth", auth: { ...Shop.auth("raw"), login } }));
      const frame = await agent.next();
      assert.ok(frame.type === "authed" && !frame.authed.success);
      assert.equal(frame.authed.code, TunnelCode.AUTH_FAILED);
      await within("the end", agent.ended);
      assert.match(shop.told.lines.join("\n"), /^auth agent ann: the username or/m);
    });
  });

  Deno.test(`hostile agent by ${name}: what is not AUTH, where it belongs, ends the link`, async () => {
    await beside(async (shop) => {
      await using agent = await connect(shop.port);
      await agent.send(agent.encode({ type: "ping", payload: new Uint8Array(8) }));
      assert.match(await within("the end", agent.ended), /^ping where AUTH belongs$/);
      assert.match(shop.told.lines.join("\n"), /^auth agent : ping where AUTH belongs$/m);
    });
  });

  Deno.test(`hostile agent by ${name}: an AUTH that is malformed ends the link, and both sides are told why`, async () => {
    await beside(async (shop) => {
      await using agent = await connect(shop.port);
      await agent.send(agent.encode({ type: "auth", auth: { ...Shop.auth("raw"), version: 0 } }));
      const why = await within("the end", agent.ended);
      assert.match(why, /version/);
      await until("its line", () => shop.told.lines.includes(`auth agent : ${why}`));
    });
  });

  Deno.test(`hostile agent by ${name}: a second AUTH, and an unknown type, end the link and say why`, async () => {
    await beside(async (shop) => {
      const unknown = name === "quic" ? Uint8Array.of(2, 0x20, 0) : Uint8Array.of(0x20, 0);
      for (const bytes of [null, unknown]) {
        await using agent = await connect(shop.port);
        await authenticate(agent);
        await shop.agents("honest", "raw");
        await agent.send(bytes ?? agent.encode(AUTH));
        assert.match(await within("the end", agent.ended), bytes === null ? /auth/i : /type/i);
        await shop.agents("honest");
      }
    });
  });
}

// By QUIC it is Deno's own flow control.
Deno.test("hostile agent by ws: more than its credit ends the link, and its client is told", async () => {
  await using shop = await Shop.open();
  await using agent = await byFrames(shop.port);
  await authenticate(agent);
  await shop.agents("raw");
  const connecting = socksConnect(shop.socksPort, "target.example", 80);
  const open = await agent.next();
  assert.ok(open.type === "open");
  const { id } = open;
  await agent.send(agent.encode({ type: "opened", id, windowBytes: 1 << 18 }));
  const client = await connecting;
  client.pause();
  const bytes = new Uint8Array(1 << 14);
  // The client reads nothing: what the system and the window take is known to be less.
  const flood = async () => {
    while (agent.socket.open) await agent.send(agent.encode({ type: "data", id, bytes }));
  };
  // Its end is seen by who reads.
  const read = async () => {
    while (await agent.socket.receive() !== null);
  };
  await within("the end of the flood", Promise.all([flood().catch(() => {}), read()]));
  assert.match(await within("the end", agent.ended), /^\d+ bytes of DATA with a credit of/);
  await shop.agents();
  client.resume();
  assert.equal(await within("the client's end", client.ended), "reset");
  await until("nothing left", () => shop.gateway.connections === 0);
});

Deno.test("hostile agent by ws: who sends PINGs and reads no answer stops nobody", async () => {
  await beside(async (shop) => {
    await using agent = await byFrames(shop.port);
    await authenticate(agent);
    await shop.agents("honest", "raw");
    const ping = agent.encode({ type: "ping", payload: new Uint8Array(8) });
    const flood = async () => {
      for (let i = 0; i < 20_000; i++) {
        const sent = agent.send(ping);
        if (i % 100 === 0) await sent;
        else sent.catch(() => {});
      }
    };
    await within("the end of the flood", flood());
    await shop.agents("honest", "raw");
    assert.equal((await agent.next()).type, "pong");
  });
});
