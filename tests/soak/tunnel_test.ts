// What lasts, and what is much, through a tunnel.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type * as net from "node:net";
import process from "node:process";
import { curlThrough } from "../tunnel/socks_curl.ts";
import { socksConnect } from "../tunnel/socks_client.ts";
import { withTunnel } from "../tunnel/support.ts";
import { isIdle, withTarget } from "../tunnel/target.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"] } as const;
const MIB = 2 ** 20;
const TRANSFERS = 50;
const TRANSFER_BYTES = MIB;

/** Pours as long as somebody takes it. */
function pour(conn: net.Socket): void {
  const bytes = new Uint8Array(64 * 1024);
  const more = () => {
    while (!conn.destroyed && conn.write(bytes));
  };
  conn.on("drain", more);
  more();
}

/** Gives as many bytes as it is asked for by "g", pours at "p", and reads nothing behind "n". */
function serve(conn: net.Socket): void {
  conn.once("data", (asked: Uint8Array) => {
    const what = String.fromCharCode(asked[0]);
    if (what === "g") conn.end(new Uint8Array(TRANSFER_BYTES));
    if (what === "p") pour(conn);
    if (what === "n") conn.pause();
  });
}

/** CPU milliseconds of this process, both ends of the tunnel and the test, for all transfers. */
async function transfers(socksPort: number, port: number): Promise<number> {
  const { user, system } = process.cpuUsage();
  await within(
    "the transfers",
    Promise.all(Array.from({ length: TRANSFERS }, async () => {
      const client = await socksConnect(socksPort, "127.0.0.1", port, "count");
      client.write("g");
      assert.equal(await client.ended, "fin");
      assert.equal(client.bytes, TRANSFER_BYTES);
      client.fin();
    })),
    60_000,
  );
  const spent = process.cpuUsage({ user, system });
  return (spent.user + spent.system) / 1000;
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`tunnel by ${name}: 50 transfers lose nothing beside clients and targets that never read`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      const socksPort = tunnel.gateway.socksPort!;
      await withTarget(serve, async (port, conns) => {
        await transfers(socksPort, port);
        const alone: number[] = [];
        while (alone.length < 3) alone.push(await transfers(socksPort, port));
        const stuck = [];
        for (const what of ["p", "p", "n", "n"]) {
          const client = await socksConnect(socksPort, "127.0.0.1", port, "count");
          client.pause();
          client.write(what);
          if (what === "n") client.write(new Uint8Array(32 * MIB));
          stuck.push(client);
        }
        await until("the targets", () => conns.size === stuck.length);
        // Whoever doesn't read costs nothing: the same work takes no more than 1 / 0.8 of it. What
        // else goes on in the machine only adds to it.
        const most = Math.min(...alone) / 0.8;
        const beside: number[] = [];
        do beside.push(await transfers(socksPort, port)); while (
          beside.at(-1)! > most && beside.length < 10
        );
        assert.ok(beside.at(-1)! <= most, `CPU ms: alone ${alone}, beside ${beside}`);
        for (const client of stuck) client.reset();
        // A reset behind bytes that nobody takes is not seen before they are taken.
        for (const conn of conns) conn.resume();
        await until("nothing left", () => isIdle(tunnel) && conns.size === 0);
      });
    });
  });

  Deno.test(`tunnel by ${name}: 10,000 connects at once: who is over the limit is told, the rest live`, async () => {
    const limit = 200;
    const gateway = { maxConnections: limit };
    await withTunnel({ transports, gateway }, async (tunnel) => {
      const socksPort = tunnel.gateway.socksPort!;
      await withTarget((conn) => conn.pipe(conn), async (port, conns) => {
        const { gateway } = tunnel.gateway;
        const ask = async () => {
          try {
            const connection = await gateway.open({
              ...{ front: "route", client: "", user: "", group: "default" },
              target: { protocol: "tcp", host: "127.0.0.1", port },
            });
            return connection;
          } catch (error) {
            return String(error);
          }
        };
        const asked = await within(
          "all answers",
          Promise.all(Array.from({ length: 10_000 }, ask)),
          60_000,
        );
        const open = asked.filter((answer) => typeof answer !== "string");
        assert.equal(open.length, limit);
        const refused = new Set(asked.filter((answer) => typeof answer === "string"));
        assert.deepEqual([...refused], ["TunnelRefused: the gateway has all it can carry"]);
        for (const connection of open) {
          await connection.stream.write(Uint8Array.of(1));
          assert.deepEqual(await connection.stream.read(), Uint8Array.of(1));
          connection.stream.abort("over");
          const end = { by: "client", reason: "over", bytesToTarget: 1, bytesToClient: 1 } as const;
          gateway.release(connection, end);
        }
        await until("nothing left", () => isIdle(tunnel) && conns.size === 0);
        const client = await socksConnect(socksPort, "127.0.0.1", port);
        client.reset();
        await until("nothing left", () => isIdle(tunnel));
      });
    });
  });

  Deno.test(`tunnel by ${name}: curl carries 256 MiB down and up, whole, in flat memory`, async () => {
    const size = 256 * MIB;
    await withTunnel({ transports }, async (tunnel) => {
      await withHttp(size, async (port, sha256) => {
        const file = await Deno.makeTempFile();
        const highest = watchMemory();
        try {
          const url = `http://localhost:${port}/`;
          const socksPort = tunnel.gateway.socksPort!;
          assert.equal(await curlThrough(socksPort, "--max-time", "60", "-o", file, url), "");
          assert.equal(await hashOf(file), sha256);
          assert.equal(await curlThrough(socksPort, "--max-time", "60", "-T", file, url), sha256);
        } finally {
          await Deno.remove(file);
        }
        const grown = highest() / MIB;
        assert.ok(grown < 128, `${grown} MiB more`);
        await until("nothing left", () => isIdle(tunnel));
      });
    });
  });
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  const { readable } = await Deno.open(file);
  for await (const chunk of readable) hash.update(chunk);
  return hash.digest("hex");
}

/** Gives so many bytes, or the SHA-256 of what it gets. */
async function withHttp(
  size: number,
  run: (port: number, sha256: string) => Promise<void>,
): Promise<void> {
  const piece = crypto.getRandomValues(new Uint8Array(64 * 1024));
  const want = createHash("sha256");
  for (let at = 0; at < size; at += piece.length) want.update(piece);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      if (request.method === "PUT") {
        const hash = createHash("sha256");
        for await (const chunk of request.body!) hash.update(chunk);
        return new Response(hash.digest("hex"));
      }
      let left = size;
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(piece.slice());
            left -= piece.length;
            if (left === 0) controller.close();
          },
        }),
      );
    },
  );
  try {
    await run(server.addr.port, want.digest("hex"));
  } finally {
    await server.shutdown();
  }
}

/** How much this process has grown at most since it was called, in bytes; stops by asking. */
function watchMemory(): () => number {
  const before = Deno.memoryUsage().rss;
  let highest = before;
  const timer = setInterval(() => highest = Math.max(highest, Deno.memoryUsage().rss), 50);
  return () => {
    clearInterval(timer);
    return highest - before;
  };
}
