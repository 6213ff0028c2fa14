// Gateways that pass connections to each other through a real nats-server.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type * as net from "node:net";
import { Sweeper } from "../../src/net/sweeper.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { socksConnect } from "../tunnel/socks_client.ts";
import { startAgent } from "../tunnel/support.ts";
import { filesBack, openFiles } from "../tunnel/target.ts";
import { Association, udpEcho } from "../tunnel/udp.ts";
import { isIdle, isJoined, withCluster, withTarget } from "./cluster.ts";
import { makeCreds } from "./nats_creds.ts";
import type { NatsServer } from "./nats_server.ts";
import { peerTests } from "./peers.ts";

const test = peerTests("H3WS_NATS_SERVER");
const echo = (conn: net.Socket) => void conn.pipe(conn);

test("a connection at a gateway without agents goes through the one that has them", async (path) => {
  await withCluster(path, { count: 3 }, async (cluster) => {
    const { gateways: [, second], asked, told } = cluster;
    await withTarget(echo, async (port) => {
      const client = await socksConnect(second.socksPort!, "127.0.0.1", port);
      client.write("through two gateways");
      await until("the echo", () => client.text === "through two gateways");
      client.fin();
      assert.equal(await within("the end", client.ended), "fin");
      await until("nothing left", () => isIdle(cluster));
      const [here] = asked[1];
      const [there] = asked[0];
      assert.equal(here.front, "socks5");
      assert.equal(there.front, "cluster");
      assert.deepEqual(
        [there.client, there.user, there.group, there.target],
        [here.client, here.user, here.group, here.target],
      );
      assert.equal(asked[2].length, 0);
      assert.equal(told.lines.filter((line) => line.startsWith("closed")).length, 2);
    });
  });
});

test("4 MiB each way through two gateways, whole, with several at once", async (path) => {
  await withCluster(path, {}, async (cluster) => {
    const { gateways: [, second] } = cluster;
    const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)));
    const blob = Buffer.concat(Array.from({ length: 64 }, () => bytes));
    const want = createHash("sha256").update(blob).digest("hex");
    await withTarget(echo, async (port) => {
      await Promise.all([1, 2, 3].map(async () => {
        const client = await socksConnect(second.socksPort!, "127.0.0.1", port);
        client.write(blob);
        client.fin();
        assert.equal(await within("the end", client.ended), "fin");
        const got = createHash("sha256").update(Buffer.from(client.text, "latin1")).digest("hex");
        assert.equal(got, want);
      }));
    });
    await until("nothing left", () => isIdle(cluster));
  });
});

test("who reads nothing stops nobody else, and is held to its window", async (path) => {
  await withCluster(path, {}, async (cluster) => {
    const { gateways: [, second] } = cluster;
    let poured = 0;
    const take = (conn: net.Socket) => {
      conn.once("data", (first) => {
        if (first[0] !== 0x66) return void (conn.write(first), conn.pipe(conn));
        const chunk = new Uint8Array(65_536);
        const more = () => {
          while (conn.write(chunk)) poured += chunk.length;
          poured += chunk.length;
        };
        conn.on("drain", more);
        more();
      });
    };
    await withTarget(take, async (port) => {
      const stuck = await socksConnect(second.socksPort!, "127.0.0.1", port);
      stuck.pause();
      stuck.write("f");
      const other = await socksConnect(second.socksPort!, "127.0.0.1", port);
      for (let i = 1; i <= 50; i++) {
        other.write("ping.");
        await until("the echo", () => other.text.length === 5 * i);
      }
      // The windows, and what four sockets of the system hold.
      assert.ok(poured < 64 * 1024 * 1024, `${poured}`);
      stuck.reset();
      other.reset();
      await until("nothing left", () => isIdle(cluster));
    });
  });
});

test("datagrams go through two gateways", async (path) => {
  await withCluster(path, {}, async (cluster) => {
    const echo = udpEcho();
    const association = await Association.open(cluster.gateways[1].socksPort!);
    try {
      for (const size of [1, 1_200, 9_000]) {
        const data = crypto.getRandomValues(new Uint8Array(size));
        await association.send("127.0.0.1", echo.port, data);
        assert.deepEqual((await association.receive()).data, data.toReversed());
      }
      const [{ front, target }] = cluster.asked[0];
      assert.deepEqual([front, target.protocol], ["cluster", "udp"]);
    } finally {
      association.close();
      echo.close();
    }
    await until("nothing left", () => isIdle(cluster));
  });
});

test("a refusal comes back in its own words, and a reset as a reset", async (path) => {
  await withCluster(path, {}, async (cluster) => {
    const { gateways: [, second], told } = cluster;
    await assert.rejects(socksConnect(second.socksPort!, "10.1.2.3", 80), /SOCKS5 reply 2/);
    const refused = told.lines.filter((line) => line.startsWith("refused"));
    assert.equal(refused.length, 2);
    assert.equal(refused[0], refused[1]);
    await withTarget((conn) => conn.once("data", () => conn.resetAndDestroy()), async (port) => {
      const client = await socksConnect(second.socksPort!, "127.0.0.1", port);
      client.write("x");
      assert.equal(await within("the end", client.ended), "reset");
    });
    await until("nothing left", () => isIdle(cluster));
  });
});

test("an agent that moves is found where it is, and nowhere when it is gone", async (path) => {
  await withCluster(path, {}, async (cluster) => {
    const { gateways: [first, second], agent } = cluster;
    await agent.stop();
    const gone = () => second.gateway.agents.elsewhere!.find("default").length === 0;
    await until("the news", gone);
    await assert.rejects(socksConnect(second.socksPort!, "127.0.0.1", 9), /SOCKS5 reply/);
    await withTarget(echo, async (port) => {
      const sweeper = new Sweeper(50);
      const moved = await startAgent({ told: cluster.told, sweeper }, second.port);
      try {
        await until("the news", () => isJoined(first, 2));
        const client = await socksConnect(first.socksPort!, "127.0.0.1", port);
        client.write("x");
        await until("the echo", () => client.text === "x");
        client.reset();
        await until("nothing left", () => isIdle({ ...cluster, agent: moved }));
      } finally {
        await moved.stop();
        sweeper.stop();
      }
    });
  });
});

test("NATS restarted: what went through it ends by an error on both sides, what is local goes on", async (path) => {
  await withCluster(path, {}, async (cluster) => {
    const { gateways: [first, second], nats, agent } = cluster;
    await withTarget(echo, async (port) => {
      const before = openFiles();
      const local = await socksConnect(first.socksPort!, "127.0.0.1", port);
      const far = await socksConnect(second.socksPort!, "127.0.0.1", port);
      for (const client of [local, far]) {
        client.write("a");
        await until("the echo", () => client.text === "a");
      }
      await nats.kill();
      assert.equal(await within("the end", far.ended), "reset");
      await until("the end at the agent", () => agent.streams === 1);
      assert.equal(second.gateway.connections, 0);
      await assert.rejects(socksConnect(second.socksPort!, "127.0.0.1", port), /SOCKS5 reply/);
      local.write("b");
      await until("the echo", () => local.text === "ab");
      await nats.start();
      await until("the cluster", () => isJoined(first, 2) && isJoined(second, 2));
      const again = await socksConnect(second.socksPort!, "127.0.0.1", port);
      again.write("c");
      await until("the echo", () => again.text === "c");
      local.write("d");
      await until("the echo", () => local.text === "abd");
      local.reset();
      again.reset();
      await until("nothing left", () => isIdle(cluster));
      await filesBack(before);
    });
  });
});

test("NATS that stands still: the connections through it end on both sides", async (path) => {
  await withCluster(path, {}, async (cluster) => {
    const { gateways: [, second], nats, agent, news } = cluster;
    await withTarget(echo, async (port) => {
      const far = await socksConnect(second.socksPort!, "127.0.0.1", port);
      far.write("a");
      await until("the echo", () => far.text === "a");
      nats.signal("SIGSTOP");
      try {
        assert.equal(await within("the end", far.ended), "reset");
        await until("the end at the agent", () => agent.streams === 0);
        for (const told of news) assert.ok(told.some(({ type }) => type === "gone"));
      } finally {
        nats.signal("SIGCONT");
      }
      await until("the cluster", () => isJoined(second, 2));
      const again = await socksConnect(second.socksPort!, "127.0.0.1", port);
      again.write("b");
      await until("the echo", () => again.text === "b");
      again.reset();
      await until("nothing left", () => isIdle(cluster));
    });
  });
});

test("a gateway that stops: the other is told, and its connections end by an error", async (path) => {
  await withCluster(path, {}, async (cluster) => {
    const { gateways: [first, second], news } = cluster;
    await withTarget(echo, async (port) => {
      const far = await socksConnect(second.socksPort!, "127.0.0.1", port);
      far.write("a");
      await until("the echo", () => far.text === "a");
      await first.stop();
      assert.equal(await within("the end", far.ended), "reset");
      await until("the news", () => second.cluster!.gateways.length === 0);
      const gone = news[1].find(({ type }) => type === "gone");
      assert.deepEqual(gone && { ...gone, gateway: "" }, {
        type: "gone",
        gateway: "",
        reason: "it shuts down",
      });
      await until("nothing left", () => second.gateway.connections === 0);
    });
  });
});

const LOGIN = `authorization { user: gw, password: "s3cret word" }`;
const CREDS = makeCreds();

/** What each kind of login is at the server, for who may join, and for who may not. */
const LOGINS = {
  "a password": {
    config: LOGIN,
    right: (nats: NatsServer) => ({ urls: [nats.url("gw:s3cret%20word@")] }),
    wrong: (nats: NatsServer) => ({ urls: [nats.url("gw:wrong@")] }),
  },
  "a file of credentials": {
    config: CREDS.config,
    right: () => ({ creds: CREDS.user }),
    wrong: () => ({ creds: CREDS.stranger }),
  },
};

for (const [name, { config, right, wrong }] of Object.entries(LOGINS)) {
  test(`NATS asks for ${name}: the right one joins, a wrong one is told and local agents are served`, async (path) => {
    const cluster = (nats: NatsServer, i: number) => i === 2 ? wrong(nats) : right(nats);
    const options = { config, cluster, count: 3, joins: false };
    await withCluster(path, options, async ({ gateways: [first, second, third], news }) => {
      await until("the cluster", () => isJoined(first, 2) && isJoined(second, 2));
      await until("the news", () => news[2].length > 0);
      const [{ type, reason }] = news[2] as { type: string; reason: string }[];
      assert.equal(type, "lost");
      assert.match(reason, /authorization/i);
      assert.deepEqual(third.cluster!.gateways, []);
      await withTarget(echo, async (port) => {
        const client = await socksConnect(second.socksPort!, "127.0.0.1", port);
        client.write("x");
        await until("the echo", () => client.text === "x");
        client.reset();
      });
    });
  });
}

test("other names do not hear of each other", async (path) => {
  const options = { cluster: (_: NatsServer, i: number) => ({ name: `n${i}` }), joins: false };
  await withCluster(path, options, async ({ gateways, news }) => {
    await until("both", () => news.every((told) => told.some(({ type }) => type === "joined")));
    await assert.rejects(socksConnect(gateways[1].socksPort!, "127.0.0.1", 9), /SOCKS5 reply/);
    assert.deepEqual(gateways.map(({ cluster }) => cluster!.gateways), [[], []]);
  });
});
