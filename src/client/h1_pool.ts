// RFC 9112 §9.3: connections to one HTTP/1.1 server that are used again and again.
import { setImmediate } from "node:timers";
import type { Content } from "../ingress/offer.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import type { CancelSignal } from "../net/cancel.ts";
import { dial, type DialTarget } from "../net/dial.ts";
import { NetError, toNetError } from "../net/error.ts";
import { Deadline, type Sweeper, type Swept } from "../net/sweeper.ts";
import type { Field } from "../protocol/wire/field.ts";
import { H1Connection } from "./h1_connection.ts";
import {
  type Answer,
  Exchange,
  type ExchangeControl,
  type ExchangeTimeouts,
  type ExchangeTraffic,
} from "./h1_exchange.ts";
import { type FramedRequest, frameRequest, type H1Request, isIdempotent } from "./h1_request.ts";
import { Waiters } from "./h1_waiters.ts";

/**
 * Another way to a server than that of the network. `preface` is what is said first of all. Throws
 * `NetError`.
 */
export type Dialer = (signal: AbortSignal, preface?: Uint8Array) => Promise<ByteStream>;

/** Timeouts are in milliseconds and met one interval of the sweeper late at most. */
export interface H1PoolOptions extends ExchangeTimeouts {
  readonly dial: DialTarget | Dialer;
  /** At once, those that are being dialled among them. */
  readonly maxConnections: number;
  /** That are kept while nobody uses them. */
  readonly maxIdle: number;
  readonly idleTimeoutMs: number;
  readonly dialTimeoutMs: number;
  /** How long a request waits for one of `maxConnections`. */
  readonly waitTimeoutMs: number;
  /** Of an answer's head, interim ones included. */
  readonly maxHeaderBytes: number;
  readonly sweeper: Sweeper;
  /**
   * What a connection for the client at `remote`, which came to `local`, begins with, before TLS
   * too. A connection that was told of a client serves no other.
   */
  readonly preface?: (client: ClientEnds) => Uint8Array;
}

/** Who a connection is for: both ends of the client's own, "ip:port". */
export interface ClientEnds {
  readonly remote: string;
  readonly local?: string;
}

/** What goes on beside a request. */
export interface RequestControl extends ExchangeControl {
  /** The client that it is for, for the preface. */
  readonly client?: ClientEnds;
  /** Called when there is a connection, the second time for a retry. */
  readonly onConnected?: () => void;
}

/** The answer to a request. Its content must be read to its end, or cancelled. */
export interface H1Response extends Answer {
  /** Whether a stale connection was met before. */
  readonly retried: boolean;
  readonly traffic: ExchangeTraffic;
}

/**
 * Connections to one server. The one that was used last is used first. One that is idle is watched,
 * and dropped for whatever comes from it.
 */
export class H1Pool implements Swept {
  readonly #options: H1PoolOptions;
  readonly #dialer: Dialer;
  /** The one that was idle for longest comes first. */
  readonly #idle: H1Connection[] = [];
  /** Those that were used in this turn of the event loop. */
  #resting: H1Connection[] = [];
  readonly #waiters: Waiters;
  #total = 0;
  #closed = false;

  constructor(options: H1PoolOptions) {
    const { dial: to } = options;
    this.#options = options;
    this.#waiters = new Waiters(options.sweeper, options.waitTimeoutMs);
    this.#dialer = typeof to === "function"
      ? to
      : (signal, preface) => dial(preface === undefined ? to : { ...to, preface }, signal);
  }

  /** All connections, those that are being dialled too. */
  get connections(): number {
    return this.#total;
  }

  /** Connections that are free to be used. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Requests that wait for a connection. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Sends a request and gives the answer as soon as its head has come. Once more, on a new
   * connection, if one that was used before turns out to be stale, the method is idempotent and no
   * content was asked for (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
   *
   * @throws {UnwritableRequest} before anything is sent
   * @throws {RequestBroken} when the content breaks off
   * @throws {NetError} when the server can't be reached, or the connection breaks; of kind
   * "timeout" when it was too slow
   * @throws {HttpError} 502 for an answer that breaks a rule of HTTP/1.1
   */
  async request(
    head: H1Request,
    content: Content | null,
    control: RequestControl,
  ): Promise<H1Response> {
    if (this.#closed) throw closed();
    const preface = this.#options.preface?.(control.client ?? { remote: "unknown" });
    const request = frameRequest(head, content, preface !== undefined);
    if (preface !== undefined) return await this.#once(request, preface, control);
    const connection = this.#reuse() ?? await this.#take(control.signal, false);
    const exchange = this.#exchange(request, connection, control);
    try {
      return new Response(await exchange.run(), exchange, false);
    } catch (error) {
      if (!exchange.stale || !isIdempotent(request.method)) throw error;
    }
    const second = this.#exchange(request, await this.#take(control.signal, true), control);
    return new Response(await second.run(), second, true);
  }

  /**
   * Drops what is idle, and all else as soon as its answer has come. Takes no more requests; those
   * that were taken are served, on connections that are dialled for them if need be.
   */
  close(): void {
    this.#closed = true;
    for (const connection of [...this.#idle, ...this.#resting]) this.#remove(connection);
    this.#options.sweeper.delete(this);
  }

  /** On a connection of its own, which begins with `preface`. */
  async #once(
    request: FramedRequest,
    preface: Uint8Array,
    control: RequestControl,
  ): Promise<H1Response> {
    const connection = await this.#take(control.signal, true, preface);
    const exchange = this.#exchange(request, connection, control);
    return new Response(await exchange.run(), exchange, false);
  }

  #exchange(
    request: FramedRequest,
    connection: H1Connection,
    control: RequestControl,
  ): Exchange {
    const { sweeper } = this.#options;
    control.onConnected?.();
    const timeouts = this.#options;
    return new Exchange({ connection, request, control, timeouts, sweeper, ended: this.#ended });
  }

  /** The idle connection that was used last; `null` if there is none. */
  #reuse(): H1Connection | null {
    const { nowMs } = this.#options.sweeper;
    for (let one = this.#idle.at(-1); one !== undefined; one = this.#idle.at(-1)) {
      if (one.idleUntilMs <= nowMs) {
        this.#remove(one);
        continue;
      }
      this.#idle.pop();
      one.take();
      return one;
    }
    return null;
  }

  /** A connection, as soon as there may be one; `fresh`: one that was not used before. */
  async #take(signal: CancelSignal, fresh: boolean, preface?: Uint8Array): Promise<H1Connection> {
    if (signal.aborted) throw signal.reason;
    const { maxConnections } = this.#options;
    // Where there is no room for a new one, one that nobody uses gives way.
    if (this.#total >= maxConnections && this.#idle.length > 0) this.#remove(this.#idle[0]);
    // One that rests is free sooner than a new one is dialled.
    const rested = !fresh && this.#resting.length > this.#waiters.size;
    if (rested || this.#total >= maxConnections) {
      const handed = await this.#waiters.wait(signal, fresh);
      if (handed !== null) return handed;
    } else {
      this.#total++;
    }
    return await this.#dial(signal, preface);
  }

  /** In the room that was made for it in `#total`. */
  async #dial(signal: CancelSignal, preface?: Uint8Array): Promise<H1Connection> {
    const { sweeper, dialTimeoutMs, maxHeaderBytes } = this.#options;
    const controller = new AbortController();
    const onAbort = () => controller.abort(signal.reason);
    const deadline = new Deadline(sweeper, dialTimeoutMs, () => {
      controller.abort(new NetError("timeout", `dial took longer than ${dialTimeoutMs} ms`));
    });
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal.aborted) throw signal.reason;
      const stream = await this.#dialer(controller.signal, preface);
      const connection = new H1Connection(stream, maxHeaderBytes);
      connection.take();
      return connection;
    } catch (error) {
      this.#freed();
      throw toNetError(error);
    } finally {
      deadline.clear();
      signal.removeEventListener("abort", onAbort);
    }
  }

  readonly #ended = (connection: H1Connection, reusable: boolean): void => {
    if (!reusable || this.#closed) {
      connection.drop();
      return this.#freed();
    }
    const { sweeper, idleTimeoutMs } = this.#options;
    const untilMs = sweeper.nowMs + idleTimeoutMs;
    connection.idleUntilMs = Math.min(connection.idleUntilMs, untilMs);
    connection.watch(() => this.#remove(connection));
    // RFC 9112 §9.2: what a server sends behind its answer comes to light before the next request.
    if (this.#resting.push(connection) === 1) setImmediate(this.#rested);
  };

  readonly #rested = (): void => {
    const rested = this.#resting;
    this.#resting = [];
    for (const connection of rested) this.#offer(connection);
  };

  #offer(connection: H1Connection): void {
    const waiter = this.#waiters.next();
    if (waiter?.fresh === true) {
      connection.drop();
      return waiter.resolve(null);
    }
    if (waiter !== undefined) {
      connection.take();
      return waiter.resolve(connection);
    }
    this.#idle.push(connection);
    if (this.#idle.length > this.#options.maxIdle) this.#remove(this.#idle[0]);
    this.#options.sweeper.add(this);
  }

  /** Drops a connection that nobody uses. */
  #remove(connection: H1Connection): void {
    removeFrom(this.#idle, connection);
    removeFrom(this.#resting, connection);
    connection.drop();
    this.#freed();
  }

  /** There is one connection less: whoever waits may dial another. */
  #freed(): void {
    const waiter = this.#waiters.next();
    if (waiter === undefined) this.#total--;
    else waiter.resolve(null);
  }

  sweep(nowMs: number): void {
    for (const one of this.#idle.filter((one) => one.idleUntilMs <= nowMs)) this.#remove(one);
    if (this.#idle.length === 0) this.#options.sweeper.delete(this);
  }
}

class Response implements H1Response {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly content: Content | null;
  readonly retried: boolean;
  readonly traffic: ExchangeTraffic;

  constructor(answer: Answer, traffic: ExchangeTraffic, retried: boolean) {
    this.status = answer.status;
    this.fields = answer.fields;
    this.content = answer.content;
    this.traffic = traffic;
    this.retried = retried;
  }
}

function removeFrom<T>(list: T[], one: T): void {
  const at = list.indexOf(one);
  if (at >= 0) list.splice(at, 1);
}

function closed(): NetError {
  return new NetError("aborted", "the pool is closed");
}
