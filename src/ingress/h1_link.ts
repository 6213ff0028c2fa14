import type { ByteStream } from "../net/byte_stream.ts";
import { NetError, toNetError } from "../net/error.ts";
import { Slowness } from "../net/slowness.ts";
import type { Swept } from "../net/sweeper.ts";
import { RequestSequence } from "../protocol/http1/request_sequence.ts";

/** A write of more has a deadline for each part of this length. */
const MAX_WRITE_BYTES = 256 * 1024;

/** A client that has ended its side waits no longer than that for the next bytes of its answer. */
const HALF_CLOSED_MS = 5_000;

function nothing(): void {}

/**
 * The connection below its requests, which take turns with it: one read at a time, which outlives
 * who asked for it, writes with a deadline, and the parser of all that comes.
 */
export class H1Link implements Swept {
  readonly stream: ByteStream;
  readonly sequence: RequestSequence;
  /** Whether the next answer is the last. */
  draining = false;
  /** Told once a watched read fails, or a write took too long. */
  readonly #onLost: (error: NetError) => void;
  /** Whether a client that has ended its side is gone, as it is more often than not. */
  readonly goneAtFin: boolean;
  #reading: Promise<Uint8Array | null> | null = null;
  /** A copy of the bytes behind a request, made because a read goes on in their buffer. */
  #rest: Uint8Array | null = null;
  #readAtMs = Infinity;
  #readLate: () => void = nothing;
  #writingSinceMs = Infinity;
  #writes = 0;
  readonly #slowness: Slowness;
  /** Since when the client has ended its side, and nothing was written to it. */
  #halfClosedMs = Infinity;

  /** A buffer that the last answer was gathered in, for the next. */
  spare: Uint8Array | null = null;

  constructor(options: {
    stream: ByteStream;
    maxHeaderBytes: number;
    writeTimeoutMs: number;
    onLost: (error: NetError) => void;
    goneAtFin?: boolean;
  }) {
    this.stream = options.stream;
    this.sequence = new RequestSequence({ head: { limit: options.maxHeaderBytes } });
    this.#onLost = options.onLost;
    this.goneAtFin = options.goneAtFin ?? false;
    this.#slowness = new Slowness(this.stream, options.writeTimeoutMs, () => {
      const error = new NetError("timeout", "The client does not take its answer");
      this.#onLost(error);
      this.stream.abort(error.message);
    });
  }

  /**
   * The next chunk, `null` at FIN; the same promise again until `took`. So whoever no longer waits
   * leaves the read to the next.
   */
  read(): Promise<Uint8Array | null> {
    if (this.#rest !== null) return Promise.resolve(this.#rest);
    return this.#reading ??= this.stream.read();
  }

  /** The chunk that `read` gave last is in use; FIN is never taken. */
  took(): void {
    if (this.#rest !== null) this.#rest = null;
    else this.#reading = null;
  }

  /** Whether bytes behind the last request were set aside. */
  get hasRest(): boolean {
    return this.#rest !== null;
  }

  /**
   * Reads on while nobody needs it, to see whether the client is still there: one chunk at most.
   * TCP does not tell a client that is gone from one that has said all: who has ended its side, and
   * `mayLeave`, is lost when nothing is written to it for a while, or at once if `goneAtFin`.
   */
  watch(mayLeave: () => boolean): void {
    this.#reading ??= this.stream.read();
    this.#reading.then((chunk) => {
      if (chunk !== null || !mayLeave()) return;
      if (this.goneAtFin) this.#lose();
      else this.#halfClosedMs = performance.now();
    }, (error) => this.#onLost(toNetError(error)));
  }

  #lose(): void {
    this.#halfClosedMs = Infinity;
    this.#onLost(new NetError("lost", "The client has ended its side"));
  }

  /** Sets aside what is behind the request that was read to its end: its chunk may go. */
  keepRest(): void {
    const rest = this.sequence.rest();
    if (rest.length === 0) return;
    const { headroom } = this.stream;
    const copy = new Uint8Array(headroom + rest.length).subarray(headroom);
    copy.set(rest);
    this.#rest = copy;
  }

  /** What came behind the request that was read to its end, in one chunk with it or set aside. */
  takeRest(): Uint8Array {
    const rest = this.#rest;
    this.#rest = null;
    return rest ?? this.sequence.rest();
  }

  /** From now on `late` is called once after so long, unless `readDone` comes first. */
  readWithin(afterMs: number, late: () => void): void {
    this.#readAtMs = performance.now() + afterMs;
    this.#readLate = late;
  }

  readDone(): void {
    this.#readAtMs = Infinity;
  }

  /** Rejects with NetError, also where the client takes nothing for too long. */
  write(bytes: Uint8Array): Promise<void> {
    if (bytes.length > MAX_WRITE_BYTES) return this.#writeParts(bytes);
    return this.#timed(this.stream.write(bytes));
  }

  async #writeParts(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_WRITE_BYTES) {
      await this.write(bytes.subarray(at, at + MAX_WRITE_BYTES));
    }
  }

  closeWrite(): Promise<void> {
    return this.#timed(this.stream.closeWrite());
  }

  #timed(work: Promise<void>): Promise<void> {
    this.#writes++;
    this.#writingSinceMs = performance.now();
    return work.then(this.#wrote, this.#writeFailed);
  }

  readonly #wrote = (): void => {
    if (--this.#writes === 0) this.#writingSinceMs = Infinity;
    if (this.#halfClosedMs !== Infinity) this.#halfClosedMs = performance.now();
  };

  readonly #writeFailed = (error: unknown): never => {
    this.#wrote();
    throw toNetError(error);
  };

  sweep(nowMs: number): void {
    if (nowMs >= this.#readAtMs) {
      this.#readAtMs = Infinity;
      this.#readLate();
    }
    this.#slowness.sweep(Math.max(0, nowMs - this.#writingSinceMs));
    if (this.#writes === 0 && nowMs - this.#halfClosedMs >= HALF_CLOSED_MS) this.#lose();
  }
}
