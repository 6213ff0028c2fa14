import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { Turns } from "../net/turns.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { Mux } from "../protocol/tunnel/mux.ts";

/** What a stream needs of its link. */
export interface MuxLinkOfStream {
  readonly mux: Mux;
  /** Sends what waits in the mux. */
  flush(): void;
  /** Sends what waits, and then this message; resolves when it may be reused. */
  send(message: Uint8Array): Promise<void>;
}

/** One connection through a link of frames. */
export class MuxStream implements ByteStream {
  readonly headroom = 0;
  onReset: ((error: NetError) => void) | null = null;
  readonly #id: number;
  readonly #link: MuxLinkOfStream;
  readonly #over: () => void;
  /** Who writes waits for those before: for credit, too. */
  readonly #turns = new Turns();
  #finished = false;
  readonly #came: Uint8Array[] = [];
  #ended = false;
  #error: NetError | null = null;
  #reading: PromiseWithResolvers<void> | null = null;
  #waiting: PromiseWithResolvers<void> | null = null;

  /** `over` is called once, when nothing more can come of it. */
  constructor(id: number, link: MuxLinkOfStream, over: () => void) {
    this.#id = id;
    this.#link = link;
    this.#over = over;
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#came.shift();
      if (chunk !== undefined) {
        // It goes on now, or with the next read: no more than one chunk is held beside the window.
        this.#link.mux.consumed(this.#id, chunk.length);
        this.#link.flush();
        return chunk;
      }
      if (this.#error !== null) throw this.#error;
      if (this.#ended) return null;
      this.#reading = Promise.withResolvers();
      await this.#reading.promise;
    }
  }

  async write(bytes: Uint8Array, headroom = 0): Promise<void> {
    const turn = this.#turns.take();
    if (turn !== null) await turn;
    try {
      await this.#write(bytes, headroom);
    } finally {
      this.#turns.done();
    }
  }

  async #write(bytes: Uint8Array, headroom: number): Promise<void> {
    const { mux } = this.#link;
    const header = mux.dataHeader(this.#id);
    for (let at = 0; at < bytes.length;) {
      const size = Math.min(bytes.length - at, mux.maxFrameBytes, await this.#credit());
      // It may have ended while that was waited for, be it for no time at all.
      if (this.#error !== null) throw this.#error;
      const message = at === 0 && headroom >= header
        ? new Uint8Array(bytes.buffer, bytes.byteOffset - header, header + size)
        : copyBehind(header, bytes.subarray(at, at + size));
      this.#link.flush();
      mux.writeDataHeader(message, 0, this.#id);
      await this.#link.send(message);
      at += size;
    }
  }

  /** How much may be sent; waits until it is something. */
  async #credit(): Promise<number> {
    for (;;) {
      if (this.#error !== null) throw this.#error;
      const sendable = this.#link.mux.sendable(this.#id);
      if (sendable > 0) return sendable;
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  async closeWrite(): Promise<void> {
    const turn = this.#turns.take();
    if (turn !== null) await turn;
    try {
      if (this.#error !== null) throw this.#error;
      if (this.#finished) return;
      this.#link.mux.fin(this.#id);
      this.#link.flush();
      this.#finished = true;
      if (this.#ended) this.#over();
    } finally {
      this.#turns.done();
    }
  }

  abort(reason = "aborted"): void {
    if (this.#error !== null) return;
    this.#link.mux.reset(this.#id, TunnelCode.CONNECTION_FAILED, reason);
    this.#link.flush();
    this.fail(new NetError("aborted", reason));
  }

  /** Bytes have come. */
  push(bytes: Uint8Array): void {
    if (this.#error !== null) return this.#link.mux.consumed(this.#id, bytes.length);
    this.#came.push(bytes);
    this.#reading?.resolve();
  }

  /** No more will come. */
  end(): void {
    this.#ended = true;
    this.#reading?.resolve();
    if (this.#finished) this.#over();
  }

  /** More may be sent. */
  wake(): void {
    this.#waiting?.resolve();
  }

  /** It is over. */
  fail(error: NetError): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.onReset?.(error);
    this.#came.length = 0;
    this.#reading?.resolve();
    this.#waiting?.resolve();
    this.#over();
  }
}

function copyBehind(header: number, bytes: Uint8Array): Uint8Array {
  const message = new Uint8Array(header + bytes.length);
  message.set(bytes, header);
  return message;
}
