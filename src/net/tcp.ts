import type { ByteStream } from "./byte_stream.ts";
import { toNetError } from "./error.ts";
import { HEADROOM, ReadSize } from "./read_buffer.ts";

const EMPTY = new Uint8Array(0);

/** A TCP, TLS or unix connection of Deno's as a `ByteStream`. */
export class ConnStream implements ByteStream {
  readonly headroom = HEADROOM;
  readonly #conn: Deno.Conn;
  readonly #size = new ReadSize();
  #buffer = new Uint8Array(0);
  #locked = false;
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async read(): Promise<Uint8Array | null> {
    const size = this.#size.size;
    let buffer = this.#buffer;
    if (buffer.length !== size) {
      buffer = this.#buffer = new Uint8Array(HEADROOM + size).subarray(HEADROOM);
    }
    try {
      const count = await this.#conn.read(buffer);
      if (count === null) return null;
      this.#size.took(count);
      return count === size ? buffer : buffer.subarray(0, count);
    } catch (error) {
      throw toNetError(error);
    }
  }

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
