import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { run } from "../../src/cli/args.ts";
import { benchCommand } from "../../src/cli/bench.ts";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";
import type { LoadReport } from "../../src/cli/load.ts";
import { serve } from "../../src/cli/serve.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { TestIo, withEcho, withFolder } from "./support.ts";

/** Runs `h3ws bench` in this process. */
export async function bench(...args: string[]) {
  const io = new TestIo();
  const code = await run(["bench", ...args], { commands: [benchCommand] }, io);
  return { code, out: io.stdout, err: io.stderr };
}

/** The same with `--json`. */
export async function benchJson(...args: string[]): Promise<{ code: number; report: LoadReport }> {
  const { code, out, err } = await bench("--json", ...args);
  assert.equal(err, "");
  return { code, report: JSON.parse(out) };
}

/** What a test has of a proxy with all doors before an echo. */
export interface Served {
  /** Of the doors by TLS and QUIC. */
  port: number;
  /** Of the door in the clear. */
  plainPort: number;
  /** The file of the CA. */
  ca: string;
  pair: Certificates;
  /** For more files. */
  folder: string;
}

/** A proxy before the echo of `h3ws echo`, with more of its flags; CA stands for the file of the CA. */
export async function withServed(
  flags: Record<string, string>,
  body: (served: Served) => Promise<void>,
  hosts: readonly string[] = ["localhost", "127.0.0.1"],
): Promise<void> {
  const pair = await makeCertificates({ hosts: [...hosts], days: 1, client: "alice" });
  await withFolder(async (folder) => {
    const ca = `${folder}/ca.pem`;
    await Deno.writeTextFile(ca, pair.caPem);
    const more = Object.entries(flags).map(([flag, text]) => [flag, text === "CA" ? ca : text]);
    await withEcho(async ({ url: backend }) => {
      const config = readProxyConfig({
        ...{ backend, listen: "127.0.0.1:0", metrics: "off" },
        ...{ "log-level": "off", "plain-listen": "127.0.0.1:0" },
        ...Object.fromEntries(more),
      });
      const serving = await serve(config, { pair });
      try {
        const { port, plainPort } = serving.proxy;
        await body({ port, plainPort: plainPort ?? 0, ca, pair, folder });
      } finally {
        await serving.drain(0);
      }
    });
  });
}

/** A server of npm `ws`, for a load of it. */
export interface SocketServer {
  readonly url: string;
  /** That each socket came with. */
  readonly headers: IncomingHttpHeaders[];
  /** Answers 503 from now on. */
  refuse(): void;
}

/** One whose sockets do what a test says; `index` is how many came before. */
export async function withSockets(
  serve: (socket: WebSocket, index: number) => void,
  body: (server: SocketServer) => Promise<void>,
): Promise<void> {
  const http = createServer();
  const server = new WebSocketServer({ noServer: true, handleProtocols: () => "chat" });
  const headers: IncomingHttpHeaders[] = [];
  let refuses = false;
  http.on("upgrade", (request, socket, head) => {
    if (refuses) return void socket.end("HTTP/1.1 503 Full\r\ncontent-length: 0\r\n\r\n");
    server.handleUpgrade(request, socket, head, (socket) => {
      headers.push(request.headers);
      serve(socket, headers.length - 1);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  try {
    const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`;
    await body({ url, headers, refuse: () => refuses = true });
  } finally {
    for (const socket of server.clients) socket.terminate();
    server.close();
    http.closeAllConnections();
    await new Promise<void>((resolve) => http.close(() => resolve()));
  }
}

/** Sends back what comes. */
export function echo(socket: WebSocket): void {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
}
