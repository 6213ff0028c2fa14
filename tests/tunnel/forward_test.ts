// Ports of the gateway that lead to services of agents: configured, and asked for by agents.
import assert from "node:assert/strict";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { OpenPort } from "../../src/protocol/tunnel/auth.ts";
import { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { Users } from "../../src/tunnel/users.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { endOf, Raw, withRawTarget } from "./raw.ts";
import { LOOPBACK, testAgent, type TestTunnel, Told, withTunnel } from "./support.ts";
import { udpEcho } from "./udp.ts";

const NOT_OPENED = "may not be opened by ann: the gateway's --open-ports, or open_ports of the " +
  "user, must name it";

const localhost = "127.0.0.1";

function forwardTo(protocol: "tcp" | "udp", port: number) {
  const target = { protocol, host: localhost, port };
  return { forwards: [{ listen: LOOPBACK, group: "default", target }] };
}

/** A port that nobody has, for one who has to ask for it by number. */
function freePort(): number {
  const listener = Deno.listen(LOOPBACK);
  listener.close();
  return listener.addr.port;
}

async function udpAsk(port: number, data: Uint8Array, socket: Deno.DatagramConn) {
  await socket.send(data, { transport: "udp", hostname: localhost, port });
  const [back] = await within("a datagram", socket.receive(new Uint8Array(65_536)));
  return back;
}

for (const [name, transports] of [["quic", ["quic"]], ["ws", ["ws"]]] as const) {
  Deno.test(`forward by ${name}: tcp both ways, and each side ends its own`, async () => {
    await withRawTarget(async ({ port, accept }) => {
      const gateway = forwardTo("tcp", port);
      await withTunnel({ transports, gateway }, async ({ gateway, agent }) => {
        using client = await Raw.connect(gateway.forwardPorts[0]);
        await client.send("hello");
        const target = await accept();
        await target.until("hello");
        await client.conn.closeWrite();
        assert.equal(await target.rest(), "");
        await target.send(new Uint8Array(1 << 20).fill(65));
        await target.conn.closeWrite();
        assert.equal((await client.rest()).length, 1 << 20);
        await until("the end", () => gateway.gateway.connections === 0 && agent.streams === 0);
        await until("the client is let go", () => gateway.clients === 0);
      });
    });
  });

  Deno.test(`forward by ${name}: udp, each client its own flow, ended when it is silent`, async () => {
    const echo = udpEcho();
    try {
      const gateway = { ...forwardTo("udp", echo.port), udpIdleTimeoutMs: 300 };
      await withTunnel({ transports, gateway }, async ({ gateway, agent }) => {
        const clients = [1, 2, 3].map(() => Deno.listenDatagram({ transport: "udp", ...LOOPBACK }));
        for (const [i, client] of clients.entries()) {
          for (const size of [1, 1_400, 30_000]) {
            const data = crypto.getRandomValues(new Uint8Array(size));
            const back = await udpAsk(gateway.forwardPorts[0], data, client);
            assert.deepEqual(back, data.toReversed(), `client ${i}`);
          }
        }
        assert.equal(echo.from.size, 3);
        await until("the end", () => gateway.gateway.connections === 0 && agent.streams === 0);
        for (const client of clients) client.close();
      });
    } finally {
      echo.close();
    }
  });
}

Deno.test("forward: a target that refuses, or no agent at all, ends the connection", async () => {
  await withTunnel({ gateway: forwardTo("tcp", freePort()) }, async ({ gateway, agent, told }) => {
    assert.equal(await endOf(gateway.forwardPorts[0]), "reset");
    await agent.stop();
    await until("the agent is gone", () => gateway.gateway.agents.list().length === 0);
    assert.equal(await endOf(gateway.forwardPorts[0]), "reset");
    assert.match(told.lines.join("\n"), /refused 127\.0\.0\.1: refused: [^]*no agent of group/);
  });
});

Deno.test("forward: a port that is taken is an error when the gateway begins, and nothing is left", async () => {
  const taken = Deno.listen(LOOPBACK);
  const { certPem, keyPem } = await testCertificates();
  const sweeper = new Sweeper(50);
  const target = { protocol: "tcp", host: localhost, port: 1 } as const;
  const gateway = new GatewayServer({
    ...{ listen: LOOPBACK, certPem, keyPem, path: "/ws", balance: "round-robin", sweeper },
    ...{ observer: new Told().gateway, agents: new Users([]), socks: null },
    forwards: [{ listen: { ...LOOPBACK, port: taken.addr.port }, group: "default", target }],
    ...{ maxConnections: 10, maxStreamsPerAgent: 10, windowBytes: 65_536, connectTimeoutMs: 1_000 },
    ...{ idleTimeoutMs: 0, handshakeTimeoutMs: 1_000, heartbeatMs: 15_000 },
  });
  try {
    await assert.rejects(gateway.listen(), { name: "ListenError", kind: "in_use" });
  } finally {
    taken.close();
    sweeper.stop();
  }
});

/** The port of an agent's service, by the port of the gateway. */
function openPort(
  remotePort: number,
  localPort: number,
  protocol: "tcp" | "udp" = "tcp",
): OpenPort {
  return { protocol, remotePort, localHost: localhost, localPort };
}

const openPorts = { hostname: localhost, ranges: [[1_024, 65_535]] as [number, number][] };

Deno.test("open_ports: tcp and udp lead to the agent's services, and go with it", async () => {
  const echo = udpEcho();
  const [tcp, udp] = [freePort(), freePort()];
  try {
    await withRawTarget(async ({ port, accept }) => {
      const ports = [openPort(tcp, port), openPort(udp, echo.port, "udp")];
      // What it offers itself it connects to, whatever else is allowed.
      const options = { gateway: { openPorts }, openPorts: ports, allowed: ["10.0.0.1"] };
      await withTunnel(options, async ({ gateway, agent }) => {
        using client = await Raw.connect(tcp);
        await client.send("hello");
        await (await accept()).until("hello");
        const socket = Deno.listenDatagram({ transport: "udp", ...LOOPBACK });
        assert.deepEqual(await udpAsk(udp, Uint8Array.of(1, 2), socket), Uint8Array.of(2, 1));
        socket.close();
        await agent.stop();
        await until("it is gone", () => gateway.gateway.agents.list().length === 0);
        // At once: nothing holds them.
        Deno.listen({ hostname: localhost, port: tcp }).close();
        Deno.listenDatagram({ transport: "udp", hostname: localhost, port: udp }).close();
        assert.equal(await client.rest(), "");
        await until("the end", () => gateway.gateway.connections === 0);
      });
    });
  } finally {
    echo.close();
  }
});

Deno.test("open_ports: what is not allowed or in use is told, and the agent goes on", async () => {
  const taken = Deno.listen(LOOPBACK);
  const free = freePort();
  try {
    await withRawTarget(async ({ port, accept }) => {
      const ports = [22, taken.addr.port, free, free].map((remote) => openPort(remote, port));
      const options = { gateway: { openPorts }, openPorts: ports };
      await withTunnel(options, async ({ told }) => {
        assert.deepEqual(told.lines.filter((line) => line.startsWith("port refused")), [
          `port refused: tcp port 22 ${NOT_OPENED}`,
          `port refused: tcp port ${taken.addr.port} is in use at the gateway`,
          `port refused: tcp port ${free} is asked for twice`,
        ]);
        assert.deepEqual(told.lines.filter((line) => /^port[+-]/.test(line)), [
          `port- ann: tcp port 22 ${NOT_OPENED}`,
          `port- ann: tcp port ${taken.addr.port} is in use at the gateway`,
          `port+ tcp ${free} ann 127.0.0.1:${port}`,
          `port- ann: tcp port ${free} is asked for twice`,
        ]);
        using client = await Raw.connect(free);
        await client.send("hello");
        await (await accept()).until("hello");
      });
    });
  } finally {
    taken.close();
  }
});

Deno.test("open_ports: none by default, and a user's own ranges before those of all", async () => {
  const [first, second] = [freePort(), freePort()];
  const ports = [openPort(first, 1), openPort(second, 1)];
  const ann = { name: "ann", password: "secret" };
  const own = { ...ann, openPorts: [[second, second]] as [number, number][] };
  const rows = [
    { agents: [ann], gateway: {}, refused: [first, second] },
    { agents: [own], gateway: { openPorts }, refused: [first] },
    { agents: [{ ...ann, openPorts: [] }], gateway: { openPorts }, refused: [first, second] },
  ];
  for (const { agents, gateway, refused } of rows) {
    await withTunnel({ agents, gateway, openPorts: ports }, ({ told }) => {
      assert.deepEqual(
        told.lines.filter((line) => line.startsWith("port refused")),
        refused.map((port) => `port refused: tcp port ${port} ${NOT_OPENED}`),
      );
      return Promise.resolve();
    });
  }
});

/** Two agents that ask for the same port; `run` gets what starts the second. */
async function withTwo(
  second: { clientId: string; user?: { name: string; password: string } },
  run: (ends: {
    tunnel: TestTunnel;
    port: number;
    start: () => ReturnType<typeof testAgent>;
    told: Told;
    one: () => Promise<Raw>;
    two: () => Promise<Raw>;
  }) => Promise<void>,
): Promise<void> {
  const { caPem } = await testCertificates();
  const told = new Told();
  const port = freePort();
  await withRawTarget((one) =>
    withRawTarget(async (two) => {
      const agents = [
        { name: "ann", password: "secret" },
        { name: "bob", password: "pass" },
      ];
      const options = { agents, gateway: { openPorts }, openPorts: [openPort(port, one.port)] };
      await withTunnel(options, async (tunnel) => {
        const sweeper = new Sweeper(50);
        const ports = { openPorts: [openPort(port, two.port)] };
        const start = () =>
          testAgent(tunnel.gateway, {
            ...{ ...second, ...ports, caPem, sweeper },
            observer: told.agent,
          });
        await run({ tunnel, port, start, told, one: one.accept, two: two.accept });
        sweeper.stop();
      });
    })
  );
}

async function leadsTo(port: number, accept: () => Promise<Raw>): Promise<void> {
  using client = await Raw.connect(port);
  await client.send("hello");
  using target = await accept();
  await target.until("hello");
}

Deno.test("open_ports: the newest agent of a user has the port; it falls back when that one goes", async () => {
  await withTwo({ clientId: "two" }, async ({ tunnel, port, start, told, one, two }) => {
    await leadsTo(port, one);
    const newest = start();
    try {
      await until("it is there", () => tunnel.gateway.gateway.agents.list().length === 2);
      assert.deepEqual(told.lines.filter((line) => line.startsWith("port")), []);
      await leadsTo(port, two);
    } finally {
      await newest.stop();
    }
    await until("it is gone", () => tunnel.gateway.gateway.agents.list().length === 1);
    await leadsTo(port, one);
  });
});

Deno.test("open_ports: an agent that comes again, before its old link is known to be lost", async () => {
  await withTwo({ clientId: "one" }, async ({ tunnel, port, start, two }) => {
    const again = start();
    try {
      await until("it has taken over", () => {
        return tunnel.told.lines.includes(
          "agent- one us: replaced by a newer connection of the same agent",
        );
      });
      await tunnel.agent.stop();
      await leadsTo(port, two);
    } finally {
      await again.stop();
    }
  });
});

Deno.test("open_ports: another user's agent doesn't get it", async () => {
  const second = { clientId: "two", user: { name: "bob", password: "pass" } };
  await withTwo(second, async ({ tunnel, port, start, told, one }) => {
    const other = start();
    try {
      await until("it is there", () => tunnel.gateway.gateway.agents.list().length === 2);
      await until("it is told", () => told.lines.some((line) => line.startsWith("port")));
      assert.deepEqual(told.lines.filter((line) => line.startsWith("port")), [
        `port refused: tcp port ${port} is in use by another user`,
      ]);
      await leadsTo(port, one);
    } finally {
      await other.stop();
    }
  });
});
