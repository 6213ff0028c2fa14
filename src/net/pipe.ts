import type { ByteStream } from "./byte_stream.ts";
import { NetError } from "./error.ts";

/** Two ends: what is written to one is read from the other. Nothing is copied, and nothing held. */
export function pipe(): [ByteStream, ByteStream] {
  const there = new OneWay();
  const back = new OneWay();
  return [endOf(there, back), endOf(back, there)];
}

function endOf(out: OneWay, into: OneWay): ByteStream {
  return {
    headroom: 0,
    read: () => into.read(),
    write: (bytes) => out.write(bytes),
    closeWrite: () => out.close(),
    abort: (reason = "the other end is gone") => {
      const error = new NetError("aborted", reason);
      out.fail(error);
      into.fail(error);
    },
  };
}

/** One direction. A write is done when its reader comes again: until then the bytes are lent. */
class OneWay {
  #chunk: Uint8Array | null = null;
  /** Called when the chunk is done with, or it is all over. */
  #taken: (() => void) | null = null;
  /** Called when there is something to be read. */
  #came: (() => void) | null = null;
  #lent = false;
  #closed = false;
  #error: NetError | null = null;
  /** The end of the last write that was begun. */
  #last: Promise<void> = Promise.resolve();

  async read(): Promise<Uint8Array | null> {
    if (this.#lent) this.#done();
    for (;;) {
      if (this.#error !== null) throw this.#error;
      if (this.#chunk !== null) {
        this.#lent = true;
        return this.#chunk;
      }
      if (this.#closed) return null;
      await new Promise<void>((resolve) => this.#came = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    const written = this.#last.then(() => this.#offer(bytes));
    this.#last = written.catch(() => {});
    return written;
  }

  async #offer(bytes: Uint8Array): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (bytes.length === 0) return;
    const taken = new Promise<void>((resolve) => this.#taken = resolve);
    this.#chunk = bytes;
    this.#came?.();
    await taken;
    if (this.#error !== null) throw this.#error;
  }

  #done(): void {
    this.#lent = false;
    this.#chunk = null;
    this.#taken?.();
  }

  /** Behind all writes. */
  async close(): Promise<void> {
    await this.#last;
    if (this.#error !== null) throw this.#error;
    this.#closed = true;
    this.#came?.();
  }

  fail(error: NetError): void {
    // Where all has been read there is nothing left to break.
    if (this.#error !== null || (this.#closed && this.#chunk === null)) return;
    this.#error = error;
    this.#done();
    this.#came?.();
  }
}
