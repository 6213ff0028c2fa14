// What breaks, and what each side is told then: nothing that was acknowledged is lost without a
// word, and nothing is left.
import assert from "node:assert/strict";
import type * as net from "node:net";
import { socketsHeldTo } from "../support/held_sockets.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { pour, socksConnect } from "../tunnel/socks_client.ts";
import { withTunnel } from "../tunnel/support.ts";
import { filesBack, isIdle, openFiles, pourOrEcho, withTarget } from "../tunnel/target.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;

/** Waits until a count of what was taken stays what it is. */
async function stands(count: () => number): Promise<void> {
  let seen = -1;
  let sinceMs = performance.now();
  await until("a transfer that stands", () => {
    if (count() !== seen) sinceMs = performance.now();
    seen = count();
    return seen > 0 && performance.now() - sinceMs > 1_000;
  });
}

/** Declares a test of what the JSON messages do not know: half-close, and credit. */
function testFlow(name: string, title: string, run: () => Promise<void>): void {
  if (name !== "json") Deno.test(`tunnel by ${name}: ${title}`, run);
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`tunnel by ${name}: a target that resets is no end of stream for the client`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget(() => {}, async (port, conns) => {
        const before = openFiles();
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        await until("the target", () => conns.size === 1);
        client.write("x");
        const [conn] = conns;
        await within("data", new Promise((resolve) => conn.once("data", resolve)));
        conn.resetAndDestroy();
        const ended = await within("the end", client.ended);
        assert.equal(ended, "reset");
        await until("nothing left", () => isIdle(tunnel));
        await filesBack(before);
      });
    });
  });

  Deno.test(`tunnel by ${name}: a client that resets ends the target's connection`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget(() => {}, async (port, conns) => {
        const before = openFiles();
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        await until("the target", () => conns.size === 1);
        client.reset();
        await until("the target's end", () => conns.size === 0);
        await until("nothing left", () => isIdle(tunnel));
        await filesBack(before);
      });
    });
  });

  testFlow(name, "a client that resets behind bytes that its target never reads", async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget((conn) => conn.pause(), async (port, conns) => {
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        await until("the target", () => conns.size === 1);
        await stands(client.pour());
        client.reset();
        await until("nothing left", () => isIdle(tunnel));
        assert.match(tunnel.told.lines.join("\n"), /^closed client: .*reset/im);
      });
    });
  });

  testFlow(name, "a target that resets behind bytes that its client never reads", async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget(() => {}, async (port, conns) => {
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        client.pause();
        await until("the target", () => conns.size === 1);
        const [conn] = conns;
        await stands(pour(conn));
        conn.resetAndDestroy();
        await until("nothing left", () => isIdle(tunnel));
        assert.match(tunnel.told.lines.join("\n"), /^agent closed target: .*reset/im);
      });
    });
  });

  testFlow(name, "who has ended its side and then resets is not waited for", async () => {
    await withTunnel({ transports }, async (tunnel) => {
      const ended = Promise.withResolvers<void>();
      const take = (conn: net.Socket) => void conn.resume().on("end", ended.resolve);
      await withTarget(take, async (port) => {
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        client.fin();
        await within("FIN", ended.promise);
        client.reset();
        await until("nothing left", () => isIdle(tunnel));
      });
    });
  });

  testFlow(name, "half-close goes both ways", async () => {
    await withTunnel({ transports }, async (tunnel) => {
      // Answers what came once the client has ended its side.
      const take = (conn: net.Socket) => {
        let got = "";
        conn.on("data", (bytes) => got += bytes);
        conn.on("end", () => conn.end(`got ${got}`));
      };
      await withTarget(take, async (port) => {
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        client.write("all of it");
        client.fin();
        assert.equal(await within("the end", client.ended), "fin");
        assert.equal(client.text, "got all of it");
        await until("nothing left", () => isIdle(tunnel));
      });
    });
  });

  Deno.test(`tunnel by ${name}: an agent that goes resets its connections, and comes back`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget((conn) => conn.pipe(conn), async (port) => {
        const before = openFiles();
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        client.write("x");
        await until("the echo", () => client.text === "x");
        const [link] = tunnel.agent.links;
        link.close("a test ends it");
        assert.equal(await within("the end", client.ended), "reset");
        await until("the next link", () => tunnel.gateway.gateway.agents.list().length === 1);
        const again = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        again.write("y");
        await until("the echo", () => again.text === "y");
        again.fin();
        await within("the end", again.ended);
        await until("nothing left", () => isIdle(tunnel));
        await filesBack(before);
      });
    });
  });

  testFlow(name, "who reads nothing stops nobody else", async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget(pourOrEcho, async (port) => {
        const stuck = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        stuck.pause();
        stuck.write("p");
        const other = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        for (let i = 0; i < 50; i++) {
          const want = other.text.length + 5;
          other.write("echo.");
          await until("the echo", () => other.text.length >= want);
        }
        stuck.reset();
        other.reset();
        await until("nothing left", () => isIdle(tunnel));
      });
    });
  });
}

for (const [name, transports] of Object.entries({ quic: ["quic"], ws: ["ws"] } as const)) {
  Deno.test(`tunnel by ${name}: who has ended its way and then goes takes the target's connection along`, async () => {
    await withTunnel({ transports }, async ({ gateway: { gateway } }) => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const accepted = listener.accept();
      const connection = await gateway.open({
        ...{ front: "route", client: "", user: "", group: "default" },
        target: { protocol: "tcp", host: "127.0.0.1", port },
      });
      const target = await accepted;
      await connection.stream.closeWrite();
      // Its end comes, and nothing else for as long as the target says nothing.
      assert.equal(await target.read(new Uint8Array(1)), null);
      connection.stream.abort("gone");
      const end = { by: "client", reason: "gone", bytesToTarget: 0, bytesToClient: 0 } as const;
      gateway.release(connection, end);
      await until("the end of the agent's socket", () => socketsHeldTo(port) === 0);
      target.close();
    });
  });
}
