import { forgivable } from "../endpoint/forgivable.ts";
import type { Message } from "../endpoint/message.ts";
import type { Socket } from "../endpoint/socket.ts";
import { NetError } from "../net/error.ts";
import { CloseCode, encodeClosePayload } from "../protocol/websocket/close.ts";
import { backoff } from "./backoff.ts";
import { type ConnectOptions, connectWebSocket } from "./connect.ts";
import {
  askedDelayMs,
  type Clock,
  closedWhileDown,
  endsByDefault,
  notOpened,
  openedSocket,
  type ReconnectingEnd,
  type ReconnectingOptions,
  SYSTEM_CLOCK,
} from "./reconnecting_options.ts";
import { parseTarget } from "./target.ts";
import { WaitingSends } from "./waiting_sends.ts";

export type {
  Clock,
  OpenedSocket,
  ReconnectingEnd,
  ReconnectingOptions,
} from "./reconnecting_options.ts";

/**
 * A WebSocket that comes back: it opens a connection, and another one when that is lost, after a
 * wait that grows with each failure in a row and is drawn by lot up to its bound. As with every
 * `Socket`, messages have to be read: the end of a connection is found out behind them.
 *
 * ```ts
 * import { reconnecting } from "h3ws";
 *
 * const socket = reconnecting("wss://localhost:8443/ws", {
 *   caCerts: [await Deno.readTextFile("ca.pem")],
 *   onOpen: ({ http }, attempt) => console.log("open", http, attempt), // "open" "2" 1
 *   onClose: ({ code }, delayMs) => console.log("closed", code, delayMs), // "closed" 1000 null
 *   resubscribe: (socket) => socket.send("subscribe again"),
 * });
 * await socket.send("hello"); // waits for a connection
 * for await (const data of socket) {
 *   console.log(data); // "hello"
 *   await socket.close();
 * }
 * ```
 *
 * @throws {TypeError} for a URL that is none of a WebSocket
 * @throws {RangeError} for delays that are none
 */
export function reconnecting(
  url: string | URL,
  options: ReconnectingOptions = {},
): ReconnectingSocket {
  return new ReconnectingSocket(url, options);
}

/** What `reconnecting` gives. */
export class ReconnectingSocket implements AsyncIterable<Message>, AsyncDisposable {
  /** Resolves when it is over for good, with how the last connection ended. Never rejects. */
  readonly closed: Promise<ReconnectingEnd>;

  readonly #url: URL;
  readonly #options: ReconnectingOptions;
  readonly #clock: Clock;
  readonly #delayMs: (retry: number) => number;
  readonly #waiting: WaitingSends;
  readonly #settle: (end: ReconnectingEnd) => void;
  readonly #stop = new AbortController();
  /** What `close` was given; then no other connection comes. */
  #closing: { code: number; reason: string } | null = null;
  #end: ReconnectingEnd | null = null;
  /** The connection that is read from, and whether it is sent to. */
  #socket: Socket | null = null;
  #subscribed = false;
  #opened = 0;
  #failures = 0;
  #changed = Promise.withResolvers<void>();

  /** Begins to open it; `reconnecting` is the same. */
  constructor(url: string | URL, options: ReconnectingOptions = {}) {
    parseTarget(url);
    this.#url = new URL(url);
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#delayMs = backoff(options);
    this.#waiting = new WaitingSends({
      clock: this.#clock,
      waitMs: options.sendWaitMs ?? 30_000,
      max: options.maxWaitingSends ?? 1_000,
    });
    const { promise, resolve } = Promise.withResolvers<ReconnectingEnd>();
    this.closed = promise;
    this.#settle = resolve;
    void this.#live(options.signal);
  }

  /** Whether there is a connection that `send` would take now. */
  get open(): boolean {
    return this.#subscribed && this.#socket !== null && this.#socket.open;
  }

  /** Bytes that the connection was given and has not taken yet. */
  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /**
   * Sends one message by the connection that there is, or by the next, as `whenDown` says; resolves
   * as the `send` of a `Socket` does. A message is never sent twice: where its connection is lost
   * meanwhile it rejects, and may have come there. Rejects with `NetError`, "timeout" for a wait
   * that was too long. Nobody has to wait for it, as with a `Socket`.
   */
  send(data: Message): Promise<void> {
    return forgivable(this.#send(data));
  }

  #send(data: Message): Promise<void> {
    if (this.open) return this.#socket!.send(data);
    if (this.#end !== null || this.#closing !== null) return Promise.reject(this.#over());
    if (this.#options.whenDown === "reject") {
      return Promise.reject(new NetError("lost", "Cannot send: there is no connection"));
    }
    return this.#waiting.wait(data);
  }

  #over(): NetError {
    const text = "Cannot send: the WebSocket is closed, and does not come back";
    return new NetError("aborted", text, this.#end?.error);
  }

  /**
   * The next message, of whatever connection; `null` when it is over for good or closed by `close`.
   * Rejects where it is over since there was no connection to be had.
   */
  async receive(): Promise<Message | null> {
    for (;;) {
      const { promise } = this.#changed;
      const data = this.#socket === null ? null : await this.#socket.receive();
      if (data !== null) return data;
      if (this.#closing !== null) return null;
      if (this.#end === null) await promise;
      else if (this.#end.error === undefined) return null;
      else throw this.#end.error;
    }
  }

  /** All messages, until it is over for good. To leave the loop leaves it open. */
  async *[Symbol.asyncIterator](): AsyncIterator<Message> {
    for (let data = await this.receive(); data !== null; data = await this.receive()) yield data;
  }

  /**
   * Closes the connection that there is, as the `close` of a `Socket` does, and opens no other.
   * Rejects with `RangeError` for a code that MUST NOT be sent.
   */
  async close(code: number = CloseCode.NORMAL, reason = ""): Promise<ReconnectingEnd> {
    encodeClosePayload(code, reason);
    if (this.#closing === null && this.#end === null) {
      this.#closing = { code, reason };
      this.#stop.abort();
      this.#waiting.fail(this.#over());
      void this.#socket?.close(code, reason);
      this.#wake();
    }
    return await this.closed;
  }

  /** The same, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Never rejects. */
  async #live(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => void this.close();
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      this.#finish(await this.#connections());
    } catch (error) {
      // What a hook threw.
      this.#socket?.abort();
      this.#finish(notOpened(error));
    }
    signal?.removeEventListener("abort", onAbort);
  }

  /** One after the other; gives how the last ended. */
  async #connections(): Promise<ReconnectingEnd> {
    const { maxRetries = Infinity, endsOn, onClose } = this.#options;
    for (;;) {
      if (this.#closing !== null) return closedWhileDown();
      const end = await this.#connection();
      this.#failures++;
      const byDefault = endsByDefault(end);
      const isLast = this.#closing !== null || this.#failures > maxRetries ||
        (endsOn === undefined ? byDefault : endsOn(end, byDefault));
      // The lot is drawn behind it, or all would come back at that instant.
      const askedMs = askedDelayMs(end, this.#options);
      const delayMs = isLast ? null : askedMs + this.#delayMs(this.#failures);
      onClose?.(end, delayMs);
      if (delayMs === null) return end;
      await this.#sleep(delayMs);
    }
  }

  async #connection(): Promise<ReconnectingEnd> {
    let socket: Socket;
    try {
      socket = await this.#connect();
    } catch (error) {
      return this.#closing === null ? notOpened(error) : closedWhileDown();
    }
    const openedMs = this.#clock.nowMs();
    this.#socket = socket;
    if (this.#closing !== null) void socket.close(this.#closing.code, this.#closing.reason);
    this.#wake();
    const view = openedSocket(socket);
    this.#options.onOpen?.(view, this.#failures + 1);
    const failed = await this.#subscribe(socket, view);
    const end = await socket.closed;
    this.#socket = null;
    this.#subscribed = false;
    this.#wake();
    const { stableMs = 60_000 } = this.#options;
    if (this.#clock.nowMs() - openedMs >= stableMs) this.#failures = 0;
    return failed === null ? end : { ...end, ...failed };
  }

  #connect(): Promise<Socket> {
    const { connect = connectWebSocket, ...options } = this.#options;
    const given: ConnectOptions = { ...options, signal: this.#stop.signal };
    return connect(this.#url, given);
  }

  /** Resolves when it is done or the socket has ended; gives what it threw, if that ends the socket. */
  async #subscribe(
    socket: Socket,
    view: ReturnType<typeof openedSocket>,
  ): Promise<{ error: unknown } | null> {
    const { resubscribe } = this.#options;
    const isFirst = this.#opened++ === 0;
    const work = async () => {
      if (!isFirst) await resubscribe?.(view);
      return null;
    };
    const failed = await Promise.race([
      work().catch((error: unknown) => socket.open ? { error } : null),
      socket.closed.then(() => null),
    ]);
    if (failed !== null) void socket.close(CloseCode.INTERNAL_ERROR);
    else if (socket.open) {
      this.#subscribed = true;
      this.#waiting.flush((data) => socket.send(data));
    }
    return failed;
  }

  /** Until then, or `close`. */
  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const cancel = this.#clock.after(ms, wake);
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    signal.removeEventListener("abort", wake);
    cancel();
  }

  #finish(end: ReconnectingEnd): void {
    this.#end = end;
    this.#waiting.fail(this.#over());
    this.#wake();
    this.#settle(end);
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}
