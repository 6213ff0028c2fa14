import type { ByteStream } from "./byte_stream.ts";
import { toNetError } from "./error.ts";
import { HEADROOM, ReadSize } from "./read_buffer.ts";
import { unsentBytes } from "./send_queue.ts";

const EMPTY = new Uint8Array(0);

/** A TCP, TLS or unix connection of Deno's as a `ByteStream`. */
export class ConnStream implements ByteStream {
  readonly headroom = HEADROOM;
  readonly #conn: Deno.Conn;
  readonly #size = new ReadSize();
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #locked = false;
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  read(): Promise<Uint8Array | null> {
    const size = this.#size.size;
    if (this.#buffer.length !== size) {
      this.#buffer = new Uint8Array(new ArrayBuffer(HEADROOM + size), HEADROOM);
    }
    return this.#conn.read(this.#buffer).then(this.#came, rethrow);
  }

  readonly #came = (count: number | null): Uint8Array | null => {
    if (count === null) return null;
    this.#size.took(count);
    const buffer = this.#buffer;
    return count === buffer.length ? buffer : buffer.subarray(0, count);
  };

  async write(bytes: Uint8Array): Promise<void> {
    // A write may take several calls; another must not come between them.
    if (this.#locked) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#locked = true;
    try {
      let count = 0;
      while (count < bytes.length) {
        count += await this.#conn.write(count === 0 ? bytes : bytes.subarray(count));
      }
    } catch (error) {
      throw toNetError(error);
    } finally {
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else this.#locked = false;
    }
  }

  async closeWrite(): Promise<void> {
    try {
      if (this.#locked) await this.write(EMPTY);
      await this.#conn.closeWrite();
    } catch (error) {
      throw toNetError(error);
    }
  }

  unsent(): Promise<number | null> {
    const { localAddr: local, remoteAddr: remote } = this.#conn;
    if (!("hostname" in local && "hostname" in remote)) return Promise.resolve(null);
    return unsentBytes({ local, remote });
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // Already closed.
    }
  }
}

function rethrow(error: unknown): never {
  throw toNetError(error);
}
