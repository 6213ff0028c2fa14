import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { CloseCode, MAX_CONTROL_PAYLOAD, WebSocketError } from "../protocol/websocket/close.ts";
import { MessageDecoder, type MessageEvent } from "../protocol/websocket/decoder.ts";
import { encodeClose, encodeFrame } from "../protocol/websocket/encoder.ts";
import { Opcode } from "../protocol/websocket/opcode.ts";
import type { DeflateParameters } from "../protocol/websocket/permessage_deflate.ts";

/** One message: a string for text, bytes for binary. */
export type Message = string | Uint8Array;

/** How a WebSocket ended, as the WHATWG `CloseEvent` has it. */
export interface SocketEnd {
  /** The code of the peer's Close; 1005 for one without, 1006 when there was none. */
  code: number;
  /** Why, as the peer says; for 1006 as this side saw it. */
  reason: string;
  /** Whether both sides sent a Close. */
  wasClean: boolean;
  /** Whose Close or fault came first; "lost" where the stream broke or its end was no Close. */
  by: "us" | "peer" | "lost";
}

/** Pings of a socket's own, which find out that its peer is gone. */
export interface Keepalive {
  /** A Ping goes after so long without a byte from the peer; 0 for none. */
  pingIntervalMs: number;
  /** How long anything may take to come behind it; then the socket ends with 1006. */
  pongTimeoutMs: number;
}

/** What a socket is made of, once the handshake is done. */
export interface SocketOptions {
  /** Which side this is: a client masks what it sends, a server demands it (RFC 6455 §5.1). */
  role: "client" | "server";
  /** The bytes of the WebSocket, both ways. */
  stream: ByteStream;
  /** The HTTP version that carries it. */
  http: "1.1" | "2" | "3";
  /** What the server chose; empty for none. */
  protocol: string;
  /** The extensions that were negotiated; empty for none. */
  extensions: string;
  /** The fields that the peer sent with the handshake. */
  fields: readonly (readonly [string, string])[];
  /** Payload of one frame; above it the socket is closed with 1009. */
  maxFrameBytes: number;
  /** Payload of one message over all its frames; above it as well. */
  maxMessageBytes: number;
  /** permessage-deflate as it was negotiated; none if left out. */
  deflate?: DeflateParameters;
  /** None if left out. */
  keepalive?: Keepalive;
  /** The timer that many sockets share. */
  sweeper?: Sweeper;
  /** Called for each Pong with its payload. */
  onPong?: (payload: Uint8Array) => void;
  /** Called for each Ping with its payload, when it is answered. */
  onPing?: (payload: Uint8Array) => void;
}

/** How long `close` waits for the peer's Close. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * An open WebSocket, on either side. It is read by pulling: `receive`, or `for await`; Pings are
 * answered while it is read, and a peer that sends more than is read is stopped by backpressure.
 */
export class Socket implements AsyncIterable<Message> {
  /** The HTTP version that carries it. */
  readonly http: "1.1" | "2" | "3";
  /** The subprotocol that was chosen; empty for none. */
  readonly protocol: string;
  /** The extensions that were chosen, as the server's answer has them; empty for none. */
  readonly extensions: string;
  /** The header fields that the peer sent with the handshake; names in lower case. */
  readonly fields: readonly (readonly [string, string])[];
  /** Resolves once the socket has ended, whoever ended it; it is read to its end to see that. */
  readonly closed: Promise<SocketEnd>;

  readonly #role: "client" | "server";
  readonly #stream: ByteStream;
  readonly #decoder: MessageDecoder;
  readonly #onPong: (payload: Uint8Array) => void;
  readonly #onPing: (payload: Uint8Array) => void;
  #end: SocketEnd | null = null;
  #settle!: (end: SocketEnd) => void;
  #sentClose = false;
  #buffered = 0;
  #pings = 0;
  readonly #awaited = new Map<string, { sentMs: number; came: (ms: number) => void }>();
  #readable: ReadableStream<Message> | null = null;
  #writable: WritableStream<Message> | null = null;
  #reading: Promise<unknown> = Promise.resolve();

  /** A socket on a stream whose handshake is done; `connectWebSocket` makes them. */
  constructor(options: SocketOptions) {
    const { stream, maxFrameBytes, maxMessageBytes } = options;
    this.#role = options.role;
    this.http = options.http;
    this.protocol = options.protocol;
    this.extensions = options.extensions;
    this.fields = options.fields;
    this.#stream = stream;
    this.#onPong = options.onPong ?? (() => {});
    this.#onPing = options.onPing ?? (() => {});
    this.#decoder = new MessageDecoder({
      masked: options.role === "server",
      maxFrameBytes,
      maxMessageBytes,
    });
    this.closed = new Promise((resolve) => this.#settle = resolve);
  }

  /**
   * Sends one message, text for a string, and resolves when there is room for the next.
   * Rejects with `NetError` when the socket is closed or lost.
   */
  async send(data: Message): Promise<void> {
    if (this.#sentClose || this.#end !== null) {
      throw new NetError("aborted", "Cannot send: the WebSocket is closed");
    }
    const text = typeof data === "string";
    const payload = text ? new TextEncoder().encode(data) : data;
    this.#buffered += payload.length;
    const opcode = text ? Opcode.TEXT : Opcode.BINARY;
    await this.#stream.write(encodeFrame({ opcode, payload, maskKey: this.#maskKey() }));
    this.#buffered -= payload.length;
  }

  /** Payload bytes that `send` was given and that the stream has not taken yet. */
  get bufferedAmount(): number {
    return this.#buffered;
  }

  /**
   * Sends a Ping and gives the milliseconds until its Pong came, while the socket is read. Throws
   * `RangeError` for more than 125 bytes (RFC 6455 §5.5). Without a payload it has one of its own.
   */
  async ping(payload: Uint8Array = this.#ownPing()): Promise<number> {
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      throw new RangeError(`Cannot send a Ping of ${payload.length} bytes: it takes 125`);
    }
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#awaited.set(String(payload), { sentMs: performance.now(), came: resolve });
    await this.#stream.write(
      encodeFrame({ opcode: Opcode.PING, payload, maskKey: this.#maskKey() }),
    );
    return await Promise.race([
      promise,
      this.closed.then(({ reason }) => Promise.reject(new NetError("aborted", reason))),
    ]);
  }

  /** RFC 6455 §5.5.3: a Pong that nobody asked for. Throws `RangeError` for more than 125 bytes. */
  async pong(payload: Uint8Array = new Uint8Array(0)): Promise<void> {
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      throw new RangeError(`Cannot send a Pong of ${payload.length} bytes: it takes 125`);
    }
    await this.#stream.write(
      encodeFrame({ opcode: Opcode.PONG, payload, maskKey: this.#maskKey() }),
    );
  }

  #ownPing(): Uint8Array {
    return new TextEncoder().encode(`ping ${++this.#pings}`);
  }

  /** The next message, or `null` when the socket has ended (`closed` tells how). */
  receive(): Promise<Message | null> {
    const next = this.#reading.then(() => this.#receive());
    this.#reading = next.catch(() => {});
    return next;
  }

  /** All messages, until the socket has ended. */
  async *[Symbol.asyncIterator](): AsyncIterator<Message> {
    for (let data = await this.receive(); data !== null; data = await this.receive()) yield data;
  }

  async #receive(): Promise<Message | null> {
    while (this.#end === null) {
      try {
        const event = this.#decoder.next();
        if (event === null) {
          await this.#read();
          continue;
        }
        const data = await this.#take(event);
        if (data !== null) return data;
      } catch (error) {
        await this.#fail(error);
      }
    }
    return null;
  }

  async #read(): Promise<void> {
    const chunk = await this.#stream.read();
    if (chunk !== null) return this.#decoder.push(chunk);
    this.#decoder.end();
    this.#finish({
      code: CloseCode.ABNORMAL_CLOSURE,
      reason: "the stream ended without Close",
      wasClean: false,
      by: "lost",
    });
  }

  async #take(event: MessageEvent): Promise<Message | null> {
    switch (event.type) {
      case "text":
      case "binary":
        return event.data;
      case "ping":
        // RFC 6455 §5.5.2: a Pong in answer, unless a Close was sent already.
        if (!this.#sentClose) {
          const { payload } = event;
          await this.#stream.write(
            encodeFrame({ opcode: Opcode.PONG, payload, maskKey: this.#maskKey() }),
          );
          this.#onPing(payload);
        }
        return null;
      case "pong":
        this.#awaited.get(String(event.payload))?.came(
          performance.now() - this.#awaited.get(String(event.payload))!.sentMs,
        );
        this.#awaited.delete(String(event.payload));
        this.#onPong(event.payload);
        return null;
      case "close":
        await this.#answerClose(event.code, event.reason);
        return null;
      case "extended":
        throw new Error("No extension was negotiated");
    }
  }

  async #answerClose(code: number, reason: string): Promise<void> {
    const by = this.#sentClose ? "us" : "peer";
    if (!this.#sentClose) {
      this.#sentClose = true;
      await this.#stream.write(encodeClose(code, "", this.#maskKey())).catch(() => {});
    }
    this.#finish({ code, reason, wasClean: true, by });
  }

  async #fail(error: unknown): Promise<void> {
    if (error instanceof WebSocketError) {
      if (!this.#sentClose) {
        this.#sentClose = true;
        await this.#stream.write(encodeClose(error.code, error.message, this.#maskKey())).catch(
          () => {},
        );
      }
    } else if (!(error instanceof Error)) {
      throw error;
    }
    this.#finish({
      code: CloseCode.ABNORMAL_CLOSURE,
      reason: error.message,
      wasClean: false,
      by: error instanceof WebSocketError ? "us" : "lost",
    });
  }

  #finish(end: SocketEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#settle(end);
    this.#stream.closeWrite().catch(() => {}).finally(() => this.#stream.abort());
  }

  /**
   * Sends a Close and waits for the peer's, reading past what still comes; gives up after 5 s.
   * Code 1005 sends a Close without a code. Throws `RangeError` for a code that MUST NOT be sent
   * (RFC 6455 §7.4.1); then the socket is still open.
   */
  async close(code: number = CloseCode.NORMAL, reason = ""): Promise<SocketEnd> {
    const frame = encodeClose(code, reason, this.#maskKey());
    if (!this.#sentClose && this.#end === null) {
      this.#sentClose = true;
      await this.#stream.write(frame).catch(() => {});
    }
    const timer = setTimeout(() => this.abort("no Close in answer"), CLOSE_TIMEOUT_MS);
    try {
      while (await this.receive() !== null);
    } finally {
      clearTimeout(timer);
    }
    return await this.closed;
  }

  /** Ends the stream at once, without a Close. */
  abort(reason = "aborted"): void {
    if (this.#end === null) {
      this.#end = { code: CloseCode.ABNORMAL_CLOSURE, reason, wasClean: false, by: "us" };
      this.#settle(this.#end);
    }
    this.#stream.abort();
  }

  /** The messages as a stream: to cancel it closes the socket. */
  get readable(): ReadableStream<Message> {
    return this.#readable ??= new ReadableStream<Message>({
      pull: async (controller) => {
        const data = await this.receive();
        if (data === null) controller.close();
        else controller.enqueue(data);
      },
      cancel: async () => void await this.close(),
    }, { highWaterMark: 0 });
  }

  /** Sends what is written: to close or abort it closes the socket. */
  get writable(): WritableStream<Message> {
    return this.#writable ??= new WritableStream<Message>({
      write: (data) => this.send(data),
      close: async () => void await this.close(),
      abort: async () => void await this.close(),
    });
  }

  /** RFC 6455 §5.3: fresh for each frame, and nothing that could be foreseen; none at a server. */
  #maskKey(): Uint8Array | undefined {
    return this.#role === "client" ? crypto.getRandomValues(new Uint8Array(4)) : undefined;
  }
}
