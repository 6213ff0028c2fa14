// A thousand handlers at once in one server, by each version: every one of them has its own client,
// ends once, and leaves nothing behind.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { type HandlersStats, LAST, PARTS } from "./handlers_process.ts";
import { type Place, type ServerProcess, startServerProcess } from "./server_process.ts";

type Process = ServerProcess<HandlersStats>;

const SOCKETS = 1000;
/** That bring the process to its working size: what is compiled, and what is kept for the next. */
const WARM_UP = 300;
/** As the process has it. */
const STREAMS = 256;
const AT_ONCE = 50;
const MESSAGES = ["one", "two", "three"];
const KIB = 1024;
const PATIENCE_MS = 60_000;

interface Version {
  http: "1.1" | "2" | "3";
  url: (place: Place) => string;
  /** How many connections so many sockets take. */
  carriers: (sockets: number) => number;
}

const VERSIONS: readonly Version[] = [
  { http: "1.1", url: ({ plainPort }) => `ws://127.0.0.1:${plainPort}`, carriers: (all) => all },
  ...(["2", "3"] as const).map((http) => ({
    http,
    url: ({ port }: Place) => `wss://localhost:${port}`,
    carriers: (sockets: number) => Math.ceil(sockets / STREAMS),
  })),
];

async function openAll(
  process: Process,
  { http, url }: Version,
  { count, connections }: { count: number; connections: Connections },
): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const options = { httpVersion: http, connections, caCerts: [process.caPem], protocols: ["chat"] };
  await someAtOnce(count, async (id) => {
    const at = `${url(process)}/?who=${http}-${id}&count=${count}`;
    sockets[id] = await connectWebSocket(at, options);
  });
  return sockets;
}

/** Does it for each number below `count`. What has a time of its own is not begun for all at once. */
async function someAtOnce(count: number, work: (id: number) => Promise<void>): Promise<void> {
  let next = 0;
  const some = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}

/** All that one handler says, and nothing of any other's. */
async function talk(socket: Socket, who: string): Promise<void> {
  const { http } = socket;
  assert.equal(await socket.receive(), `${who} over ${http}`);
  for (const message of MESSAGES) await socket.send(message);
  for (const message of MESSAGES) {
    for (let part = 0; part < PARTS; part++) {
      assert.equal(await socket.receive(), `${who}: ${message}, ${part}`);
    }
  }
}

/** One half closes, the other is closed by its handlers. */
async function closeAll(sockets: readonly Socket[]): Promise<void> {
  await someAtOnce(sockets.length, async (i) => {
    const socket = sockets[i];
    if (i % 2 === 0) return assert.equal((await socket.close(4001, "enough")).code, 4001);
    await socket.send(LAST);
    assert.equal(await socket.receive(), null);
    assert.deepEqual(await socket.closed, { code: 1000, reason: "", wasClean: true, by: "peer" });
  });
}

/** Opens, talks and closes; gives what the process held meanwhile. */
async function round(process: Process, version: Version, count: number): Promise<HandlersStats> {
  using connections = new Connections();
  const { carriers } = version;
  const sockets = await openAll(process, version, { count, connections });
  const talks = sockets.map((socket, i) => talk(socket, `${version.http}-${i}`));
  await within("all that they say", Promise.all(talks), PATIENCE_MS);
  // One more asks.
  const open = await settled(process, { sockets: count, connections: carriers(count) + 1 });
  await closeAll(sockets);
  return open;
}

/** How it is once it is so: what went before may still be ending. */
async function settled(process: Process, want: Partial<HandlersStats>): Promise<HandlersStats> {
  let stats = await process.stats();
  const keys = Object.keys(want) as (keyof HandlersStats)[];
  await until(JSON.stringify(want), async () => {
    stats = await process.stats();
    return keys.every((key) => stats[key] === want[key]);
  });
  return stats;
}

/** Nothing is open but what asks. */
const REST = { sockets: 0, connections: 1 };

for (const version of VERSIONS) {
  Deno.test(`soak: ${SOCKETS} handlers at once over HTTP/${version.http}, and what each of them holds`, async () => {
    await using process = await startServerProcess<HandlersStats>("handlers_process.ts");
    await round(process, version, WARM_UP);
    const before = await settled(process, REST);
    const open = await round(process, version, SOCKETS);
    const after = await settled(process, { ...REST, descriptors: before.descriptors });

    const opened = WARM_UP + SOCKETS;
    assert.deepEqual([after.opened, after.odd], [opened, 0]);
    assert.deepEqual(after.ends, { "peer 4001": opened / 2, "us 1000": opened / 2 });

    const held = open.heapBytes - before.heapBytes;
    const left = after.heapBytes - before.heapBytes;
    const kib = (bytes: number) => `${(bytes / KIB).toFixed(1)} KiB`;
    // deno-lint-ignore no-console
    console.log(
      `HTTP/${version.http}: heap ${kib(held / SOCKETS)} a socket, left of all ${kib(left)}; ` +
        `descriptors ${before.descriptors} -> ${open.descriptors} -> ${after.descriptors}`,
    );
    assert.ok(left < held / 10, `${kib(left)} are left of ${kib(held)}`);
  });
}
