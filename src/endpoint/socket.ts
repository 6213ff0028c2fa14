import type { ByteStream } from "../net/byte_stream.ts";
import { messageOf, NetError } from "../net/error.ts";
import { CloseCode, encodeClosePayload, WebSocketError } from "../protocol/websocket/close.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { Deadline } from "./deadline.ts";
import { Deflater, sendingWay } from "./deflate.ts";
import { type ControlEvent, type Inbox, inboxOf } from "./inbox.ts";
import { keepAlive } from "./keepalive.ts";
import type { Message } from "./message.ts";
import type { CloseOptions, SocketEnd, SocketOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { Pings } from "./pings.ts";
import { readableOf, writableOf } from "./streams.ts";

export type { Message } from "./message.ts";
export type { CloseOptions, SocketEnd, SocketOptions } from "./options.ts";

/** How long `close` waits for the peer's Close. */
const CLOSE_TIMEOUT_MS = 5_000;

/** How long a side whose Close was answered may take to end its stream. */
const LINGER_MS = 2_000;

/** How long the next message of a stream that has broken is kept for who does not take it. */
const UNREAD_MS = 30_000;

/**
 * An open WebSocket, on either side. Messages are pulled: by `receive`, by `for await` or from
 * `readable`. It reads one message ahead of that, so Pings are answered, Pongs and the end are seen
 * while nobody reads, as long as no message waits; a peer that sends more is stopped by
 * backpressure, and heard again when the message is taken.
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
  /**
   * Resolves once the socket has ended and its stream is free, whoever ended it. While a message
   * waits nothing is read: HTTP/2 tells of a stream or a connection that is over, HTTP/3 of a
   * connection, all else a write that fails, as of a Ping. Then the next message is kept for 30 s.
   */
  readonly closed: Promise<SocketEnd>;

  readonly #role: "client" | "server";
  readonly #stream: ByteStream;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #pings: Pings;
  readonly #onPong: (payload: Uint8Array) => void;
  readonly #onPing: (payload: Uint8Array) => void;
  readonly #stopPings: () => void;
  readonly #deadline = new Deadline();
  #settle!: (end: SocketEnd) => void;
  /** Resolves or rejects with our Close, once there is one to send. */
  #closing: Promise<void> | null = null;
  #end: SocketEnd | null = null;
  #isBroken = false;
  #freed = false;
  #readable: ReadableStream<Message> | null = null;
  #writable: WritableStream<Message> | null = null;

  /** A socket on a stream whose handshake is done; `connectWebSocket` makes them. */
  constructor(options: SocketOptions) {
    const { role, stream, sweeper } = options;
    ({ http: this.http, protocol: this.protocol, extensions: this.extensions } = options);
    ({ role: this.#role, stream: this.#stream, fields: this.fields } = options);
    this.#onPong = options.onPong ?? (() => {});
    this.#onPing = options.onPing ?? (() => {});
    this.closed = new Promise((resolve) => this.#settle = resolve);
    this.#outbox = new Outbox({
      stream,
      masks: role === "client",
      deflater: options.deflate ? new Deflater(sendingWay(role, options.deflate)) : null,
      onBroken: (error) => this.#broken(error),
    });
    this.#pings = new Pings(this.#outbox);
    this.#inbox = inboxOf(options, {
      onControl: (event) => this.#control(event),
      onEnd: (error) => this.#ended(error),
    });
    stream.onLost = (error) => this.#broken(error);
    this.#stopPings = keepAlive(options.keepalive, {
      ...{ sweeper, inbox: this.#inbox },
      ping: () => void this.#pings.send().catch(() => {}),
      probe: () => this.#outbox.probe(),
      lost: (reason) => this.#lost(reason),
    });
    this.#inbox.read();
  }

  /**
   * Sends one message, text for a string, and resolves when there is room for the next; until then
   * its bytes must not be changed. Messages go in the order of the calls, a large one in several
   * frames. Rejects with `TypeError` for what is no message, and with `NetError` when the socket is
   * closed or lost: nobody has to wait for that, nor for that of `ping` and `pong`.
   */
  send(data: Message): Promise<void> {
    return this.#outbox.send(data);
  }

  /** Whether `send` takes messages: no side has sent a Close, and it has not ended. */
  get open(): boolean {
    return this.#end === null && this.#closing === null;
  }

  /** Bytes of messages that `send` was given and the stream has not taken yet. */
  get bufferedAmount(): number {
    return this.#outbox.buffered;
  }

  /**
   * Sends a Ping and gives the milliseconds until its Pong, heard as long as no message waits to be
   * read. Its payload is its own if none is given. Rejects with `RangeError` for more than 125 bytes
   * (RFC 6455 §5.5), with `NetError` when the socket ends before.
   */
  ping(payload?: Uint8Array): Promise<number> {
    return this.#pings.send(payload);
  }

  /**
   * Sends a Pong that nobody asked for (RFC 6455 §5.5.3). Rejects with `RangeError` for more than
   * 125 bytes, with `NetError` when the socket is closed or lost.
   */
  pong(payload: Uint8Array = new Uint8Array(0)): Promise<void> {
    return this.#outbox.unasked(payload);
  }

  /**
   * The next message, or `null` when the socket has ended (`closed` tells how) or is being closed
   * by `close`.
   */
  receive(): Promise<Message | null> {
    return this.#inbox.receive();
  }

  /**
   * From the next frame on messages may have so many bytes, each of their frames as well: for a peer
   * that may say more once it is known.
   */
  limitMessages(maxMessageBytes: number): void {
    this.#inbox.limitMessages(maxMessageBytes);
  }

  /** All messages, until the socket has ended. To leave the loop leaves the socket open. */
  async *[Symbol.asyncIterator](): AsyncIterator<Message> {
    for (let data = await this.receive(); data !== null; data = await this.receive()) yield data;
  }

  /** The messages as a stream, beside which nothing else reads. To cancel it closes the socket. */
  get readable(): ReadableStream<Message> {
    return this.#readable ??= readableOf(this);
  }

  /** Sends what is written. To close or to abort it closes the socket. */
  get writable(): WritableStream<Message> {
    return this.#writable ??= writableOf(this);
  }

  /**
   * Sends a Close, behind all that was sent before, and waits for the peer's for 5 s; messages that
   * still come are dropped, if `options` do not keep them. Code 1005 sends a Close without a code.
   * Rejects with `RangeError` for a code that MUST NOT be sent (RFC 6455 §7.4.1), as 1006 is; then
   * the socket is still open.
   */
  async close(
    code: number = CloseCode.NORMAL,
    reason = "",
    options: CloseOptions = {},
  ): Promise<SocketEnd> {
    encodeClosePayload(code, reason);
    if (this.#end === null && this.#closing === null) this.#sendClose(code, reason);
    if (this.#end === null && !options.keepMessages) this.#inbox.close();
    return await this.closed;
  }

  /** Ends the stream at once, without a Close. */
  abort(reason = "aborted"): void {
    this.#decide({ code: CloseCode.ABNORMAL_CLOSURE, reason, wasClean: false, by: "us" });
    this.#inbox.drop();
    this.#free();
  }

  #sendClose(code: number, reason = ""): Promise<void> {
    this.#closing = this.#outbox.close(code, reason);
    this.#awaitClose();
    this.#closing.then(() => this.#end === null && this.#awaitClose(), () => {});
    return this.#closing;
  }

  /** As long as what goes before our Close gets on, there is no hurry. */
  #awaitClose(): void {
    const [{ written }, { messages }] = [this.#outbox, this.#inbox];
    this.#deadline.set(CLOSE_TIMEOUT_MS, () => {
      const isHeldUp = this.#inbox.stalled || this.#inbox.messages !== messages;
      const isBehind = this.#end === null && isHeldUp;
      if (isBehind) this.#inbox.close();
      if (isBehind || this.#outbox.written !== written) this.#awaitClose();
      else this.abort("no Close in answer");
    });
  }

  #control(event: ControlEvent): void {
    if (event.type === "ping") {
      this.#outbox.pong(event.payload);
      return this.#onPing(event.payload);
    }
    if (event.type === "close") return void this.#answer(event.code, event.reason);
    this.#pings.came(event.payload);
    this.#onPong(event.payload);
  }

  /** RFC 6455 §5.5.1: a Close is answered by a Close, with its code. */
  async #answer(code: number, reason: string): Promise<void> {
    const by = this.#closing === null ? "peer" : "us";
    const drained = this.#inbox.drain();
    const closing = this.#closing ?? this.#sendClose(code);
    const end = { code, reason, wasClean: false, by } as const;
    this.#decide(end);
    await closing.then(() => this.#end = { ...end, wasClean: true }, () => {});
    await this.#part(drained);
  }

  /** RFC 6455 §7.1.7: the peer broke a rule, and is told so before the stream ends. */
  async #fail(code: number, reason: string): Promise<void> {
    const drained = this.#inbox.drain();
    this.#decide({ code, reason, wasClean: false, by: "us" });
    this.#deadline.set(LINGER_MS, () => this.#free());
    await this.#outbox.fail(code, reason).catch(() => {});
    await this.#part(drained);
  }

  /** RFC 6455 §7.1.1: the server ends the stream first, and both read to its end. */
  async #part(drained: Promise<void>): Promise<void> {
    if (this.#freed) return;
    this.#deadline.set(LINGER_MS, () => this.#free());
    if (this.#role === "client") await drained;
    if (this.#freed) return;
    await this.#stream.closeWrite().catch(() => {});
    await drained;
    this.#free();
  }

  /** The stream has ended or broken, or brought what breaks a rule. */
  #ended(error: unknown): void {
    if (error === null) return void this.#left();
    if (error instanceof WebSocketError) return void this.#fail(error.code, error.message);
    if (error instanceof NetError || error instanceof PeerError) return this.#lost(error.message);
    // What `onPing` or `onPong` threw, or a bug.
    void this.#fail(CloseCode.INTERNAL_ERROR, messageOf(error));
  }

  /** The peer has ended the stream, and gets what is on its way before ours ends. */
  async #left(): Promise<void> {
    const by = this.#closing === null ? "lost" : "us";
    const reason = "the stream ended without Close";
    this.#decide({ code: CloseCode.ABNORMAL_CLOSURE, reason, wasClean: false, by });
    this.#inbox.stop();
    this.#outbox.stop();
    await this.#part(Promise.resolve());
  }

  /** The stream has broken, as far as can be told; a Close that says why may be there to be read. */
  #broken(error: Error): void {
    if (this.#end !== null || this.#isBroken) return;
    this.#isBroken = true;
    this.#awaitRest(error);
  }

  /** As long as messages are taken there is no hurry. */
  #awaitRest(error: Error): void {
    const { stalled, messages } = this.#inbox;
    this.#deadline.set(stalled ? UNREAD_MS : LINGER_MS, () => {
      const goesOn = !stalled || this.#inbox.messages !== messages;
      if (this.#inbox.stalled && goesOn) this.#awaitRest(error);
      else this.#lost(error.message);
    });
  }

  #lost(reason: string): void {
    const by = this.#closing === null ? "lost" : "us";
    this.#decide({ code: CloseCode.ABNORMAL_CLOSURE, reason, wasClean: false, by });
    this.#free();
  }

  /** It ends once: who comes first says how. */
  #decide(end: SocketEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#pings.end(new NetError("aborted", "The WebSocket has ended before the Pong"));
    this.#stopPings();
  }

  /** Nothing is left of it but how it ended. */
  #free(): void {
    if (this.#freed || this.#end === null) return;
    this.#freed = true;
    this.#deadline.clear();
    this.#outbox.stop();
    this.#inbox.stop();
    this.#stream.abort();
    this.#settle(this.#end);
  }
}
