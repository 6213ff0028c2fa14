// A gateway that lets an agent come near and says nothing: the agent ends when it is told to.
import { WebSocketServer } from "ws";
import type { QuicConnection } from "../../src/net/quic.ts";
import { QuicServer } from "../../src/net/quic_server.ts";
import { nextTurn } from "../../src/net/quic_stream.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { AgentTransport } from "../../src/tunnel/agent_links.ts";
import { TUNNEL_ALPN } from "../../src/tunnel/quic_link.ts";
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import { testAgent, Told } from "./support.ts";

/** Starts an agent, waits until it is `there`, and stops it: long before it gives the gateway up. */
async function stops(transport: AgentTransport, gateway: URL, there: Promise<unknown>) {
  const { caPem } = await testCertificates();
  const sweeper = new Sweeper(50);
  const told = new Told();
  const times = { quicTimeoutMs: 60_000, connectTimeoutMs: 60_000, heartbeatMs: 60_000 };
  const agent = testAgent({ port: 1 }, {
    ...{ caPem, sweeper, observer: told.agent, transports: [transport] },
    agent: { gateways: [gateway], ...times },
  });
  try {
    await within("the agent", there);
  } finally {
    await within("its end", agent.stop(), 10_000);
    sweeper.stop();
  }
  if (told.bugs.length > 0) throw told.bugs[0];
}

for (const transport of ["ws", "json"] as const) {
  Deno.test(`silent gateway by ${transport}: an agent whose AUTH nobody answers stops at once`, async () => {
    const server = new WebSocketServer({
      ...{ port: 0, host: "127.0.0.1", handleProtocols: ([first]: Set<string>) => first },
    });
    await new Promise<void>((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const auth = Promise.withResolvers<void>();
    server.on("connection", (socket) => socket.once("message", () => auth.resolve()));
    try {
      await stops(transport, new URL(`ws://127.0.0.1:${port}/ws`), auth.promise);
    } finally {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    }
  });
}

const SILENCE: [string, number, (quic: QuicConnection) => Promise<unknown>][] = [
  ["whose AUTH nobody answers", 16, async (quic) => await (await quic.acceptStream())!.read()],
  ["that may open no stream", 0, async () => {
    // It knows of the handshake's end before we do.
    for (let i = 0; i < 5; i++) await nextTurn();
  }],
];

for (const [name, maxStreams, comes] of SILENCE) {
  Deno.test(`silent gateway by quic: an agent ${name} stops at once`, async () => {
    const { certPem, keyPem } = await testCertificates();
    const server = new QuicServer({
      ...{ hostname: "127.0.0.1", port: 0, alpnProtocols: [TUNNEL_ALPN], certPem, keyPem },
      ...{ maxStreams, idleTimeoutMs: 60_000, keepaliveMs: 0 },
    });
    let far: QuicConnection | null = null;
    const there = async () => {
      far = (await server.incoming())!.accept();
      await far.handshake();
      await comes(far);
    };
    try {
      await stops("quic", new URL(`wss://localhost:${server.port}/ws`), there());
    } finally {
      server.close();
      await within("the end", Promise.resolve((far as QuicConnection | null)?.closed));
    }
  });
}
