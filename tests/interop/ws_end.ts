// npm's ws at one end of a WebSocket: by HTTP/1.1 as it does by itself, or on a stream of HTTP/2 or
// HTTP/3, where all rules of RFC 6455 and RFC 7692 are its own.
import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { type RawData, WebSocket } from "ws";
import * as ws from "ws";
import type { Message } from "../../src/endpoint/message.ts";
import { until } from "../support/until.ts";
import { Arrivals, type Came, type CameOf, type SendForm, type TheirEnd } from "./ends.ts";

const MAX_PAYLOAD = 64 * 1024 * 1024;
const CLOSE_TIMEOUT_MS = 30_000;

/** What ws has and its types have not. */
interface Inner {
  _isServer: boolean;
  _protocol: string;
  _extensions: Record<string, Deflate>;
  _socket: Duplex;
  setSocket(stream: Duplex, head: Uint8Array, options: object): void;
}

type Parameters = Record<string, unknown>;

interface Deflate {
  offer(): Parameters;
  accept(parameters: unknown): Parameters;
}

const { PerMessageDeflate, extension } = ws as unknown as {
  PerMessageDeflate: new (options: { isServer: boolean; threshold: number }) => Deflate;
  extension: {
    format(extensions: Record<string, Parameters | Parameters[]>): string;
    parse(field: string): Record<string, Parameters[]>;
  };
};
const DEFLATE = "permessage-deflate";

/** permessage-deflate, as ws agrees on it where no upgrade of HTTP/1.1 does so. */
export class WsDeflate {
  readonly inner: Deflate;

  constructor(role: "client" | "server") {
    this.inner = new PerMessageDeflate({ isServer: role === "server", threshold: 0 });
  }

  /** The value of Sec-WebSocket-Extensions, as a client offers it. */
  offer(): string {
    return extension.format({ [DEFLATE]: this.inner.offer() });
  }

  /** Takes what the other side said; gives the answer, as a server says it. */
  accept(field: string): string {
    return extension.format({ [DEFLATE]: [this.inner.accept(extension.parse(field)[DEFLATE])] });
  }
}

export interface WsOverOptions {
  role: "client" | "server";
  protocol?: string;
  /** As it was agreed on. */
  deflate?: WsDeflate;
}

/** A WebSocket on a stream whose handshake is over. */
export function wsOver(stream: Duplex, { role, protocol = "", deflate }: WsOverOptions): WebSocket {
  const options = { autoPong: true, closeTimeout: CLOSE_TIMEOUT_MS };
  const socket = new WebSocket(null as unknown as string, undefined, options);
  const inner = socket as unknown as Inner;
  inner._isServer = role === "server";
  inner._protocol = protocol;
  if (deflate !== undefined) inner._extensions[DEFLATE] = deflate.inner;
  const maxPayload = MAX_PAYLOAD;
  const limits = { allowSynchronousEvents: true, maxPayload, skipUTF8Validation: false };
  inner.setSocket(Object.assign(stream, { setNoDelay() {} }), Buffer.alloc(0), limits);
  return socket;
}

export interface WsSeen {
  headers: Headers;
  path?: string;
  /** Resets the stream, where ws can't. */
  reset?: () => void;
}

export class WsEnd implements TheirEnd {
  readonly socket: WebSocket;
  readonly headers: Headers;
  readonly path: string;
  readonly #reset: () => void;
  #received = 0;
  readonly #came: Arrivals<Came> = new Arrivals<Came>("at npm:ws");

  constructor(socket: WebSocket, { headers, path = "", reset }: WsSeen) {
    this.socket = socket;
    this.headers = headers;
    this.path = path;
    this.#reset = reset ?? (() => socket.terminate());
    const tell = (came: Came) => this.#came.put(came);
    if (socket.readyState === WebSocket.OPEN) this.#count();
    else socket.once("open", () => this.#count());
    socket.on("message", (data: RawData, isBinary) => {
      const bytes = new Uint8Array(data as Uint8Array);
      const message = isBinary ? bytes : new TextDecoder().decode(bytes);
      tell({ type: "message", data: message, received: this.#received });
    });
    socket.on("ping", (data) => tell({ type: "ping", data: data.toString() }));
    socket.on("pong", (data) => tell({ type: "pong", data: data.toString() }));
    socket.on("close", (code, reason) => tell({ type: "close", code, reason: reason.toString() }));
    // A close comes behind it.
    socket.on("error", () => {});
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  get deflate(): boolean {
    return this.socket.extensions === DEFLATE;
  }

  #count(): void {
    this.#stream.on("data", ({ length }: Uint8Array) => this.#received += length);
  }

  get #stream(): Duplex {
    return (this.socket as unknown as Inner)._socket;
  }

  send(data: Message, { fragments = 1, ping }: SendForm = {}): void {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    const size = Math.ceil(bytes.length / fragments);
    for (let i = 0; i < fragments; i++) {
      const part = bytes.slice(i * size, (i + 1) * size);
      this.socket.send(part, { binary: typeof data !== "string", fin: i === fragments - 1 });
      if (i === 0 && ping !== undefined) this.socket.ping(ping);
    }
  }

  ping(data: string): void {
    this.socket.ping(data);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }

  async raw(bytes: Uint8Array): Promise<void> {
    await until("what ws sends to be with the stream", () => this.socket.bufferedAmount === 0);
    this.#stream.write(Buffer.from(bytes));
  }

  fin(): void {
    this.#stream.end();
  }

  abort(): void {
    this.#reset();
  }

  expect<T extends Came["type"]>(type: T): Promise<CameOf<T>> {
    return this.#came.expect(type) as Promise<CameOf<T>>;
  }
}
