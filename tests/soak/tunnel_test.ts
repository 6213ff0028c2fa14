// What lasts, and what is much, through a tunnel.
import assert from "node:assert/strict";
import type * as net from "node:net";
import process from "node:process";
import { type SocksClient, socksConnect } from "../tunnel/socks_client.ts";
import { withTunnel } from "../tunnel/support.ts";
import { isIdle, pour, withTarget } from "../tunnel/target.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"] } as const;
const MIB = 2 ** 20;
const TRANSFERS = 50;
const TRANSFER_BYTES = MIB;
const [MIN_ROUNDS, MAX_ROUNDS] = [3, 15];

/** Gives as many bytes as it is asked for by "g", pours at "p", and reads nothing behind "n". */
function serve(conn: net.Socket): void {
  conn.once("data", (asked: Uint8Array) => {
    const what = String.fromCharCode(asked[0]);
    if (what === "g") conn.end(new Uint8Array(TRANSFER_BYTES));
    if (what === "p") pour(conn);
    if (what === "n") conn.pause();
  });
}

interface Spent {
  /** Of this process: both ends of the tunnel, and the test. */
  cpuMs: number;
  ms: number;
}

/** What all transfers take. */
async function transfers(socksPort: number, port: number): Promise<Spent> {
  const startedMs = performance.now();
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
  return { cpuMs: (spent.user + spent.system) / 1000, ms: performance.now() - startedMs };
}

/** The value in the middle. */
function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Runs it beside two clients and two targets that never read. */
async function besideStuck<T>(
  { socksPort, port, conns }: { socksPort: number; port: number; conns: Set<net.Socket> },
  run: () => Promise<T>,
): Promise<T> {
  const stuck: SocksClient[] = [];
  for (const what of ["p", "p", "n", "n"]) {
    const client = await socksConnect(socksPort, "127.0.0.1", port, "count");
    client.pause();
    client.write(what);
    if (what === "n") client.write(new Uint8Array(32 * MIB));
    stuck.push(client);
  }
  await until("the targets", () => conns.size === stuck.length);
  const given = await run();
  for (const client of stuck) client.reset();
  // A reset behind bytes that nobody takes is not seen before they are taken.
  for (const conn of conns) conn.resume();
  await until("their end", () => conns.size === 0);
  return given;
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`tunnel by ${name}: 50 transfers lose nothing beside clients and targets that never read`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      const socksPort = tunnel.gateway.socksPort!;
      await withTarget(serve, async (port, conns) => {
        const round = () => transfers(socksPort, port);
        await round();
        const [cpu, time]: [number[], number[]] = [[], []];
        // Whoever doesn't read costs nothing: the same work takes no more than 1 / 0.8 of it. What
        // else the machine does holds up one round or another of either kind, not most of one.
        const isLevel = () => middle(cpu) <= 1 / 0.8 && middle(time) <= 1 / 0.8;
        while (cpu.length < MIN_ROUNDS || (!isLevel() && cpu.length < MAX_ROUNDS)) {
          const alone = await round();
          const beside = await besideStuck({ socksPort, port, conns }, async () => {
            // Meanwhile they fill what they may: windows, and buffers of the system.
            await round();
            return await round();
          });
          cpu.push(beside.cpuMs / alone.cpuMs);
          time.push(beside.ms / alone.ms);
        }
        assert.ok(isLevel(), `CPU: ${cpu}; time: ${time}`);
        await until("nothing left", () => isIdle(tunnel));
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
}
