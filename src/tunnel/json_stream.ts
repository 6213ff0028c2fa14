import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";

/** What a stream needs of its link. */
export interface JsonLinkOfStream {
  /** Sends bytes; resolves when they may be reused. */
  sendData(stream: JsonStream, bytes: Uint8Array): Promise<void>;
  /** Sends a "close" behind all data. */
  sendClose(stream: JsonStream, reason: string): void;
  /** Sends an "error", and then a "close": it has not come to its end. */
  sendError(stream: JsonStream, reason: string): void;
  /** So many bytes are not held any more. */
  took(stream: JsonStream, bytes: number): void;
}

/**
 * One connection through a link of JSON messages. A "close" ends both of its ways: what came before
 * it is still read, what is written after it goes nowhere.
 */
export class JsonStream implements ByteStream {
  readonly headroom = 0;
  readonly endsBothWays = true;
  readonly id: string;
  /** Whether each chunk is a datagram, which may be lost. */
  readonly isLossy: boolean;
  /** Bytes that came and were not read yet. */
  unread = 0;
  readonly #link: JsonLinkOfStream;
  readonly #came: Uint8Array[] = [];
  /** A "close" was sent, or came. */
  #closed = false;
  /** Nothing is sent any more. */
  #isDeaf = false;
  #error: NetError | null = null;
  #reading: PromiseWithResolvers<void> | null = null;
  #taking: PromiseWithResolvers<void> | null = null;

  constructor(link: JsonLinkOfStream, id: string, protocol: "tcp" | "udp") {
    this.id = id;
    this.isLossy = protocol === "udp";
    this.#link = link;
  }

  /** Whether data of it is dropped: the peer has closed it, or it has failed. */
  get isDeaf(): boolean {
    return this.#isDeaf;
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#came.shift();
      if (chunk !== undefined) {
        this.#took(chunk.length);
        return chunk;
      }
      if (this.#error !== null) throw this.#error;
      if (this.#closed) return null;
      this.#reading = Promise.withResolvers();
      await this.#reading.promise;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (!this.#isDeaf) await this.#link.sendData(this, bytes);
  }

  closeWrite(): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error);
    if (!this.#closed) {
      this.#closed = true;
      this.#reading?.resolve();
      this.#link.sendClose(this, "end of stream");
    }
    return Promise.resolve();
  }

  abort(reason = "aborted"): void {
    if (!this.#closed) this.#link.sendError(this, reason);
    this.fail(new NetError("aborted", reason));
  }

  /** Bytes have come. */
  push(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    this.#came.push(bytes);
    this.unread += bytes.length;
    this.#reading?.resolve();
  }

  /** Its "close" has come: it ends behind what came before. */
  end(): void {
    this.#isDeaf = true;
    this.#closed = true;
    this.#reading?.resolve();
  }

  /** It is over at once. */
  fail(error: NetError): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#closed = true;
    this.#isDeaf = true;
    this.#came.length = 0;
    this.#reading?.resolve();
    this.#took(this.unread);
  }

  /** Resolves when something is read of it, or nothing more will be. */
  get taking(): Promise<void> {
    this.#taking ??= Promise.withResolvers();
    return this.#taking.promise;
  }

  #took(bytes: number): void {
    this.unread -= bytes;
    this.#link.took(this, bytes);
    this.#taking?.resolve();
    this.#taking = null;
  }
}
