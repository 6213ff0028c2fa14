// A server in a process of its own, whose memory and descriptors are nobody else's. Its first line of
// output says where it listens; `/stats` in clear text says how it is.
import { setTimeout as pause } from "node:timers/promises";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { serve, type WebSocketHandler } from "../../src/mod.ts";

/** What the process says of itself, all garbage collected. */
export interface HandlersStats {
  /** Of V8's heap, and with what it holds outside of it. */
  heapBytes: number;
  descriptors: number;
  sockets: number;
  connections: number;
  /** How many sockets ended so, by whom and with which code: "peer 4001". */
  ends: Record<string, number>;
  /** Sockets that have opened, and those of them that have not exactly one record of their end. */
  opened: number;
  odd: number;
}

/** The parts of each reply. */
export const PARTS = 3;
/** What its handler returns for. */
export const LAST = "last";

/** How often each socket has ended, by its number. */
const records = new Map<number, number>();
const ends: Record<string, number> = {};
let gathered = 0;
let all = Promise.withResolvers<void>();

/** Resolves when so many are here at once. */
async function gather(count: number): Promise<void> {
  const { promise, resolve } = all;
  if (++gathered === count) {
    gathered = 0;
    all = Promise.withResolvers();
    resolve();
  }
  await promise;
}

/** Says who it is; answers each message in parts, with others in between, the first with all others. */
const handler: WebSocketHandler = async (request) => {
  const { who, count } = Object.fromEntries(new URLSearchParams(request.queryString));
  let isFirst = true;
  const socket = await request.accept({ protocol: request.subprotocols[0] });
  await socket.send(`${who} over ${request.httpVersion}`);
  for await (const message of socket) {
    if (message === LAST) return;
    for (let part = 0; part < PARTS; part++) {
      await pause(Math.random() * 10);
      await socket.send(`${who}: ${message}, ${part}`);
      if (isFirst) await gather(Number(count));
      isFirst = false;
    }
  }
};

async function main(): Promise<void> {
  const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const server = await serve({
    ...{ listen: "127.0.0.1:0", plainListen: "127.0.0.1:0", certPem, keyPem },
    ...{ maxSockets: 1000, maxConnections: 1010, maxStreams: 256 },
    observer: {
      socketOpened: ({ id }) => void records.set(id, 0),
      socketClosed({ id, by, code }) {
        records.set(id, (records.get(id) ?? 0) + 1);
        ends[`${by} ${code}`] = (ends[`${by} ${code}`] ?? 0) + 1;
      },
    },
    fetch: async () => {
      const stats = await look();
      const { sockets: { size: sockets }, connections } = server;
      const odd = [...records.values()].filter((count) => count !== 1).length;
      return Response.json({
        ...stats,
        sockets,
        connections,
        ends,
        opened: records.size,
        odd,
      });
    },
  }, handler);
  const { port, plainPort } = server;
  // deno-lint-ignore no-console
  console.log(JSON.stringify({ port, plainPort, caPem }));
}

/** What it holds, all garbage collected. */
export async function look() {
  const { gc } = globalThis as unknown as { gc(): void };
  // What a collection frees may, once finalized, free more.
  for (let i = 0; i < 3; i++) {
    gc();
    await pause(1);
  }
  const { heapUsed, external } = Deno.memoryUsage();
  const descriptors = [...Deno.readDirSync("/proc/self/fd")].length;
  return { heapBytes: heapUsed + external, descriptors };
}

if (import.meta.main) await main();
