import { setImmediate } from "node:timers";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import type { Http2Connection } from "../protocol/http2/connection.ts";
import type { H2Event } from "../protocol/http2/events.ts";
import { H2Stream, type H2Wire } from "./h2_stream.ts";

/** What each side of a connection has its own way with. */
export type H2OwnEvent = Exclude<H2Event, { type: "data" | "trailers" | "window" }>;

/** More than this waits for the socket before streams are held up. */
const HIGH_WATER_BYTES = 64 * 1024;

/**
 * What both sides of an HTTP/2 connection have in common: its bytes, and what goes to and comes
 * from the streams that are open.
 */
export class H2Driver implements H2Wire {
  readonly h2: Http2Connection;
  readonly streams: Map<number, H2Stream> = new Map();
  readonly #stream: ByteStream;
  readonly #onEvent: (event: H2OwnEvent) => void;
  /** Streams that something came on in the chunk at hand. */
  readonly #touched = new Set<H2Stream>();
  #flushing = false;
  #written: Promise<void> = Promise.resolve();
  #scheduled = false;
  #room: PromiseWithResolvers<void> | null = null;
  #writingSinceMs = Infinity;
  #isOver = false;

  constructor(stream: ByteStream, h2: Http2Connection, onEvent: (event: H2OwnEvent) => void) {
    this.#stream = stream;
    this.h2 = h2;
    this.#onEvent = onEvent;
  }

  /** Since when the write has gone on that is under way; `Infinity` for none. */
  get writingSinceMs(): number {
    return this.#writingSinceMs;
  }

  /** A stream that is open from now on. */
  add(streamId: number): H2Stream {
    const stream = new H2Stream(streamId, this);
    this.streams.set(streamId, stream);
    return stream;
  }

  /**
   * Takes what comes until the connection is done with (`false`), or the peer has sent FIN (`true`).
   *
   * @throws {H2Error} a rule that the peer broke; the GOAWAY for it waits to be flushed
   * @throws {NetError} when the connection breaks
   */
  async read(): Promise<boolean> {
    const stream = this.#stream;
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
      this.h2.push(chunk);
      for (let event = this.h2.next(); event !== null; event = this.h2.next()) this.#take(event);
      for (const touched of this.#touched) touched.deliver();
      this.#touched.clear();
      if (this.h2.outputBytes > 0) this.flush();
      // Answers to what a peer asks for must not pile up: it waits until they are taken.
      if (this.h2.outputBytes > HIGH_WATER_BYTES) await this.room();
      if (this.h2.isDone) return false;
    }
    return true;
  }

  #take(event: H2Event): void {
    switch (event.type) {
      case "data":
        return this.#data(event.streamId, event.bytes, event.endStream);
      case "trailers":
        return this.touch(event.streamId, (stream) => stream.end(event.fields));
      case "window":
        return this.#opened(event.streamId);
      case "settings":
        this.#opened(0);
    }
    this.#onEvent(event);
  }

  #data(streamId: number, bytes: Uint8Array, endStream: boolean): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      this.h2.consumed(streamId, bytes.length);
      return;
    }
    stream.receive(bytes);
    if (endStream) stream.end();
    this.#touched.add(stream);
  }

  /** Changes a stream, and tells who waits for it once all that came is taken. */
  touch(streamId: number, change: (stream: H2Stream) => void): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    change(stream);
    this.#touched.add(stream);
  }

  /** The stream is gone, and why. */
  drop(streamId: number, error: Error): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    this.streams.delete(streamId);
    stream.fail(error);
  }

  /** RFC 9113 §6.9: more may be sent. */
  #opened(streamId: number): void {
    if (streamId !== 0) return this.#wake(this.streams.get(streamId));
    for (const stream of this.streams.values()) this.#wake(stream);
  }

  #wake(stream: H2Stream | undefined): void {
    const waiting = stream?.waiting;
    if (stream === undefined || waiting === null || waiting === undefined) return;
    stream.waiting = null;
    waiting.resolve();
  }

  window(stream: H2Stream): Promise<void> {
    stream.waiting ??= Promise.withResolvers();
    return stream.waiting.promise;
  }

  room(): Promise<void> | null {
    if (this.h2.outputBytes <= HIGH_WATER_BYTES) return null;
    if (this.#isOver) return Promise.reject(lost());
    this.#room ??= Promise.withResolvers();
    this.flush();
    return this.#room.promise;
  }

  /** What is ready within a turn of the loop goes out in one write. */
  flush(): void {
    if (this.#flushing || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.flushed();
    });
  }

  /** Resolves when all that waits was written, or can't be. */
  flushed(): Promise<void> {
    if (!this.#flushing) this.#written = this.#writeOut();
    return this.#written;
  }

  async #writeOut(): Promise<void> {
    this.#flushing = true;
    try {
      while (this.h2.outputBytes > 0) {
        const bytes = this.h2.output();
        // Each part has its own time: who reads steadily is not slow.
        for (let at = 0; at < bytes.length; at += HIGH_WATER_BYTES) {
          this.#writingSinceMs = performance.now();
          await this.#stream.write(bytes.subarray(at, at + HIGH_WATER_BYTES));
        }
        if (this.h2.outputBytes <= HIGH_WATER_BYTES) this.#freed();
      }
      this.#freed();
    } catch {
      // Whoever reads is told why.
      this.#stream.abort();
      this.#room?.reject(lost());
      this.#room = null;
    } finally {
      this.#writingSinceMs = Infinity;
      this.#flushing = false;
    }
  }

  #freed(): void {
    this.#room?.resolve();
    this.#room = null;
  }

  /** The connection has its end: nobody may wait for room any more. */
  over(): void {
    this.#isOver = true;
  }

  /** Ends every stream that is left; each is told why. */
  dropAll(error: Error): void {
    for (const stream of this.streams.values()) stream.fail(error);
    this.streams.clear();
  }

  /** The same, where what came on them is still to be read. */
  cutOffAll(error: Error): void {
    for (const stream of this.streams.values()) stream.cutOff(error);
  }
}

/** What is told to who uses a stream of a connection that is over. */
export function lost(): NetError {
  return new NetError("lost", "the connection is over");
}
