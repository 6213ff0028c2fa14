import { H2Driver, type H2OwnEvent } from "../ingress/h2_driver.ts";
import { lost } from "../ingress/h2_output.ts";
import type { H2Stream } from "../ingress/h2_stream.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import type { Dialled } from "../net/dial.ts";
import { messageOf, NetError } from "../net/error.ts";
import { H2Code, h2CodeName } from "../protocol/http2/codes.ts";
import { Http2Connection } from "../protocol/http2/connection.ts";
import {
  contentLength,
  encodeRequest,
  type RequestHead,
  type ResponseHead,
} from "../protocol/http2/fields.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { KeepAlive } from "./h2_keepalive.ts";
import {
  abortError,
  type AskOptions,
  BrokenOff,
  type CloseInfo,
  leaving,
  NoRoom,
  orAborted,
  Unprocessed,
} from "./http_client.ts";

export const MAX_HEADER_BYTES = 64 * 1024;
/**
 * What a socket that is not read may hold back. We open the streams, so their number bounds the
 * whole, and the connection's window must not: a few that are not read would stop all others.
 */
const STREAM_WINDOW_BYTES = 128 * 1024;
const CONNECTION_WINDOW_BYTES = 1024 * 1024 * 1024;

/** An answer whose head has come. */
export interface Answered {
  stream: H2Stream;
  response: ResponseHead;
}

/** The client's side of an HTTP/2 connection: its requests and its end, in whatever way it comes. */
export class H2Session {
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** What whoever waits is told once the connection is over. */
  error: Error = lost();

  readonly #stream: ByteStream;
  readonly #h2: Http2Connection;
  readonly #driver: H2Driver;
  readonly #keepAlive: KeepAlive;
  readonly #settings = Promise.withResolvers<void>();
  /** Requests that have no answer yet, by their streams. */
  readonly #answers = new Map<number, PromiseWithResolvers<ResponseHead>>();
  /** Requests that wait until the server takes one more stream. */
  readonly #waiting = new Set<() => void>();
  #goingAway = false;
  /** Whether the server has said anything in HTTP/2. */
  #isHeard = false;
  #end: CloseInfo | null = null;

  constructor(stream: ByteStream, keepaliveMs: number) {
    this.#stream = stream;
    this.#h2 = new Http2Connection({
      role: "client",
      settings: {
        maxHeaderBytes: MAX_HEADER_BYTES,
        initialWindowBytes: STREAM_WINDOW_BYTES,
        connectionWindowBytes: CONNECTION_WINDOW_BYTES,
      },
    });
    this.#driver = new H2Driver(stream, this.#h2, (event) => this.#take(event));
    this.#keepAlive = new KeepAlive(this.#driver, {
      intervalMs: keepaliveMs,
      onDead: (error) => this.#die(error),
    });
    this.closed = this.#run();
  }

  /** RFC 9113 §6.8: whether the server said that it takes no more requests. */
  get goingAway(): boolean {
    return this.#goingAway || this.#end !== null;
  }

  /** RFC 8441 §3: whether the server's SETTINGS allow WebSockets here; waits for them. */
  async extendedConnect(): Promise<boolean> {
    await this.#settings.promise;
    if (this.#end !== null) throw this.#whyShut();
    return this.#h2.peerSettings.enableConnectProtocol;
  }

  async #run(): Promise<CloseInfo> {
    this.#driver.flush();
    try {
      if (await this.#driver.read()) {
        this.#h2.end();
        throw new NetError("lost", "the server closed the connection");
      }
      this.#finish({ code: 0, reason: "", byPeer: true });
    } catch (error) {
      this.#fail(error);
    }
    this.#keepAlive.stop();
    this.#settings.resolve();
    for (const answer of this.#answers.values()) answer.reject(this.error);
    this.#answers.clear();
    this.#driver.cutOffAll(this.error);
    this.#wakeAll();
    await this.#driver.flushed();
    this.#stream.abort();
    return this.#end!;
  }

  /** RFC 9113 §5.4.1: one place turns what was thrown into the connection's end. */
  #fail(error: unknown): void {
    if (this.#end === null && error instanceof Error) this.error = this.#told(error);
    if (error instanceof PeerError) {
      this.#finish({ code: error.code, reason: error.message, byPeer: false });
    } else if (error instanceof NetError) {
      this.#finish({ code: -1, reason: error.message, byPeer: true });
    } else {
      this.#h2.goaway(H2Code.INTERNAL_ERROR);
      const reason = messageOf(error);
      this.#finish({ code: H2Code.INTERNAL_ERROR, reason, byPeer: false });
    }
  }

  #told(error: Error): Error {
    const isBroken = error instanceof NetError && this.#isHeard;
    return isBroken ? new BrokenOff(error.kind, error.message, error) : error;
  }

  #finish(end: CloseInfo): void {
    this.#end ??= end;
    this.#driver.over();
  }

  /** The connection is of no use any more; whoever reads it is woken. */
  #die(error: NetError): void {
    if (this.#end !== null) return;
    this.error = error;
    this.#finish({ code: -1, reason: error.message, byPeer: true });
    this.#stream.abort();
  }

  #take(event: H2OwnEvent): void {
    this.#isHeard = true;
    switch (event.type) {
      case "response":
        return this.#answered(event);
      case "oversize":
        return this.#oversize(event.streamId);
      case "reset":
        return this.#reset(event.streamId, event.code);
      case "streamError":
        return this.#drop(event.streamId, event.error);
      case "settings":
        this.#settings.resolve();
        return this.#wakeAll();
      case "pong":
        return this.#keepAlive.pong();
      case "goaway":
        return this.#goaway(event.code);
      case "informational":
      case "request":
        return;
      default:
        event satisfies never;
    }
  }

  #answered({ streamId, head, endStream }: Extract<H2OwnEvent, { type: "response" }>): void {
    this.#driver.touch(streamId, (stream) => {
      stream.length = contentLength(head.fields);
      if (endStream) stream.end();
    });
    this.#answers.get(streamId)?.resolve(head);
    this.#answers.delete(streamId);
  }

  #oversize(streamId: number): void {
    this.#h2.reset(streamId, H2Code.CANCEL);
    this.#drop(streamId, new NetError("other", "the answer's head is too big"));
  }

  #reset(streamId: number, code: number): void {
    const message = `the server reset the stream: ${h2CodeName(code)}`;
    // RFC 9113 §8.7: such a request was not processed, and is safe to be sent again.
    if (code === H2Code.REFUSED_STREAM || code === H2Code.HTTP_1_1_REQUIRED) {
      const wantsHttp11 = code === H2Code.HTTP_1_1_REQUIRED;
      this.#drop(streamId, new Unprocessed(message, wantsHttp11));
    } else if (this.#answers.has(streamId)) {
      this.#drop(streamId, new BrokenOff("reset", message));
    } else {
      this.#driver.streams.get(streamId)?.cutOff(new BrokenOff("reset", message));
    }
  }

  #drop(streamId: number, error: Error): void {
    this.#answers.get(streamId)?.reject(error);
    this.#answers.delete(streamId);
    this.#driver.drop(streamId, error);
  }

  #goaway(code: number): void {
    this.#goingAway = true;
    if (code !== H2Code.NO_ERROR) {
      const reason = `the server ended the connection: ${h2CodeName(code)}`;
      this.error = new BrokenOff("lost", reason);
      this.#end ??= { code, reason, byPeer: true };
    }
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Sends a request, and waits for the head of its answer. */
  async send(head: RequestHead, endStream: boolean, options: AskOptions): Promise<Answered> {
    const { signal, onFreed } = options;
    // What others take meanwhile is gone, so it is looked for again behind each wait.
    while (!this.#hasRoom(options)) await this.#room(signal);
    const id = this.#h2.openStream(encodeRequest(head), endStream);
    const stream = this.#driver.add(id);
    if (endStream) stream.sentEnd();
    stream.onFreed = () => {
      this.#freed(id);
      onFreed?.();
    };
    const answer = Promise.withResolvers<ResponseHead>();
    this.#answers.set(id, answer);
    this.#driver.flush();
    try {
      return { stream, response: await orAborted(answer.promise, signal) };
    } catch (error) {
      this.#answers.delete(id);
      stream.abort();
      throw error;
    }
  }

  /** What is told of a request that was not sent. */
  #whyShut(): Error {
    const { code } = this.#end ?? { code: H2Code.NO_ERROR };
    return this.#goingAway && code === H2Code.NO_ERROR ? leaving() : this.error;
  }

  /** RFC 9113 §5.1.2: whether the server takes one more stream, now. */
  #hasRoom({ signal, wait = true }: AskOptions): boolean {
    if (signal?.aborted) throw abortError(signal);
    if (this.goingAway) throw this.#whyShut();
    if (!this.#h2.canOpenStream && !wait) throw new NoRoom();
    return this.#h2.canOpenStream;
  }

  /** Resolves when it may take one more. */
  async #room(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    try {
      await orAborted(promise, signal);
    } finally {
      this.#waiting.delete(resolve);
    }
  }

  /** A stream is over: another may take its place, and behind a GOAWAY the connection ends. */
  #freed(streamId: number): void {
    this.#driver.streams.delete(streamId);
    this.#wakeAll();
    if (!this.#h2.isDone || this.#end !== null) return;
    this.#finish({ code: H2Code.NO_ERROR, reason: "", byPeer: true });
    void this.#driver.flushed().then(() => this.#stream.abort());
  }

  /** The process waits for the connection, as it does at first. */
  ref(): void {
    (this.#stream as Partial<Dialled>).ref?.();
  }

  /** The process does not wait for the connection any more. */
  unref(): void {
    (this.#stream as Partial<Dialled>).unref?.();
  }

  /** Ends the connection with NO_ERROR, and all that is open on it. */
  close(): void {
    if (this.#end !== null) return this.#stream.abort();
    this.#h2.goaway();
    this.error = new NetError("aborted", "the connection was closed");
    this.#finish({ code: H2Code.NO_ERROR, reason: "", byPeer: false });
    void this.#driver.flushed().then(() => this.#stream.abort());
  }
}
