import { setImmediate } from "node:timers";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import type { Http2Connection } from "../protocol/http2/connection.ts";

/** More than this waits for the socket before streams are held up. */
export const HIGH_WATER_BYTES = 64 * 1024;

/** What an HTTP/2 connection has to say, on its way to the socket. */
export class H2Output {
  readonly #h2: Http2Connection;
  readonly #stream: ByteStream;
  #flushing = false;
  #written: Promise<void> = Promise.resolve();
  #scheduled = false;
  #room: PromiseWithResolvers<void> | null = null;
  #writingSinceMs = Infinity;
  #isLast = false;

  constructor(h2: Http2Connection, stream: ByteStream) {
    this.#h2 = h2;
    this.#stream = stream;
  }

  /** Since when the part under way waits for the peer; Infinity for none. */
  get writingSinceMs(): number {
    return this.#writingSinceMs;
  }

  /** The connection is over, but for what waits. */
  end(): void {
    this.#isLast = true;
  }

  /** Resolves when more may be handed over, `null` for now; rejects when the connection is lost. */
  room(): Promise<void> | null {
    if (this.#h2.outputBytes <= HIGH_WATER_BYTES) return null;
    if (this.#isLast) return Promise.reject(lost());
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
      void this.flushNow();
    });
  }

  /** Resolves when all that waits was written, or can't be. */
  flushNow(): Promise<void> {
    if (!this.#flushing) this.#written = this.#writeOut();
    return this.#written;
  }

  async #writeOut(): Promise<void> {
    this.#flushing = true;
    try {
      while (this.#h2.outputBytes > 0) {
        const bytes = this.#h2.output();
        // Each part has its own time: who reads steadily is not slow.
        for (let at = 0; at < bytes.length; at += HIGH_WATER_BYTES) {
          this.#writingSinceMs = performance.now();
          await this.#stream.write(bytes.subarray(at, at + HIGH_WATER_BYTES));
        }
        if (this.#h2.outputBytes <= HIGH_WATER_BYTES) this.#freed();
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
}

/** For whoever waits on a connection that is over. */
export function lost(): NetError {
  return new NetError("lost", "the connection is over");
}
