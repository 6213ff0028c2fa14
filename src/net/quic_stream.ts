import { setImmediate } from "node:timers";
import type { ByteStream } from "./byte_stream.ts";
import { NetError, toNetError } from "./error.ts";
import { ReadSize } from "./read_buffer.ts";

/** The sending side of a stream. */
export class QuicSendStream {
  /** RFC 9000 §2.1. Asked for at once: of a stream that is gone Deno throws. */
  readonly id: number;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(stream: Deno.QuicSendStream) {
    this.id = Number(stream.id);
    this.#writer = stream.getWriter();
    this.#writer.closed.catch(ignore);
    this.#writer.ready.catch(ignore);
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#writer.write(bytes);
    } catch (error) {
      throw toNetError(error);
    }
  }

  async closeWrite(): Promise<void> {
    try {
      await this.#writer.close();
    } catch (error) {
      throw toNetError(error);
    }
  }

  /**
   * Drops what was not handed over yet and sends FIN, once the write under way is through: then it
   * resolves. Never rejects.
   */
  abortWrite(): Promise<void> {
    return this.#writer.abort().catch(ignore);
  }
}

/** The receiving side of a stream. */
export class QuicReceiveStream {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #size: ReadSize;
  #buffer: ArrayBuffer | null = null;
  #stopped = false;

  constructor(stream: Deno.QuicReceiveStream, size: ReadSize = new ReadSize()) {
    this.#reader = stream.getReader({ mode: "byob" });
    this.#reader.closed.catch(ignore);
    this.#size = size;
  }

  /** The next bytes; valid until the next read. `null` at FIN; rejects once it is stopped. */
  async read(): Promise<Uint8Array | null> {
    // While much comes, a turn of the loop lets more of it arrive: fewer reads, fewer writes behind.
    if (this.#size.busy) await nextTurn();
    const size = this.#size.size;
    let buffer = this.#buffer;
    if (buffer === null || buffer.byteLength !== size) buffer = new ArrayBuffer(size);
    this.#buffer = null;
    try {
      const { value, done } = await this.#reader.read(new Uint8Array(buffer));
      // What our own end of it cuts short is no FIN of the peer's.
      if (done && this.#stopped) throw new NetError("aborted", "reading was stopped");
      if (done || value === undefined) return null;
      this.#buffer = value.buffer;
      this.#size.took(value.length);
      return value;
    } catch (error) {
      throw toNetError(error);
    }
  }

  /** Reads no more: what was not read is dropped, and the peer gets STOP_SENDING. */
  stopReading(): void {
    this.#stopped = true;
    this.#reader.cancel().catch(ignore);
  }
}

/** A stream in both directions. */
export class QuicStream implements ByteStream {
  readonly headroom = 0;
  readonly #send: QuicSendStream;
  readonly #receive: QuicReceiveStream;

  constructor(readable: Deno.QuicReceiveStream, writable: Deno.QuicSendStream) {
    this.#send = new QuicSendStream(writable);
    this.#receive = new QuicReceiveStream(readable);
  }

  get id(): number {
    return this.#send.id;
  }

  read(): Promise<Uint8Array | null> {
    return this.#receive.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#send.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#send.closeWrite();
  }

  stopReading(): void {
    this.#receive.stopReading();
  }

  /**
   * STOP_SENDING and FIN. A write that waits for the peer's flow control can't be taken back: it
   * and its stream go with the connection, or when the peer reads on. Resolves then; never rejects.
   */
  abort(): Promise<void> {
    this.#receive.stopReading();
    return this.#send.abortWrite();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whatever ends a stream is told where it is read or written. */
function ignore(): void {}
