import type { ByteStream } from "../net/byte_stream.ts";
import { ResponseHeadParser } from "../protocol/http1/head.ts";

/** A connection to an HTTP/1.1 server, which carries one request after the other. */
export class H1Connection {
  readonly stream: ByteStream;
  readonly heads: ResponseHeadParser;
  /** How many requests it has carried. */
  requests = 0;
  /** When it has been idle for too long. */
  idleUntilMs = Infinity;
  /** The read that was begun while it was idle, if nobody has its outcome yet. */
  #watched: Promise<Uint8Array | null> | null = null;
  #lost: (() => void) | null = null;
  #dropped = false;

  constructor(stream: ByteStream, maxHeaderBytes: number) {
    this.stream = stream;
    this.heads = new ResponseHeadParser({ limit: maxHeaderBytes });
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  /**
   * Watches it between two requests. `lost` is called once if anything comes, be it bytes or an end:
   * RFC 9112 §9.2: an answer that nobody asked for is not that of the next request.
   */
  watch(lost: () => void): void {
    this.#lost = lost;
    const read = this.stream.read();
    this.#watched = read;
    read.then(this.#came, this.#came);
  }

  readonly #came = (): void => {
    const lost = this.#lost;
    this.#lost = null;
    lost?.();
  };

  /** Ends the watch: the read that is under way becomes the first one of the next request. */
  take(): void {
    this.#lost = null;
    if (this.requests++ > 0) this.heads.restart();
  }

  read(): Promise<Uint8Array | null> {
    const watched = this.#watched;
    if (watched === null) return this.stream.read();
    this.#watched = null;
    return watched;
  }

  /** Ends it for good. */
  drop(): void {
    this.#lost = null;
    if (this.#dropped) return;
    this.#dropped = true;
    this.stream.abort();
  }
}
