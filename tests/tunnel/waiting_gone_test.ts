// Who leaves, or takes too long, while it is looked at who he is: nobody works for him any more.
import { connectWebSocket } from "../../src/client/connect.ts";
import type { CancelSignal } from "../../src/net/cancel.ts";
import { encodeFrame } from "../../src/protocol/tunnel/encode.ts";
import type { AgentTransport } from "../../src/tunnel/agent_links.ts";
import { TUNNEL_SUBPROTOCOL } from "../../src/tunnel/mux_link.ts";
import { type Credentials, Users, type Verdict } from "../../src/tunnel/users.ts";
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import { Raw } from "./raw.ts";
import { LOOPBACK, type TestTunnel, withTunnel } from "./support.ts";

/** Users of whom nobody can say anything until whoever asks is gone. */
class Waiting extends Users {
  readonly #asked = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();

  constructor() {
    super([]);
  }

  override async verify(_: Credentials, signal: CancelSignal | null = null): Promise<Verdict> {
    this.#asked.resolve();
    if (signal === null) throw new Error("nobody says when he is gone");
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", resolve));
    }
    this.#gone.resolve();
    return { kind: "unknown", reason: "gone" };
  }

  /** Somebody is looked for. */
  get asked(): Promise<void> {
    return within("the question", this.#asked.promise);
  }

  /** Whoever was looked for is gone. */
  get gone(): Promise<void> {
    return within("its end", this.#gone.promise);
  }
}

const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
const SOCKS = Uint8Array.of(5, 1, 2, 1, ...text("bob"), ...text("pass"));
const HTTP = `CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\nProxy-Authorization: Basic ${
  btoa("bob:pass")
}\r\n\r\n`;

const FRONTS = [["socks5", SOCKS], ["http", HTTP]] as const;
const LEAVES = {
  "ends its side": (raw: Raw) => raw.conn.closeWrite(),
  "closes": (raw: Raw) => Promise.resolve(raw.conn.close()),
} as const;

async function withFronts(
  handshakeTimeoutMs: number,
  run: (tunnel: TestTunnel, users: Waiting) => Promise<void>,
): Promise<void> {
  const users = new Waiting();
  const gateway = { mixed: { listen: LOOPBACK, users }, handshakeTimeoutMs };
  await withTunnel({ unlinked: true, gateway }, (tunnel) => run(tunnel, users));
}

for (const [front, said] of FRONTS) {
  for (const [how, leave] of Object.entries(LEAVES)) {
    Deno.test(`waiting: a client by ${front} that ${how} is looked for no more`, async () => {
      await withFronts(600_000, async ({ gateway }, users) => {
        const client = await Raw.connect(gateway.mixedPort!);
        await client.send(said);
        await users.asked;
        await leave(client);
        await users.gone;
        if (how !== "closes") client.conn.close();
      });
    });
  }

  Deno.test(`waiting: a client by ${front} is looked for no longer than its handshake may take`, async () => {
    await withFronts(1_500, async ({ gateway }, users) => {
      using client = await Raw.connect(gateway.mixedPort!);
      await client.send(said);
      await users.gone;
    });
  });
}

/** An agent's AUTH by WebSocket; with Authorization it has said it before. */
async function auth(port: number, how: "ws" | "json") {
  const { caPem } = await testCertificates();
  const protocols = how === "ws" ? [TUNNEL_SUBPROTOCOL] : [];
  const socket = await connectWebSocket(`wss://localhost:${port}/ws`, {
    caCerts: [caPem],
    protocols,
  });
  const login = { username: "ann", password: "secret" };
  const data = { ...login, client_id: "one" };
  const said = how === "json" ? JSON.stringify({ type: "auth", data }) : encodeFrame({
    type: "auth",
    auth: {
      ...{ version: 1, clientId: "one", group: null, agent: "test", login },
      ...{ openPorts: [], maxConns: null },
    },
  });
  await socket.send(said);
  return socket;
}

for (const how of ["ws", "json"] as const) {
  for (const leaves of [true, false]) {
    const what = leaves ? "that leaves is looked for no more" : "is looked for for its time alone";
    Deno.test(`waiting: an agent by ${how} ${what}`, async () => {
      const agents = new Waiting();
      const gateway = { agents, handshakeTimeoutMs: leaves ? 600_000 : 1_500 };
      await withTunnel({ unlinked: true, gateway }, async ({ gateway, agent }) => {
        // It is for its place alone.
        await agent.stop();
        const socket = await auth(gateway.port, how);
        await agents.asked;
        if (leaves) socket.abort();
        await agents.gone;
        await within("the end of the socket", socket.closed);
      });
    });
  }
}

for (const transport of ["quic", "ws"] satisfies AgentTransport[]) {
  Deno.test(`waiting: an agent by ${transport}, with its request by WebSocket, that stops is looked for no more`, async () => {
    const agents = new Waiting();
    const options = {
      ...{ unlinked: true, transports: [transport] },
      gateway: { agents, handshakeTimeoutMs: 600_000 },
    };
    await withTunnel(options, async ({ agent }) => {
      await agents.asked;
      await agent.stop();
      await agents.gone;
    });
  });
}
