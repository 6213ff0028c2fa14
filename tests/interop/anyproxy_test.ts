// Strangers' agents at our gateway, and our agent at strangers' gateways: the JSON messages of
// AnyProxy, as Python and Go read its document.
import assert from "node:assert/strict";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { until } from "../support/until.ts";
import { curlThrough, withBytes, withTarget } from "../tunnel/socks_curl.ts";
import { startAgent, startGateway, Told, type TunnelOptions } from "../tunnel/support.ts";
import { Anyproxy, LANGUAGES } from "./anyproxy.ts";

const MIB = 1024 * 1024;

interface At {
  gateway: GatewayServer;
  told: Told;
  agent(options?: { password?: string; forbid?: string }): Promise<Anyproxy>;
}

/** By this port, that target is reached. */
interface Way {
  socks: number;
  url: string;
}

/** Whole in both directions, one after the other and many at once. */
const TRANSFERS: { name: string; run: (way: Way) => Promise<void> }[] = [
  {
    name: "curl gets an answer",
    run: async ({ socks, url }) => assert.equal(await curlThrough(socks, url), "hello\n"),
  },
  {
    name: "4 MiB down and up arrive whole",
    run: ({ socks, url }) =>
      withBytes(4 * MIB, async (file, sha256) => {
        const down = `${file}.down`;
        try {
          assert.equal(await curlThrough(socks, "-o", down, `${url}${4 * MIB}`), "");
          assert.deepEqual(await Deno.readFile(down), await Deno.readFile(file));
        } finally {
          await Deno.remove(down);
        }
        assert.equal(await curlThrough(socks, "--data-binary", `@${file}`, url), sha256);
      }),
  },
  {
    name: "200 connections, 50 at once",
    run: async ({ socks, url }) => {
      const many = ["-Z", "--parallel-max", "50", "-H", "Connection: close", `${url}?[1-200]`];
      assert.equal(await curlThrough(socks, ...many), "hello\n".repeat(200));
    },
  },
];

for (const language of LANGUAGES) {
  const { name: tongue, test } = language;

  /** An agent of theirs at a gateway of ours. */
  const testAgent = (name: string, run: (at: At) => Promise<void>, options?: TunnelOptions) =>
    test(`anyproxy: an agent in ${tongue}: ${name}`, async (peer) => {
      const sweeper = new Sweeper(50);
      const told = new Told();
      const gateway = await startGateway({ told, sweeper }, options);
      const agent = (options = {}) =>
        Anyproxy.agent(language, peer, { port: gateway.port, ...options });
      try {
        await run({ gateway, told, agent });
        assert.deepEqual(told.bugs, []);
      } finally {
        await gateway.stop();
        sweeper.stop();
      }
    });

  for (const { name, run } of TRANSFERS) {
    testAgent(name, async ({ gateway, told, agent }) => {
      await using stranger = await agent();
      assert.equal((await stranger.event("auth_response")).success, true);
      const socks = gateway.socksPort!;
      await until("the agent", () => gateway.gateway.agents.list().length === 1);
      assert.deepEqual(told.lines, ["agent+ stranger default json"]);
      await withTarget((port) => run({ socks, url: `http://localhost:${port}/` }));
      await until("the end of all", () => gateway.gateway.connections === 0);
      assert.equal(gateway.gateway.agents.list()[0].link.streams, 0);
    });
  }

  testAgent("it pings, and is answered", async ({ agent }) => {
    await using stranger = await agent();
    for (let i = 0; i < 3; i++) {
      const { timestamp } = await stranger.event("pong");
      assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 60);
    }
  });

  testAgent("a wrong password", async ({ agent }) => {
    await using stranger = await agent({ password: "wrong" });
    assert.equal((await stranger.event("auth_response")).success, false);
    assert.equal((await stranger.event("error")).code, "AUTH_FAILED");
    await stranger.event("ended");
  });

  testAgent("a target that refuses, one that is forbidden", async ({ gateway, told, agent }) => {
    await using stranger = await agent({ forbid: "forbidden.example" });
    await stranger.event("auth_response");
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    closed.close();
    const socks = gateway.socksPort!;
    assert.match(await curlThrough(socks, `http://127.0.0.1:${closed.addr.port}/`), /^exit 97: /);
    assert.match(await curlThrough(socks, "http://forbidden.example/"), /^exit 97: .*\(2\)/);
    assert.ok(told.lines.some((line) => /^refused forbidden.example: /.test(line)));
    assert.equal(gateway.gateway.connections, 0);
  });

  testAgent("its death ends what it carries", async ({ gateway, told, agent }) => {
    const target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      await using stranger = await agent();
      await stranger.event("auth_response");
      const url = `http://127.0.0.1:${target.addr.port}/`;
      const asking = curlThrough(gateway.socksPort!, url);
      using _accepted = await target.accept();
      await until("the connection", () => told.lines.some((line) => line.startsWith("open ")));
      stranger.kill();
      assert.match(await asking, /^exit (52|56): /);
      await until("no agent", () => gateway.gateway.agents.list().length === 0);
      assert.equal(gateway.gateway.connections, 0);
    } finally {
      target.close();
    }
  });

  testAgent(
    "it is gone when it is frozen",
    async ({ gateway, agent }) => {
      await using stranger = await agent();
      await stranger.event("pong");
      assert.equal(gateway.gateway.agents.list().length, 1);
      stranger.freeze();
      await until("no agent", () => gateway.gateway.agents.list().length === 0);
      stranger.kill();
    },
    { gateway: { heartbeatMs: 500 } },
  );

  /** Our agent at a gateway of theirs. */
  const testGateway = (
    name: string,
    run: (at: { stranger: Anyproxy; told: Told; socks: number }) => Promise<void>,
  ) =>
    test(`anyproxy: a gateway in ${tongue}: ${name}`, async (peer) => {
      const sweeper = new Sweeper(50);
      const told = new Told();
      await using stranger = await Anyproxy.gateway(language, peer);
      const { port, socks } = await stranger.event("listening");
      const agent = await startAgent({ told, sweeper }, Number(port), {
        transports: ["quic", "ws", "json"],
      });
      try {
        assert.equal((await stranger.event("agent")).client_id, "one");
        await run({ stranger, told, socks: Number(socks) });
        await until("the end of all", () => agent.streams === 0);
        assert.deepEqual(told.bugs, []);
      } finally {
        await agent.stop();
        sweeper.stop();
      }
    });

  for (const { name, run } of TRANSFERS) {
    testGateway(name, async ({ told, socks }) => {
      await withTarget((port) => run({ socks, url: `http://localhost:${port}/` }));
      assert.match(told.lines[0], /^linked json instead of quic: /);
    });
  }

  testGateway("a target that is not allowed", async ({ stranger, socks }) => {
    assert.match(await curlThrough(socks, "http://127.0.0.2:9/"), /^exit 97: /);
    const { code, message } = await stranger.event("error");
    assert.deepEqual([code, message], [
      "FORBIDDEN_HOST",
      "the agent may not connect to 127.0.0.2:9",
    ]);
  });

  testGateway("its death, and its agent comes to know", async ({ stranger, told }) => {
    stranger.kill();
    await until("the end", () => told.lines.some((line) => line.startsWith("unlinked")));
  });
}
