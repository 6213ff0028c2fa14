// A backend on node:http and npm:ws that says who it is in everything that it answers.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import type { Field } from "../../src/protocol/wire/field.ts";

/** What came with an ordinary request, or with the handshake of a socket. */
export interface NamedRequest {
  readonly backend: string;
  readonly method: string;
  readonly url: string;
  readonly body: string;
  /** Names in lower case. */
  readonly fields: readonly Field[];
}

export interface NamedOptions {
  /** Default 127.0.0.1. */
  hostname?: string;
  port?: number;
  /** Of the answers to ordinary requests; default 200. */
  status?: number;
  /** More header fields of these answers, and of the 101. */
  answer?: readonly Field[];
}

/**
 * Answers every request with what it was, as JSON, and every message of a WebSocket with its name,
 * a space and the message. Counts what it has.
 */
export class NamedBackend implements AsyncDisposable {
  readonly name: string;
  readonly requests: NamedRequest[] = [];
  /** How its sockets ended. */
  readonly closes: { code: number; reason: string }[] = [];
  /** TCP connections that came, and those that are open. */
  connections = 0;
  readonly open = new Set<Socket>();
  /** Of the answers to ordinary requests. */
  status: number;
  readonly #answer: readonly Field[];
  #closed = false;
  readonly #http = createServer((request, response) => void this.#serve(request, response));
  readonly #server = new WebSocketServer({ server: this.#http });

  private constructor(name: string, { status = 200, answer = [] }: NamedOptions) {
    this.name = name;
    this.status = status;
    this.#answer = answer;
    this.#http.on("connection", (socket: Socket) => {
      this.connections++;
      this.open.add(socket);
      socket.once("close", () => this.open.delete(socket));
    });
    this.#server.on("headers", (lines: string[]) => {
      lines.push(...answer.map(([name, value]) => `${name}: ${value}`));
    });
    this.#server.on("connection", (socket, request) => this.#take(socket, request));
  }

  static async listen(name: string, options: NamedOptions = {}): Promise<NamedBackend> {
    const backend = new NamedBackend(name, options);
    const { hostname = "127.0.0.1", port = 0 } = options;
    await new Promise<void>((resolve, reject) => {
      backend.#http.once("error", reject);
      backend.#http.listen(port, hostname, resolve);
    });
    return backend;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** Its open WebSockets. */
  get sockets(): number {
    return this.#server.clients.size;
  }

  #take(socket: WebSocket, request: IncomingMessage): void {
    this.requests.push(this.#seen(request, ""));
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => {
      if (isBinary) socket.send(data);
      else socket.send(`${this.name} ${new TextDecoder().decode(data as Uint8Array)}`);
    });
    socket.once("close", (code, reason) => this.closes.push({ code, reason: reason.toString() }));
  }

  async #serve(
    request: IncomingMessage,
    response: { writeHead(status: number, fields: string[]): unknown; end(body: string): unknown },
  ): Promise<void> {
    let body = "";
    try {
      for await (const part of request) body += new TextDecoder("latin1").decode(part);
    } catch {
      return;
    }
    const seen = this.#seen(request, body);
    this.requests.push(seen);
    const text = JSON.stringify(seen);
    response.writeHead(this.status, [
      ...["content-length", String(text.length), "content-type", "application/json"],
      ...this.#answer.flat(),
    ]);
    response.end(text);
  }

  #seen({ method = "", url = "", rawHeaders }: IncomingMessage, body: string): NamedRequest {
    const fields: Field[] = [];
    for (let i = 0; i < rawHeaders.length; i += 2) {
      fields.push([rawHeaders[i].toLowerCase(), rawHeaders[i + 1]]);
    }
    return { backend: this.name, method, url, body, fields };
  }

  /** Breaks every connection off. */
  drop(): void {
    for (const socket of this.#server.clients) socket.terminate();
    for (const socket of this.open) socket.destroy();
  }

  /** Is there no more; again does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.drop();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
