// A server of WebSockets over HTTP/2 in which nothing is ours: node:http2 for RFC 8441, npm's ws for
// RFC 6455.
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { testCertificates } from "../support/proxy.ts";
import { wsOver } from "./ws_end.ts";

export interface NodeHttp2ServerOptions {
  /** RFC 8441 §3; default `true`. */
  enableConnectProtocol?: boolean;
  /** RFC 9113 §6.5.2; default none. */
  maxConcurrentStreams?: number;
  /** Without TLS, by prior knowledge. */
  plain?: boolean;
  /** Whether WebSockets go over HTTP/1.1 too, where ALPN chooses it. */
  allowHTTP1?: boolean;
  /** More fields of each answer. */
  fields?: Record<string, string>;
  /** Answers requests over HTTP/2 in place of what stands below. */
  take?: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;
}

/** What one request came with. */
export interface SeenRequest {
  headers: http2.IncomingHttpHeaders;
  stream: http2.ServerHttp2Stream;
}

export class NodeHttp2Server {
  readonly sessions: http2.ServerHttp2Session[] = [];
  /** Why sessions ended, as far as it is told. */
  readonly faults: string[] = [];
  readonly requests: SeenRequest[] = [];
  /** Sockets over HTTP/1.1. */
  readonly upgraded: WebSocket[] = [];
  readonly #server: http2.Http2Server | http2.Http2SecureServer;
  readonly #options: NodeHttp2ServerOptions;

  private constructor(server: http2.Http2Server, options: NodeHttp2ServerOptions) {
    this.#server = server;
    this.#options = options;
    server.on("session", (session) => {
      this.sessions.push(session);
      session.on("error", (error: Error) => this.faults.push(error.message));
      session.on("goaway", (code) => this.faults.push(`the client's GOAWAY with ${code}`));
    });
    if (options.allowHTTP1) this.#serveHttp1();
    server.on("stream", (stream, headers) => {
      this.#take(stream as http2.ServerHttp2Stream, headers);
    });
  }

  static async listen(options: NodeHttp2ServerOptions = {}): Promise<NodeHttp2Server> {
    const { enableConnectProtocol = true, maxConcurrentStreams, allowHTTP1 = false } = options;
    const settings = {
      enableConnectProtocol,
      ...(maxConcurrentStreams === undefined ? {} : { maxConcurrentStreams }),
    };
    const { certPem, keyPem } = await testCertificates();
    const server = options.plain
      ? http2.createServer({ settings })
      : http2.createSecureServer({ cert: certPem, key: keyPem, settings, allowHTTP1 });
    const made = new NodeHttp2Server(server, options);
    await new Promise<void>((resolve, reject) => {
      server.once("listening", resolve);
      // Another process may listen first at the port that the system chose.
      server.once("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "EADDRINUSE") server.listen(0, "127.0.0.1");
        else reject(error);
      });
      server.listen(0, "127.0.0.1");
    });
    return made;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** /echo echoes, /reset/N resets with code N, all else is refused by its path: /403, /body. */
  #take(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    this.requests.push({ headers, stream });
    stream.on("error", () => {});
    if (this.#options.take !== undefined) return this.#options.take(stream, headers);
    const path = headers[":path"]!;
    if (path.startsWith("/reset/")) return stream.close(Number(path.slice(7)));
    if (path.startsWith("/wait")) return;
    if (headers[":method"] === "CONNECT" && path.startsWith("/echo")) return this.#open(stream);
    const status = /^\/[1-5][0-9][0-9]$/.test(path) ? Number(path.slice(1)) : 200;
    stream.respond({ ":status": status, ...this.#options.fields });
    stream.end(`you asked for ${path}\n`);
  }

  #open(stream: http2.ServerHttp2Stream): void {
    stream.respond({ ":status": 200, ...this.#options.fields });
    const socket = wsOver(stream, { role: "server" });
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("error", () => {});
  }

  #serveHttp1(): void {
    const sockets = new WebSocketServer({ noServer: true });
    sockets.on("headers", (lines) => {
      for (const [name, value] of Object.entries(this.#options.fields ?? {})) {
        lines.push(`${name}: ${value}`);
      }
    });
    (this.#server as http2.Http2SecureServer).on("upgrade", (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (opened) => {
        this.upgraded.push(opened);
        opened.on("message", (data, isBinary) => opened.send(data, { binary: isBinary }));
        opened.on("error", () => {});
      });
    });
  }

  /** RFC 9113 §6.8: takes no more requests. */
  goaway(): void {
    for (const session of this.sessions) session.goaway();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.upgraded) socket.terminate();
    for (const session of this.sessions) session.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
