// A backend on npm:ws, which does what a test says.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { type RawData, type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { within } from "./within.ts";

export type WsMessage = string | Uint8Array;

/** Listens on a free port of 127.0.0.1; each socket is scripted by the test. */
export class WsBackend implements AsyncDisposable {
  readonly #http = createServer();
  readonly #server: WebSocketServer;
  readonly #sockets = new Queue<WsPeer>();

  private constructor(options: ServerOptions) {
    this.#server = new WebSocketServer({ server: this.#http, ...options });
    this.#server.on("connection", (socket, request) => {
      this.#sockets.put(new WsPeer(socket, request));
    });
  }

  static async listen(options: ServerOptions = {}): Promise<WsBackend> {
    const backend = new WsBackend(options);
    await new Promise<void>((resolve) => backend.#http.listen(0, "127.0.0.1", resolve));
    return backend;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** The next socket in the order they came. */
  accept(): Promise<WsPeer> {
    return within("a WebSocket at the backend", this.#sockets.take());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    await closed;
  }
}

/** One socket at the backend. */
export class WsPeer {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  /** How it ended: 1006 without a Close. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #messages = new Queue<WsMessage>();

  constructor(socket: WebSocket, request: IncomingMessage) {
    this.socket = socket;
    this.request = request;
    socket.on("error", () => {});
    socket.on("message", (data: RawData, isBinary: boolean) => {
      const bytes = data as Uint8Array;
      this.#messages.put(isBinary ? new Uint8Array(bytes) : new TextDecoder().decode(bytes));
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** The next message. */
  message(): Promise<WsMessage> {
    return within("a message at the backend", this.#messages.take());
  }
}

/** What came, in its order. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  }

  take(): Promise<T> {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift()!);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
