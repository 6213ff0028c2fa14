import { setImmediate } from "node:timers";
import type { ByteStream } from "./byte_stream.ts";
import { NetError, toNetError } from "./error.ts";
import { type Sink, sinkOf, type Source, sourceOf } from "./quic_io.ts";
import { ReadSize } from "./read_buffer.ts";

/** How a stream's bytes are moved. */
export interface QuicStreamOptions {
  /** By Deno's ops, where there are any (default), or by its Web streams. */
  ops?: boolean;
  /** The sizes of the reads. */
  size?: ReadSize;
}

const EMPTY = new Uint8Array(0);

/** A call that waits for those before it, or is under way; its FIN where there are no bytes. */
interface Call {
  readonly bytes: Uint8Array | null;
  readonly resolve: () => void;
  readonly reject: (error: NetError) => void;
}

/** The sending side of a stream. */
export class QuicSendStream {
  /** RFC 9000 §2.1. Asked for at once: of a stream that is gone Deno throws. */
  readonly id: number;
  readonly #sink: Sink;
  /** Whether the sink is at work, also for a call that was given up. */
  #busy = false;
  /** The first one is under way. */
  readonly #calls: Call[] = [];
  #aborted: PromiseWithResolvers<void> | null = null;

  constructor(stream: Deno.QuicSendStream, { ops }: QuicStreamOptions = {}) {
    this.id = Number(stream.id);
    this.#sink = sinkOf(stream, ops);
  }

  /**
   * Resolves when all of `bytes` are taken; writes go out in the order of the calls. Rejects at once
   * when the stream is given up.
   */
  write(bytes: Uint8Array): Promise<void> {
    return this.#call(bytes);
  }

  /** FIN, behind all writes. */
  closeWrite(): Promise<void> {
    return this.#call(null);
  }

  #call(bytes: Uint8Array | null): Promise<void> {
    if (this.#aborted !== null) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      if (this.#calls.push({ bytes, resolve, reject }) === 1) this.#begin(bytes);
    });
  }

  #begin(bytes: Uint8Array | null): void {
    this.#busy = true;
    const work = bytes === null ? this.#sink.finish() : this.#sink.write(bytes);
    work.then(this.#did, this.#failed);
  }

  readonly #did = (): void => this.#next()?.resolve();

  readonly #failed = (error: unknown): void => this.#next()?.reject(toNetError(error));

  /** The call that is over; the next one begins. */
  #next(): Call | undefined {
    this.#busy = false;
    this.#aborted?.resolve();
    const call = this.#calls.shift();
    if (call?.bytes === null) this.#sink.close();
    if (this.#calls.length > 0) this.#begin(this.#calls[0].bytes);
    return call;
  }

  /**
   * Drops what was not handed over yet and sends FIN, once the write under way is through: then it
   * resolves. Who waits for a write is told at once. Never rejects.
   */
  abortWrite(): Promise<void> {
    if (this.#aborted === null) {
      this.#aborted = Promise.withResolvers();
      this.#sink.close();
      if (!this.#busy) this.#aborted.resolve();
      for (const { reject } of this.#calls.splice(0)) reject(aborted());
    }
    return this.#aborted.promise;
  }
}

/** The receiving side of a stream. */
export class QuicReceiveStream {
  readonly #source: Source;
  readonly #size: ReadSize;
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  /** The one read that waits. */
  #reading: PromiseWithResolvers<Uint8Array | null> | null = null;
  #stopped = false;
  #ended = false;

  constructor(stream: Deno.QuicReceiveStream, { ops, size }: QuicStreamOptions = {}) {
    this.#source = sourceOf(stream, ops);
    this.#size = size ?? new ReadSize();
  }

  /** The next bytes; valid until the next read. `null` at FIN; rejects once it is stopped. */
  read(): Promise<Uint8Array | null> {
    // While much comes, a turn of the loop lets more of it arrive: fewer reads, fewer writes behind.
    return this.#size.busy ? nextTurn().then(() => this.#read()) : this.#read();
  }

  #read(): Promise<Uint8Array | null> {
    if (this.#stopped) return Promise.reject(stopped());
    if (this.#ended) return Promise.resolve(null);
    const { size } = this.#size;
    // While it is read into it is the source's.
    if (this.#buffer.length !== size) this.#buffer = new Uint8Array(size);
    const reading = Promise.withResolvers<Uint8Array | null>();
    this.#reading = reading;
    this.#source.read(this.#buffer, this.#came, this.#failed);
    return reading.promise;
  }

  readonly #came = (bytes: Uint8Array<ArrayBuffer> | null): void => {
    const reading = this.#reading;
    this.#reading = null;
    if (bytes === null) {
      this.#ended = true;
      this.#source.close();
      // What our own end of it cuts short is no FIN of the peer's: then nobody waits any more.
      return reading?.resolve(null);
    }
    // Web streams give another buffer than they took.
    if (bytes.buffer !== this.#buffer.buffer) this.#buffer = new Uint8Array(bytes.buffer);
    this.#size.took(bytes.length);
    reading?.resolve(bytes);
  };

  readonly #failed = (error: unknown): void => {
    const reading = this.#reading;
    this.#reading = null;
    reading?.reject(toNetError(error));
  };

  /** Reads no more: what was not read is dropped, and the peer gets STOP_SENDING. */
  stopReading(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#source.close();
    const reading = this.#reading;
    this.#reading = null;
    reading?.reject(stopped());
  }
}

/** A stream in both directions. */
export class QuicStream implements ByteStream {
  readonly headroom = 0;
  readonly #send: QuicSendStream;
  readonly #receive: QuicReceiveStream;

  constructor(
    readable: Deno.QuicReceiveStream,
    writable: Deno.QuicSendStream,
    options: QuicStreamOptions = {},
  ) {
    this.#send = new QuicSendStream(writable, options);
    this.#receive = new QuicReceiveStream(readable, options);
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

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function stopped(): NetError {
  return new NetError("aborted", "reading was stopped");
}

function aborted(): NetError {
  return new NetError("aborted", "the stream was given up");
}
