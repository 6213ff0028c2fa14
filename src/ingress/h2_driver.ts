import type { ByteStream } from "../net/byte_stream.ts";
import type { Http2Connection } from "../protocol/http2/connection.ts";
import type { H2Event } from "../protocol/http2/events.ts";
import { H2Output, HIGH_WATER_BYTES } from "./h2_output.ts";
import { H2Stream, type H2Wire } from "./h2_stream.ts";

/** What each side of a connection has its own way with. */
export type H2OwnEvent = Exclude<H2Event, { type: "data" | "trailers" | "window" }>;

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
  readonly #output: H2Output;

  constructor(stream: ByteStream, h2: Http2Connection, onEvent: (event: H2OwnEvent) => void) {
    this.#stream = stream;
    this.h2 = h2;
    this.#onEvent = onEvent;
    this.#output = new H2Output(h2, stream);
  }

  /** Since when the write has gone on that is under way; `Infinity` for none. */
  get writingSinceMs(): number {
    return this.#output.writingSinceMs;
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
    // What it began with.
    this.#takeAll();
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
      this.h2.push(chunk);
      this.#takeAll();
      if (this.h2.outputBytes > 0) this.flush();
      // Answers to what a peer asks for must not pile up: it waits until they are taken.
      if (this.h2.outputBytes > HIGH_WATER_BYTES) await this.room();
      if (this.h2.isDone) return false;
    }
    return true;
  }

  #takeAll(): void {
    for (let event = this.h2.next(); event !== null; event = this.h2.next()) this.#take(event);
    for (const touched of this.#touched) touched.deliver();
    this.#touched.clear();
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
    if (streamId !== 0) return this.streams.get(streamId)?.opened();
    for (const stream of this.streams.values()) stream.opened();
  }

  room(): Promise<void> | null {
    return this.#output.room();
  }

  flush(): void {
    this.#output.flush();
  }

  /** Resolves when all that waits was written, or can't be. */
  flushed(): Promise<void> {
    return this.#output.flushNow();
  }

  /** The last words, GOAWAY among them, as far as the peer takes them, and FIN. */
  close(): Promise<void> {
    return this.#output.close();
  }

  /** The connection has its end: nobody may wait for room any more. */
  over(): void {
    this.#output.end();
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
