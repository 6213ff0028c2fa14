import type { ByteStream } from "../net/byte_stream.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import type { H1Link } from "./h1_link.ts";
import type { Tunnel } from "./offer.ts";

/** What a client still sends that nobody reads is thrown away up to so much. */
const MAX_DISCARD_BYTES = 8 * 1024 * 1024;

const EMPTY = new Uint8Array(0);

export interface H1TunnelOptions {
  link: H1Link;
  sweeper: Sweeper;
  /** FIN that the client does not let through for so long ends the connection. */
  writeTimeoutMs: number;
}

/** The connection behind a 101, or behind the 200 to a CONNECT (RFC 9110 §7.8, §9.3.6). */
export class H1Tunnel implements Tunnel {
  readonly headroom: number;
  /** Resolves when both directions have ended, or it was aborted. */
  readonly over: Promise<void>;
  readonly #options: H1TunnelOptions;
  readonly #stream: ByteStream;
  #rest: Uint8Array;
  /** The read that went on while the answer was made may still be there. */
  #early = true;
  #readEnded = false;
  #writeEnded = false;
  #end!: () => void;

  constructor(options: H1TunnelOptions) {
    this.#options = options;
    this.#stream = options.link.stream;
    this.headroom = this.#stream.headroom;
    this.#rest = options.link.takeRest();
    this.over = new Promise((resolve) => this.#end = resolve);
  }

  read(): Promise<Uint8Array | null> {
    if (this.#rest.length > 0) {
      const rest = this.#rest;
      this.#rest = EMPTY;
      return Promise.resolve(rest);
    }
    if (!this.#early) return this.#stream.read().then(this.#came);
    this.#early = false;
    return this.#options.link.read().then(this.#came);
  }

  readonly #came = (chunk: Uint8Array | null): Uint8Array | null => {
    if (chunk === null) {
      this.#readEnded = true;
      this.#checkOver();
    }
    return chunk;
  };

  write(bytes: Uint8Array, headroom?: number): Promise<void> {
    return this.#stream.write(bytes, headroom);
  }

  async closeWrite(): Promise<void> {
    const { sweeper, writeTimeoutMs } = this.#options;
    const deadline = new Deadline(sweeper, writeTimeoutMs, () => this.abort());
    try {
      await this.#stream.closeWrite();
      this.#writeEnded = true;
      this.#checkOver();
    } finally {
      deadline.clear();
    }
  }

  #checkOver(): void {
    if (this.#readEnded && this.#writeEnded) this.abort();
  }

  /** TCP can't tell the client; what it sends is read past, or its end would never be seen. */
  stopReading(): void {
    this.#discard().catch(() => this.abort());
  }

  async #discard(): Promise<void> {
    let left = MAX_DISCARD_BYTES;
    for (let chunk = await this.read(); chunk !== null; chunk = await this.read()) {
      left -= chunk.length;
      if (left < 0) return this.abort();
    }
  }

  isLost(): boolean {
    return this.#stream.isLost?.() ?? false;
  }

  unsent(): Promise<number | null> {
    return this.#stream.unsent?.() ?? Promise.resolve(null);
  }

  abort(reason?: string): void {
    this.#stream.abort(reason);
    this.#end();
  }
}
