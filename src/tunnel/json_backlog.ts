import { NetError } from "../net/error.ts";
import { inTime, type Sweeper } from "../net/sweeper.ts";
import type { JsonStream } from "./json_stream.ts";

const MIB = 1024 * 1024;

/** What one stream, and all of a link, may hold before the link is not read any more. */
const MAX_STREAM_BYTES = MIB;
const MAX_LINK_BYTES = 32 * MIB;

/** What datagrams of one stream may wait. */
const MAX_DATAGRAM_BYTES = MIB / 4;

/**
 * What came by a link and was not read yet. JSON messages know no credit: all that helps is not to
 * read the link, which holds up all of its streams; so who reads nothing at all is given up.
 */
export class JsonBacklog {
  readonly #sweeper: Sweeper;
  readonly #stalledMs: number;
  readonly #holding = new Set<JsonStream>();
  #bytes = 0;
  #waitsFor: JsonStream | null = null;
  #stopped = false;

  /** `stalledMs`: how long a stream may read nothing while the link waits for it. */
  constructor(sweeper: Sweeper, stalledMs: number) {
    this.#sweeper = sweeper;
    this.#stalledMs = stalledMs;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Gives a stream what came; a datagram is dropped where many wait. */
  push(stream: JsonStream, bytes: Uint8Array): void {
    if (stream.isLossy && stream.unread + bytes.length > MAX_DATAGRAM_BYTES) return;
    const before = stream.unread;
    stream.push(bytes);
    if (stream.unread === before) return;
    this.#bytes += stream.unread - before;
    this.#holding.add(stream);
  }

  took(stream: JsonStream, bytes: number): void {
    this.#bytes -= bytes;
    if (stream.unread === 0) this.#holding.delete(stream);
  }

  /** The stream that holds most, if it or all together hold more than this part of the limits. */
  #fullest(part: number): JsonStream | null {
    let fullest: JsonStream | null = null;
    for (const stream of this.#holding) {
      if (stream.unread > (fullest?.unread ?? 0)) fullest = stream;
    }
    if (fullest === null) return null;
    const isTooMuch = fullest.unread > part * MAX_STREAM_BYTES ||
      this.#bytes > part * MAX_LINK_BYTES;
    return isTooMuch ? fullest : null;
  }

  /** Whether it may wait for what this stream has got. */
  isFull(stream: JsonStream): boolean {
    return stream.unread > MAX_STREAM_BYTES || this.#bytes > MAX_LINK_BYTES;
  }

  /** Resolves once half of what may be held is free again. */
  async drain(): Promise<void> {
    for (;;) {
      const stream = this.#stopped ? null : this.#fullest(0.5);
      if (stream === null) return;
      const seconds = this.#stalledMs / 1000;
      this.#waitsFor = stream;
      await inTime(stream.taking, {
        sweeper: this.#sweeper,
        afterMs: this.#stalledMs,
        late: () => stream.abort(`nothing was taken for ${seconds} s`),
      });
      this.#waitsFor = null;
    }
  }

  /** The link is gone: nobody waits any more. */
  stop(reason: string): void {
    this.#stopped = true;
    this.#waitsFor?.fail(new NetError("lost", reason));
  }
}
