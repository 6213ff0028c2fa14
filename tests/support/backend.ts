// A backend that says what a test says, right or wrong: TCP, TLS or a unix socket below it.
import * as net from "node:net";
import * as tls from "node:tls";
import { sha1 } from "../../src/net/sha1.ts";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { fromLatin1, Inbox, type SeenFrame } from "./inbox.ts";
import { within } from "./within.ts";

export interface RawBackendOptions {
  unixPath?: string;
  tls?: Pick<tls.TlsOptions, "cert" | "key" | "ALPNProtocols" | "ALPNCallback">;
}

/** Listens on a free port of 127.0.0.1; each connection is scripted by the test. */
export class RawBackend {
  readonly #server: net.Server;
  readonly connections: BackendConn[] = [];
  readonly #unixPath: string | undefined;
  readonly #raw: net.Socket[] = [];
  #taken = 0;
  #wake: (() => void) | null = null;

  private constructor(options: RawBackendOptions) {
    this.#unixPath = options.unixPath;
    const take = (socket: net.Socket) => {
      this.connections.push(new BackendConn(socket));
      this.#wake?.();
    };
    // What is not read stays with the sender; a FIN of the proxy's is told apart from its close.
    const ways = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true };
    if (options.tls === undefined) {
      this.#server = net.createServer(ways, take);
    } else {
      // A TLS server reads its sockets as it likes.
      this.#server = tls.createServer({ allowHalfOpen: true, noDelay: true, ...options.tls }, take);
      this.#server.on("tlsClientError", () => {});
      // Half open, one whose handshake fails would outlast it.
      this.#server.on("connection", (socket) => this.#raw.push(socket));
    }
  }

  static async listen(options: RawBackendOptions = {}): Promise<RawBackend> {
    const backend = new RawBackend(options);
    const server = backend.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      if (options.unixPath !== undefined) server.listen(options.unixPath, resolve);
      else server.listen(0, "127.0.0.1", resolve);
    });
    return backend;
  }

  /** 0 for a unix socket. */
  get port(): number {
    return this.#unixPath === undefined ? (this.#server.address() as net.AddressInfo).port : 0;
  }

  /** The next connection in the order they came. */
  async accept(): Promise<BackendConn> {
    if (this.connections.length === this.#taken) {
      await within(
        "a connection to the backend",
        new Promise<void>((resolve) => this.#wake = resolve),
      );
    }
    return this.connections[this.#taken++];
  }

  /** Takes the next connection and its request, and answers 101. */
  async upgrade(lines: readonly string[] = [], rest?: Uint8Array): Promise<BackendConn> {
    const conn = await this.accept();
    await conn.request();
    conn.upgrade(lines, rest);
    return conn;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all(this.connections.map((conn) => conn.destroy()));
    for (const socket of this.#raw) socket.destroy();
    await within("the backend's close", closed);
  }
}

/** The head of an upgrade request. */
export interface SeenRequest {
  method: string;
  target: string;
  /** In order, names in lower case. */
  fields: Field[];
  /** As it came. */
  text: string;
  get(name: string): string | null;
}

export class BackendConn {
  readonly socket: net.Socket;
  readonly inbox: Inbox;
  #request: SeenRequest | null = null;
  #error: Error | null = null;
  readonly #closed: Promise<void>;

  constructor(socket: net.Socket) {
    this.socket = socket;
    this.inbox = new Inbox("from the proxy at the backend", () => this.#read());
    socket.on("error", (error) => this.#error = error);
    this.#closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  #read(): Promise<Uint8Array | null> {
    const { socket } = this;
    return new Promise((resolve, reject) => {
      const settle = () => {
        const chunk: Uint8Array | null = socket.read();
        if (chunk === null && !socket.readableEnded && this.#error === null && !socket.destroyed) {
          return;
        }
        for (const name of ["readable", "end", "error", "close"]) socket.off(name, settle);
        if (chunk !== null) resolve(new Uint8Array(chunk));
        else if (socket.readableEnded) resolve(null);
        else reject(this.#error ?? new Error("The connection is closed"));
      };
      for (const name of ["readable", "end", "error", "close"]) socket.on(name, settle);
      settle();
    });
  }

  /** The request's head. */
  async request(): Promise<SeenRequest> {
    return this.#request ??= parseRequest(await this.inbox.takeUpTo("\r\n\r\n"));
  }

  /** Bytes, or latin1 text, as they are. */
  write(data: Uint8Array | string): void {
    this.socket.write(typeof data === "string" ? fromLatin1(data) : data);
  }

  /** A right 101 for the request that was read, more field lines in it, `rest` in one packet. */
  upgrade(lines: readonly string[] = [], rest: Uint8Array = new Uint8Array(0)): void {
    const key = this.#request?.get("sec-websocket-key") ?? "";
    const head = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${acceptFor(key, sha1)}`,
      ...lines,
    ];
    this.write(concat([fromLatin1(`${head.join("\r\n")}\r\n\r\n`), rest]));
  }

  frame(): Promise<SeenFrame | null> {
    return this.inbox.frame();
  }

  /** Takes nothing more in, so that the kernel's buffers fill up: TLS would read on by itself. */
  stopReading(): void {
    // What a TLS socket reads from, or itself.
    const socket = this.socket as unknown as { _parent?: unknown; _handle?: unknown };
    for (const { _handle } of [socket, (socket._parent ?? {}) as typeof socket]) {
      (_handle as { readStop?: () => void } | undefined)?.readStop?.();
    }
  }

  /** FIN; the connection goes on being read. */
  fin(): void {
    this.socket.end();
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Ends the connection and waits until it is gone. */
  async destroy(): Promise<void> {
    this.socket.destroy();
    await within("the end of a connection at the backend", this.#closed);
  }
}

function parseRequest(text: string): SeenRequest {
  const [line, ...lines] = text.split("\r\n").slice(0, -2);
  const [method, target] = line.split(" ");
  const fields = lines.map((line): Field => {
    const at = line.indexOf(":");
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
  });
  const get = (name: string) => fields.find((field) => field[0] === name)?.[1] ?? null;
  return { method, target, fields, text, get };
}
