// What one user, agent or target may have: how much that is, for whom, and what others have meanwhile.
import assert from "node:assert/strict";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import type { Gateway, GatewayConnection } from "../../src/tunnel/gateway.ts";
import { LIMITED, type Limited, type LimitsBy, TunnelLimits } from "../../src/tunnel/limits.ts";
import { TunnelRefused } from "../../src/tunnel/target.ts";
import { type User, Users } from "../../src/tunnel/users.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { curl } from "./curl.ts";
import { socksConnect } from "./socks_client.ts";
import { withTunnel } from "./support.ts";
import { echo, withTarget } from "./target.ts";

async function rejected(work: Promise<unknown>): Promise<TunnelRefused> {
  const error = await within("a refusal", work.then(() => null, (error) => error));
  assert.ok(error instanceof TunnelRefused, `${error}`);
  return error;
}

Deno.test("limits: connections at once are counted for each, and a place that is left is free", async () => {
  const limits = await TunnelLimits.make({ user: { maxConnections: 2 } });
  const [first] = await Promise.all([limits.enter("user", "ann"), limits.enter("user", "ann")]);
  const { code, message } = await rejected(limits.enter("user", "ann"));
  assert.equal(code, TunnelCode.RATE_LIMITED);
  assert.equal(message, "the user has 2 connections, as many as it may");
  const one = await TunnelLimits.make({ user: { maxConnections: 1 } });
  await one.enter("user", "ann");
  await assert.rejects(one.enter("user", "ann"), {
    message: "the user has 1 connection, as many as it may",
  });
  await limits.enter("user", "constructor");
  await limits.enter("agent", "ann");
  first.leave();
  first.leave();
  await limits.enter("user", "ann");
  await rejected(limits.enter("user", "ann"));
});

Deno.test("limits: new connections a second, and who is refused does not keep a place", async () => {
  const by = { target: { newPerSecond: 3, maxConnections: 4 } };
  const limits = await TunnelLimits.make(by);
  const startedMs = performance.now();
  for (let i = 0; i < 3; i++) (await limits.enter("target", "a:1")).leave();
  for (let i = 0; i < 5; i++) {
    const { message } = await rejected(limits.enter("target", "a:1"));
    assert.equal(message, "the target may have 3 new connections a second");
  }
  await limits.enter("target", "b:1");
  await until("the next second", async () => {
    const place = await limits.enter("target", "a:1").catch(() => null);
    return place !== null;
  });
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs >= 950, `after ${tookMs} ms`);
});

Deno.test("limits: bytes a second are those of all connections of one together", async () => {
  const rate = 100_000;
  const limits = await TunnelLimits.make({ agent: { bytesPerSecond: rate } });
  const places = await Promise.all([1, 2].map(() => limits.enter("agent", "constructor")));
  const other = await limits.enter("agent", "other");
  const startedMs = performance.now();
  const sent = Promise.all(places.map(async ({ throttle }) => {
    for (let i = 0; i < 10; i++) await throttle!(15_000);
  }));
  await other.throttle!(50_000);
  assert.ok(performance.now() - startedMs < 500, "another waits for them");
  await within("all bytes", sent);
  const tookMs = performance.now() - startedMs;
  // 300,000 bytes: what the first second has goes at once.
  assert.ok(
    tookMs > 1_900 && tookMs < 4_500,
    `300,000 bytes at ${rate} a second took ${tookMs} ms`,
  );
});

Deno.test("limits: who leaves waits for no more bytes", async () => {
  const limits = await TunnelLimits.make({ user: { bytesPerSecond: 1_000 } });
  const place = await limits.enter("user", "ann");
  const held = place.throttle!(1_000_000)!;
  place.leave();
  await within("its end", held, 3_000);
});

Deno.test("limits: without any everybody has a place, and nothing holds him up", async () => {
  for (const by of [{}, { user: { maxConnections: 0 } }]) {
    const limits = await TunnelLimits.make(by);
    for (let i = 0; i < 3; i++) {
      assert.equal((await limits.enter("user", "ann", { maxConnections: 0 })).throttle, undefined);
    }
  }
});

Deno.test("limits: what is said of one alone goes before what is said of all", async () => {
  const limits = await TunnelLimits.make({ user: { maxConnections: 1, bytesPerSecond: 1_000 } });
  const own = { maxConnections: 2 };
  const first = await limits.enter("user", "ann", own);
  assert.notEqual(first.throttle, undefined);
  await limits.enter("user", "ann", own);
  const { message } = await rejected(limits.enter("user", "ann", own));
  assert.equal(message, "the user has 2 connections, as many as it may");
  await limits.enter("user", "bob", own);
  await limits.enter("user", "cid");
  await rejected(limits.enter("user", "cid"));
  for (let i = 0; i < 3; i++) await limits.enter("user", "dan", { maxConnections: 0 });
  assert.equal((await limits.enter("user", "eve", { bytesPerSecond: 0 })).throttle, undefined);
  first.leave();
  await limits.enter("user", "ann", own);
});

/** What a gateway refuses, by whose limits they are. */
const ASKED: Record<Limited, { user: string; host: string }[]> = {
  user: [{ user: "ann", host: "127.0.0.1" }, { user: "ann", host: "localhost" }],
  agent: [{ user: "ann", host: "127.0.0.1" }, { user: "bob", host: "localhost" }],
  target: [{ user: "ann", host: "127.0.0.1" }, { user: "bob", host: "127.0.0.1" }],
};

async function withTargets(
  limits: LimitsBy,
  run: (
    t: {
      gateway: Gateway;
      open: (as: { user: string; host: string }) => Promise<GatewayConnection>;
    },
  ) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const conns: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const conn of listener) conns.push(conn);
  })();
  await withTunnel({ gateway: { limits } }, async ({ gateway: { gateway } }) => {
    const open = ({ user, host }: { user: string; host: string }) =>
      gateway.open({
        ...{ front: "socks5", client: "", user, group: "default" },
        target: { protocol: "tcp", host, port },
      });
    await run({ gateway, open });
  });
  listener.close();
  await accepting;
  for (const conn of conns) conn.close();
}

function end(gateway: Gateway, connection: GatewayConnection): void {
  connection.stream.abort("enough");
  const none = { bytesToTarget: 0, bytesToClient: 0 };
  gateway.release(connection, { by: "client", reason: "enough", ...none });
}

for (const of of LIMITED) {
  Deno.test(`limits of a gateway: by ${of}, RATE_LIMITED until there is a place again`, async () => {
    await withTargets({ [of]: { maxConnections: 1 } }, async ({ gateway, open }) => {
      const [one, other] = ASKED[of];
      const first = await open(one);
      assert.equal((await rejected(open(other))).code, TunnelCode.RATE_LIMITED);
      assert.equal(gateway.connections, 1);
      // What is refused has left every place that it had taken before.
      end(gateway, first);
      end(gateway, await open(other));
    });
  });
}

Deno.test("limits of a gateway: a user's own, by SOCKS5 and by HTTP", async () => {
  const users = ["ann", "bob"].map((name) => ({ name, ...PASSWORD }));
  const list = new Users([{ ...users[0], limits: { maxConnections: 1 } }, users[1]]);
  const mixed = { listen: { hostname: "127.0.0.1", port: 0 }, users: list };
  const limits = { user: { maxConnections: 2 } };
  await withTunnel({ gateway: { mixed, limits } }, async ({ gateway }) => {
    await withTarget(echo, async (port) => {
      const connect = (username: string) => {
        return socksConnect({ port: gateway.mixedPort!, username, ...PASSWORD }, "127.0.0.1", port);
      };
      const clients = [await connect("ann"), await connect("bob"), await connect("bob")];
      for (const name of ["ann", "bob"]) await assert.rejects(connect(name), /SOCKS5 reply 1/);
      const proxy = `http://ann:${PASSWORD.password}@127.0.0.1:${gateway.mixedPort}`;
      const { code, stderr } = await curl("-x", proxy, "-p", `http://127.0.0.1:${port}/`);
      assert.deepEqual([code, /503|429/.test(stderr)], [56, true], stderr);
      for (const client of clients) client.reset();
      await until("their places", () => gateway.gateway.connections === 0);
      (await connect("ann")).reset();
    });
  });
});

const RATE = 400_000;

Deno.test("limits of a gateway: a transfer takes the time that its bytes have", async () => {
  const size = 1_000_000;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(new Uint8Array(size)),
  );
  const { port } = server.addr;
  for (const kind of ["target", "agent"] as const) {
    await withTunnel(
      { gateway: { limits: { [kind]: { bytesPerSecond: RATE } } } },
      async (tunnel) => {
        const startedMs = performance.now();
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        client.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        await within("all of it", client.ended);
        const tookMs = performance.now() - startedMs;
        assert.ok(client.text.length > size, "it is not whole");
        assert.ok(
          tookMs > 1_900 && tookMs < 8_000,
          `${size} bytes at ${RATE} a second: ${tookMs} ms`,
        );
      },
    );
  }
  await server.shutdown();
});

Deno.test("limits of a gateway: what waits for its bytes ends at once with its client", async () => {
  const limits = { user: { bytesPerSecond: 1_000 } };
  await withTargets(limits, async ({ gateway, open }) => {
    const connection = await open({ user: "ann", host: "127.0.0.1" });
    const sent = connection.throttle!(1_000_000)!;
    end(gateway, connection);
    await within("its end", sent, 3_000);
    assert.equal(gateway.connections, 0);
  });
});

const PASSWORD = { password: "secret" };
const ANN: User = { name: "ann", ...PASSWORD };
const BOB: User = { name: "bob", ...PASSWORD };

for (
  const [what, users] of [["gone", [BOB]], ["changed", [{ ...ANN, password: "new" }, BOB]]] as const
) {
  Deno.test(`users: of one that is ${what} agents and connections end, those of others go on`, async () => {
    const list = new Users([ANN, BOB]);
    const listen = { hostname: "127.0.0.1", port: 0 };
    const login = { username: "bob", ...PASSWORD };
    const gateway = { agents: list, socks: { listen, users: list } };
    await withTunnel({ gateway, agent: { auth: { login } } }, async ({ gateway, told }) => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const conns: Deno.Conn[] = [];
      const connect = async (username: string) => {
        const proxy = { port: gateway.socksPort!, username, ...PASSWORD };
        const client = await socksConnect(proxy, "127.0.0.1", port);
        conns.push(await listener.accept());
        return client;
      };
      const [ann, bob] = [await connect("ann"), await connect("bob")];
      list.replace(users);
      assert.equal(await within("ann's end", ann.ended), "reset");
      await assert.rejects(connect("ann"));
      await conns[1].write(new TextEncoder().encode("on"));
      await until("bob's bytes", () => bob.text === "on");
      assert.equal(gateway.gateway.agents.list().length, 1);
      // And now the agent's.
      list.replace([{ ...BOB, groups: ["other"] }]);
      await within("bob's end", bob.ended);
      await until(
        "the agent's end",
        () => told.lines.includes("agent- one us: its user is gone or was changed"),
      );
      for (const conn of conns) conn.close();
      // It comes back as what it is now.
      await until("the agent", () => gateway.gateway.agents.list()[0]?.group === "other");
    });
  });
}
