// A server in a process of its own for hostile clients, by whose path handlers echo, stall, flood or
// throw. Its first line of output says where it listens; `/stats` says how it is.
import { setTimeout as pause } from "node:timers/promises";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { serve, type WebSocketHandler } from "../../src/mod.ts";
import { look } from "./handlers_process.ts";

/** What the process says of itself, all garbage collected. */
export interface HostileStats {
  /** Of V8's heap, and with what it holds outside of it. */
  heapBytes: number;
  descriptors: number;
  sockets: number;
  connections: number;
  /** Sockets that have opened, and records of their ends. */
  opened: number;
  closed: number;
  /** Handlers that go on. */
  running: number;
}

const FLOOD = new Uint8Array(70_000);
let opened = 0;
let closed = 0;
let running = 0;

const behave: WebSocketHandler = async (request) => {
  if (request.path === "/throw") throw new Error("as it was asked for");
  if (request.path === "/reject") return request.reject(403, {}, "no");
  const socket = await request.accept();
  switch (request.path) {
    case "/pipe":
      return await socket.readable.pipeTo(socket.writable).catch(() => {});
    case "/stall":
      // Whoever takes nothing at all learns of the end 30 s behind it.
      await pause(300);
      break;
    case "/flood":
      for (;;) await socket.send(FLOOD);
  }
  for await (const message of socket) await socket.send(message);
};

const handler: WebSocketHandler = async (request) => {
  running++;
  try {
    await behave(request);
  } finally {
    running--;
  }
};

async function main(): Promise<void> {
  const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const server = await serve({
    ...{ listen: "127.0.0.1:0", plainListen: "127.0.0.1:0", certPem, keyPem },
    ...{ permessageDeflate: true, maxSockets: 2_000 },
    log: { info() {}, warning() {}, error() {} },
    observer: { socketOpened: () => void opened++, socketClosed: () => void closed++ },
    fetch: async (request) => {
      if (!request.url.endsWith("/stats")) return new Response(`${(await request.text()).length}`);
      const { sockets: { size: sockets }, connections } = server;
      return Response.json({ ...await look(), sockets, connections, opened, closed, running });
    },
  }, handler);
  // deno-lint-ignore no-console
  console.log(JSON.stringify({ port: server.port, plainPort: server.plainPort, caPem }));
}

if (import.meta.main) await main();
