import type { ByteStream } from "../net/byte_stream.ts";
import { WriteWatch } from "../net/slowness.ts";
import type { Sweeper, Swept } from "../net/sweeper.ts";

export interface WatchedStreamOptions {
  stream: ByteStream;
  sweeper: Sweeper;
  /** How long it may be read without a byte either way. */
  readTimeoutMs: number;
  /** How long a write may make no progress. */
  writeTimeoutMs: number;
  /** Called once when it is idle for too long. */
  onIdle: () => void;
}

/** The stream of one socket, with the times that it may take. */
export class WatchedStream implements ByteStream, Swept {
  readonly headroom: number;
  readonly #options: WatchedStreamOptions;
  readonly #stream: ByteStream;
  readonly #writes: WriteWatch;
  #reads = 0;
  #movedMs: number;
  #idle = false;

  constructor(options: WatchedStreamOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.headroom = options.stream.headroom;
    this.#movedMs = performance.now();
    this.#writes = new WriteWatch({
      stream: options.stream,
      timeoutMs: options.writeTimeoutMs,
      onSlow: () => this.abort("client reads too slowly"),
    });
    options.sweeper.add(this);
  }

  // Without async: they are called for each message.
  read(): Promise<Uint8Array | null> {
    if (this.#reads++ === 0 && !this.#writes.writing) this.#moved();
    return this.#stream.read().then(this.#came, this.#readFailed);
  }

  readonly #came = (chunk: Uint8Array | null): Uint8Array | null => {
    this.#reads--;
    this.#moved();
    return chunk;
  };

  readonly #readFailed = (error: unknown): never => {
    this.#reads--;
    throw error;
  };

  write(bytes: Uint8Array, headroom?: number): Promise<void> {
    this.#begin();
    return this.#stream.write(bytes, headroom).then(this.#wrote, this.#writeFailed);
  }

  readonly #wrote = (): void => {
    this.#writes.ended();
    this.#moved();
  };

  readonly #writeFailed = (error: unknown): never => {
    this.#writes.ended();
    throw error;
  };

  async closeWrite(): Promise<void> {
    this.#begin();
    try {
      await this.#stream.closeWrite();
    } finally {
      this.#writes.ended();
    }
  }

  set onLost(onLost: ((error: Error) => void) | null) {
    this.#stream.onLost = onLost;
  }

  #begin(): void {
    if (!this.#writes.writing) this.#moved();
    this.#writes.began();
  }

  #moved(): void {
    this.#movedMs = this.#options.sweeper.nowMs;
  }

  /** Who reads nothing waits for nobody; who writes waits for the client to take it. */
  sweep(nowMs: number): void {
    const { readTimeoutMs, onIdle } = this.#options;
    this.#writes.sweep(nowMs);
    if (this.#writes.writing || this.#reads === 0 || this.#idle) return;
    if (nowMs - this.#movedMs < readTimeoutMs) return;
    this.#idle = true;
    onIdle();
  }

  abort(reason?: string): void {
    this.#options.sweeper.delete(this);
    this.#stream.abort(reason);
  }
}
