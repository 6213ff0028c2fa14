// How a gateway and an agent end: what is open may go on for a while, and nothing new begins.
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { Shop } from "./shop.ts";
import { echoClient, echoes } from "./target.ts";
import { type TestTunnel, Told, withTunnel } from "./support.ts";

interface Connected extends Disposable {
  /** The reply of RFC 1928 §6. */
  readonly reply: number;
  readonly conn: Deno.TcpConn;
}

/** Connects to a port of this machine through the tunnel. */
async function connect({ gateway }: TestTunnel, port: number): Promise<Connected> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: gateway.socksPort! });
  await conn.write(new Uint8Array([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]));
  const answer = new Uint8Array(12);
  for (let got = 0; got < answer.length;) {
    const count = await conn.read(answer.subarray(got));
    assert.notEqual(count, null, "an answer");
    got += count!;
  }
  return { reply: answer[3], conn, [Symbol.dispose]: () => conn.close() };
}

async function echo(conn: Deno.TcpConn): Promise<string> {
  await conn.write(new TextEncoder().encode("ping"));
  const bytes = new Uint8Array(4);
  const count = await conn.read(bytes);
  return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
}

/** A server that sends back what comes. */
function withEcho<T>(run: (port: number) => Promise<T>): Promise<T> {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const conn of server) conn.readable.pipeTo(conn.writable).catch(() => {});
  })();
  return run(server.addr.port).finally(async () => {
    server.close();
    await serving;
  });
}

Deno.test("drain of a gateway: what is open goes on to its end, and then it is over", async () => {
  await withEcho((port) =>
    withTunnel({}, async (tunnel) => {
      const { gateway } = tunnel;
      const { conn } = await connect(tunnel, port);
      const idle = await Deno.connect({ hostname: "127.0.0.1", port: gateway.socksPort! });
      const drained = gateway.drain(60_000);
      await assert.rejects(connect(tunnel, port));
      await assert.rejects(
        gateway.gateway.open({
          ...{ front: "socks5", client: "", user: "", group: "default" },
          target: { protocol: "tcp", host: "127.0.0.1", port },
        }),
        /the gateway shuts down/,
      );
      assert.equal(await echo(conn), "ping");
      conn.close();
      await within("the end", drained);
      assert.equal(await idle.read(new Uint8Array(1)).catch(() => null), null);
      idle.close();
      assert.match(tunnel.told.lines.join("\n"), /closed client: .* 4\/4$/m);
    })
  );
});

Deno.test("drain of a gateway: whoever asks for it again waits no shorter and no longer", async () => {
  await withEcho((port) =>
    withTunnel({}, async (tunnel) => {
      const { gateway } = tunnel.gateway;
      const { conn } = await connect(tunnel, port);
      const drains = Promise.all([gateway.drain(25_000), gateway.drain(25_000)]);
      conn.close();
      await within("both ends", drains);
    })
  );
});

Deno.test("drain of a gateway: what has not ended in time is ended", async () => {
  await withEcho((port) =>
    withTunnel({}, async (tunnel) => {
      const { conn } = await connect(tunnel, port);
      assert.equal(await echo(conn), "ping");
      await within("the end", tunnel.gateway.drain(50));
      assert.equal(await conn.read(new Uint8Array(1)).catch(() => null), null);
      conn.close();
      assert.match(tunnel.told.lines.join("\n"), /closed us: the gateway shuts down 4\/4/);
    })
  );
});

Deno.test("drain of an agent: what is open goes on to its end, nothing new begins", async () => {
  await withEcho((port) =>
    withTunnel({}, async (tunnel) => {
      const { agent, gateway, told } = tunnel;
      const { conn } = await connect(tunnel, port);
      const drained = agent.drain(60_000);
      using refused = await connect(tunnel, port);
      assert.equal(refused.reply, 1);
      assert.match(told.lines.join("\n"), /refused 127.0.0.1: the agent shuts down/);
      assert.equal(await echo(conn), "ping");
      conn.close();
      await within("the end", drained);
      await until("no agent", () => gateway.gateway.agents.list().length === 0);
    })
  );
});

for (const transport of ["quic", "ws"] as const) {
  Deno.test(`drain of an agent by ${transport}: it is not asked while there is another, and says so where there is none`, async () => {
    const told = new Told();
    const retried: string[] = [];
    const observer = {
      ...told.gateway,
      retried: (_: unknown, { reason }: { reason: string }) => void retried.push(reason),
    };
    await using shop = await Shop.open({ gateway: { balance: "failover", observer } });
    const transports = [transport];
    const draining = await shop.agent({ clientId: "a", transports });
    await shop.agents("a");
    await withEcho(async (port) => {
      const client = await echoClient(shop.socksPort, port);
      const drained = draining.drain(60_000);
      const { agents } = shop.gateway;
      await until("DRAIN", () => agents.list().some(({ link }) => link.isDraining));
      await assert.rejects(echoClient(shop.socksPort, port), /SOCKS5 reply 1/);
      assert.match(told.lines.join("\n"), /refused 127.0.0.1: the agent shuts down/);
      await shop.agent({ clientId: "b", transports });
      await shop.agents("a", "b");
      for (let i = 0; i < 3; i++) (await echoClient(shop.socksPort, port)).reset();
      assert.deepEqual(retried, []);
      assert.deepEqual(
        told.lines.filter((line) => line.startsWith("open")).map((line) => line.at(-1)),
        ["a", "b", "b", "b"],
      );
      await echoes(client, "still here");
      client.reset();
      await within("the end", drained);
    });
    assert.deepEqual(told.bugs, []);
  });
}
