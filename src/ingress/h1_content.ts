import { NetError, toNetError } from "../net/error.ts";
import { HttpError } from "../protocol/http1/error.ts";
import type { SequenceEvent } from "../protocol/http1/request_sequence.ts";
import type { PeerError } from "../protocol/wire/error.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { H1Link } from "./h1_link.ts";
import type { Content } from "./offer.ts";

/** RFC 9110 §15.5.9 */
export const REQUEST_TIMEOUT = 408;

/** Of content that nobody reads so much is read for the sake of the next request. */
export const MAX_DISCARD_BYTES = 65536;

export interface H1ContentOptions {
  link: H1Link;
  /** In bytes; `null` for a chunked one. */
  length: number | null;
  /** How long the next bytes may take to come, once they are waited for. */
  timeoutMs: number;
  /** Called before the first read. */
  onFirstRead: () => void;
  /** It was read to its end. */
  onEnd: () => void;
  /** It broke off: the client broke a rule, was too slow, or is gone. */
  onBroken: (error: PeerError | NetError) => void;
}

/** The content of a request (RFC 9112 §6), in the order that it comes on the connection. */
export class H1Content implements Content {
  readonly length: number | null;
  readonly #options: H1ContentOptions;
  /** How much is still to come; unknown of a chunked one. */
  #left: number;
  /** What was told already and not given yet. */
  #event: SequenceEvent | null = null;
  #trailers: readonly Field[] = [];
  #started = false;
  #ended = false;
  #cancelled = false;
  #error: PeerError | NetError | null = null;
  #resolve: ((bytes: Uint8Array | null) => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;

  constructor(options: H1ContentOptions) {
    this.#options = options;
    this.length = options.length;
    this.#left = options.length ?? Infinity;
  }

  get trailers(): readonly Field[] {
    return this.#trailers;
  }

  get ended(): boolean {
    return this.#ended;
  }

  read(): Promise<Uint8Array | null> {
    try {
      if (!this.#started) {
        this.#started = true;
        this.#options.onFirstRead();
      }
      if (this.#cancelled) throw new NetError("aborted", "The content was cancelled");
      if (this.#ended) return Promise.resolve(null);
      const event = this.#next();
      if (event === null) return this.#await();
      return Promise.resolve(event.type === "data" ? event.bytes : null);
    } catch (error) {
      return Promise.reject(this.#broken(error));
    }
  }

  /** Whether there are bytes of it that came with those before them. */
  get isHere(): boolean {
    if (this.#ended) return false;
    try {
      this.#event ??= this.#options.link.sequence.next();
    } catch {
      // The parser says it again to whoever reads on.
      return true;
    }
    return this.#event !== null;
  }

  /** Whether nothing of it was read yet, and nothing has come: a read below takes nothing away. */
  get isAwaited(): boolean {
    return !this.#started && !this.#cancelled && !this.isHere;
  }

  /** The next event of what has come; an "end" is taken note of. */
  #next(): SequenceEvent | null {
    if (this.#error !== null) throw this.#error;
    const event = this.#event ?? this.#options.link.sequence.next();
    this.#event = null;
    if (event === null) return null;
    if (event.type === "data") this.#left -= event.bytes.length;
    if (event.type === "end") {
      this.#ended = true;
      this.#trailers = event.trailers;
      this.#options.onEnd();
    }
    return event;
  }

  /** By callbacks, so that `cancel` ends the wait and leaves the read to whoever comes next. */
  #await(): Promise<Uint8Array | null> {
    const { link, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      link.readWithin(timeoutMs, this.#late);
      link.read().then(this.#came, this.#failed);
    });
  }

  readonly #came = (chunk: Uint8Array | null): void => {
    const resolve = this.#resolve;
    if (resolve === null) return;
    const { link, timeoutMs } = this.#options;
    try {
      this.#push(chunk);
      const event = this.#next();
      if (event === null) {
        link.readWithin(timeoutMs, this.#late);
        link.read().then(this.#came, this.#failed);
        return;
      }
      link.readDone();
      this.#resolve = this.#reject = null;
      resolve(event.type === "data" ? event.bytes : null);
    } catch (error) {
      this.#failed(error);
    }
  };

  #push(chunk: Uint8Array | null): void {
    const { link } = this.#options;
    if (chunk === null) {
      // RFC 9112 §8: a request that is cut off is no whole one.
      link.sequence.end();
      throw new Error("FIN is not the end of a request's content");
    }
    link.took();
    link.sequence.push(chunk);
  }

  readonly #failed = (error: unknown): void => {
    const reject = this.#reject;
    if (reject === null) return;
    this.#resolve = this.#reject = null;
    this.#options.link.readDone();
    reject(this.#broken(error));
  };

  readonly #late = (): void => {
    this.#failed(new HttpError(REQUEST_TIMEOUT, "The content took too long to come"));
  };

  /** It is broken from now on; the first to say so tells the door. */
  #broken(error: unknown): unknown {
    if (this.#cancelled || this.#error !== null) return error;
    this.#error = error instanceof HttpError ? error : toNetError(error);
    this.#options.onBroken(this.#error);
    return this.#error;
  }

  /** The client is gone, or the door is: who waits is told. */
  break(error: NetError): void {
    this.#error ??= error;
    this.#failed(this.#error);
  }

  cancel(): void {
    this.#cancelled = true;
    this.#failed(new NetError("aborted", "The content was cancelled"));
  }

  /**
   * Whether the next request can be reached, now that this one is answered: all has come, or nobody
   * reads it (any more, where it `mayBeRead` while the answer goes out) and what is still to come
   * is little. RFC 9112 §9.3: it must be read, or the connection ends.
   */
  settle(mayBeRead: boolean): boolean {
    if (this.#ended) return true;
    if (this.#error !== null) return false;
    if ((this.#started || mayBeRead) && !this.#cancelled && this.#left > 0) return false;
    this.#cancelled = true;
    try {
      while (this.#next() !== null);
    } catch (error) {
      if (error instanceof HttpError) return false;
      throw error;
    }
    return this.#ended || this.#left <= MAX_DISCARD_BYTES;
  }

  /** Behind a `settle` that was true: reads to the end. Rejects where it breaks off. */
  async discard(late: () => void): Promise<void> {
    const { link, timeoutMs } = this.#options;
    while (!this.#ended) {
      link.readWithin(timeoutMs, late);
      this.#push(await link.read());
      while (this.#next() !== null);
    }
    link.readDone();
  }
}
