// RFC 1928 §7: datagrams through a gateway.
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { answerTo, nameIn, queryFor } from "./dns.ts";
import { type TestTunnel, withTunnel } from "./support.ts";
import { Association, udpEcho, udpShim } from "./udp.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

async function play(
  run: (ends: { echo: ReturnType<typeof udpEcho>; tunnel: TestTunnel }) => Promise<void>,
  { transports = ["ws"], udpIdleTimeoutMs = 60_000 }: {
    transports?: readonly ("quic" | "ws")[];
    udpIdleTimeoutMs?: number;
  } = {},
): Promise<void> {
  const echo = udpEcho();
  try {
    await withTunnel({ transports, gateway: { udpIdleTimeoutMs } }, async (tunnel) => {
      await run({ echo, tunnel });
      await until("nothing is left", () => tunnel.gateway.gateway.connections === 0);
      await until("nothing is left at the agent", () => tunnel.agent.streams === 0);
    });
  } finally {
    echo.close();
  }
}

for (const [name, transports] of [["quic", ["quic"]], ["ws", ["ws"]]] as const) {
  Deno.test(`udp associate by ${name}: datagrams of any size, by address and by name`, async () => {
    await play(async ({ echo, tunnel: { gateway } }) => {
      using client = await Association.open(gateway.socksPort!);
      for (const host of ["127.0.0.1", "localhost"]) {
        for (const size of [0, 1, 512, 1472, 9_000, 60_000]) {
          const data = crypto.getRandomValues(new Uint8Array(size));
          await client.send(host, echo.port, data);
          const back = await client.receive();
          assert.equal(back.from, `${host}:${echo.port}`);
          assert.deepEqual(back.data, data.toReversed(), `${size} bytes`);
        }
      }
      // One connection for each target.
      assert.equal(gateway.gateway.connections, 2);
      assert.equal(echo.from.size, 2);
    }, { transports });
  });
}

Deno.test("udp associate: a DNS client gets its answer", async () => {
  const server = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr as Deno.NetAddr;
  void (async () => {
    for await (const [query, from] of server) await server.send(answerTo(query, "192.0.2.7"), from);
  })();
  try {
    await play(async ({ tunnel: { gateway } }) => {
      using client = await Association.open(gateway.socksPort!);
      await client.send("127.0.0.1", port, queryFor(0x1234, "h3ws.example"));
      const { data } = await client.receive();
      assert.deepEqual(data.subarray(0, 2), bytes(0x12, 0x34));
      assert.deepEqual(data.subarray(-4), bytes(192, 0, 2, 7));
    });
  } finally {
    server.close();
  }
});

Deno.test("udp associate: a resolver asks a server of DNS behind the agent", async () => {
  const server = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr as Deno.NetAddr;
  const asked: string[] = [];
  const serving = (async () => {
    for await (const [query, from] of server) {
      asked.push(nameIn(query));
      await server.send(answerTo(query, "192.0.2.7"), from);
    }
  })();
  await play(async ({ tunnel: { gateway } }) => {
    const client = await Association.open(gateway.socksPort!);
    const shim = udpShim(client, { host: "localhost", port });
    const nameServer = { ipAddr: "127.0.0.1", port: shim.port };
    try {
      for (const name of ["h3ws.example.", "another.example."]) {
        assert.deepEqual(await Deno.resolveDns(name, "A", { nameServer }), ["192.0.2.7"]);
        assert.ok(asked.includes(name));
      }
    } finally {
      await shim.close();
    }
  });
  server.close();
  await serving;
});

Deno.test("udp associate: it ends with its TCP connection, and frees its port", async () => {
  await play(async ({ echo, tunnel: { gateway } }) => {
    using client = await Association.open(gateway.socksPort!);
    await client.send("127.0.0.1", echo.port, bytes(1));
    await client.receive();
    assert.equal(gateway.gateway.connections, 1);
    client.tcp.close();
    await until("the end", () => gateway.gateway.connections === 0);
    await until("the port is free", () => {
      try {
        Deno.listenDatagram({ ...client.relay, transport: "udp" }).close();
        return true;
      } catch {
        return false;
      }
    });
  });
});

Deno.test("udp associate: datagrams of others, and such as can't be relayed, are dropped", async () => {
  await play(async ({ echo, tunnel: { gateway } }) => {
    using client = await Association.open(gateway.socksPort!);
    const stranger = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.2", port: 0 });
    const second = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const datagram = Uint8Array.of(0, 0, 0, 1, 127, 0, 0, 1, echo.port >> 8, echo.port & 0xff, 66);
    try {
      await stranger.send(datagram, client.relay);
      // No header, one that is cut off, a fragment, an unknown type of address, port 0.
      const wrong = [[], [0, 0], [0, 0, 1, ...datagram.slice(3)], [0, 0, 0, 9, 1, 1, 1, 1]];
      for (const one of wrong) await client.sendRaw(Uint8Array.from(one));
      await client.sendRaw(bytes(0, 0, 0, 1, 127, 0, 0, 1, 0, 0, 66));
      await client.send("127.0.0.1", echo.port, bytes(1, 2));
      assert.deepEqual((await client.receive()).data, bytes(2, 1));
      // The port that the client sends from is known now.
      await second.send(datagram, client.relay);
      await client.send("127.0.0.1", echo.port, bytes(3, 4));
      assert.deepEqual((await client.receive()).data, bytes(4, 3));
    } finally {
      stranger.close();
      second.close();
    }
  });
});

Deno.test("udp associate: a target that is not allowed is asked for once in a while, and harms no other", async () => {
  await play(async ({ echo, tunnel: { gateway, told } }) => {
    using client = await Association.open(gateway.socksPort!);
    for (let i = 0; i < 50; i++) await client.send("127.0.0.2", echo.port, bytes(1));
    await client.send("127.0.0.1", echo.port, bytes(1, 2));
    assert.deepEqual((await client.receive()).data, bytes(2, 1));
    assert.equal(told.lines.filter((line) => line.startsWith("refused")).length, 1);
  });
});

Deno.test("udp associate: a target that is silent is let go, and comes back with the next datagram", async () => {
  await play(async ({ echo, tunnel: { gateway, told } }) => {
    using client = await Association.open(gateway.socksPort!);
    for (const round of [1, 2]) {
      await client.send("127.0.0.1", echo.port, bytes(round, 9));
      assert.deepEqual((await client.receive()).data, bytes(9, round));
      await until("it is idle", () => gateway.gateway.connections === 0);
      const ends = told.lines.filter((line) => line.startsWith("closed us: idle"));
      assert.equal(ends.length, round);
    }
  }, { udpIdleTimeoutMs: 300 });
});

Deno.test("udp associate: more datagrams than can go on are dropped, not kept", async () => {
  await play(async ({ echo, tunnel: { gateway } }) => {
    using client = await Association.open(gateway.socksPort!);
    const big = new Uint8Array(8_000).fill(1);
    for (let i = 0; i < 3_000; i++) await client.send("127.0.0.1", echo.port, big);
    let came = 0;
    const last = Uint8Array.of(7, 7, 7);
    // Those that came through are behind each other, and the last one behind them.
    for (;;) {
      await client.send("127.0.0.1", echo.port, last);
      const { data } = await client.receive();
      if (data.length === last.length) break;
      came++;
    }
    assert.ok(came > 0 && came < 3_000, `${came} came`);
  });
});

Deno.test("udp associate: an agent that goes takes its flows; the next one has new ones", async () => {
  await play(async ({ echo, tunnel: { gateway } }) => {
    using client = await Association.open(gateway.socksPort!);
    await client.send("127.0.0.1", echo.port, bytes(1, 2));
    await client.receive();
    gateway.gateway.agents.close("go away");
    await until("it is gone", () => gateway.gateway.connections === 0);
    await until("it is back", () => gateway.gateway.agents.list().length === 1);
    await client.send("127.0.0.1", echo.port, bytes(3, 4));
    assert.deepEqual((await client.receive()).data, bytes(4, 3));
  });
});
