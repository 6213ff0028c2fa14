import { Duplex } from "node:stream";
import type { Dialled } from "./dial.ts";
import { toNetError } from "./error.ts";

/** A stream as a socket that node:tls can stand on. It reads no more than it is asked for. */
export class StreamSocket extends Duplex {
  readonly #stream: Dialled;
  #isStopped = false;
  #isWanted = false;
  #isReading = false;

  /** What stops reading from below, where node:tls reads on: as that of a socket. */
  readonly _handle: { readStop(): void; readStart(): void } = {
    readStop: () => this.#isStopped = true,
    readStart: () => {
      this.#isStopped = false;
      void this.#pump();
    },
  };

  constructor(stream: Dialled) {
    super({ allowHalfOpen: true, emitClose: true });
    this.#stream = stream;
  }

  override _read(): void {
    this.#isWanted = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#isWanted && !this.#isStopped && !this.destroyed) {
        const chunk = await this.#stream.read();
        if (this.destroyed) return;
        // A chunk is only lent.
        this.#isWanted = chunk !== null && this.push(chunk.slice());
        if (chunk === null) this.push(null);
      }
    } catch (error) {
      this.destroy(toNetError(error));
    } finally {
      this.#isReading = false;
    }
  }

  override _write(
    chunk: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    this.#stream.write(chunk).then(() => done(), (error) => done(toNetError(error)));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.closeWrite().then(() => done(), (error) => done(toNetError(error)));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stream.abort(error?.message);
    done(error);
  }

  /** What is given up has no RST of its own here: what is below it may. */
  resetAndDestroy(): this {
    return this.destroy();
  }

  /** As those of a socket. */
  ref(): this {
    this.#stream.ref();
    return this;
  }

  unref(): this {
    this.#stream.unref();
    return this;
  }
}
