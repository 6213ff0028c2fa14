// The two ways to the bytes of a QUIC stream: Deno's ops, or the Web streams around them. The Web
// streams take a quarter of all CPU for a 64-byte echo (see CONTRIBUTING.md), but only they are
// public. The ops are found by name, once, and wherever one is missing the Web streams serve.
import { OPS } from "./ops.ts";

/** Where the bytes of one direction come from. One `read` at a time. */
export interface Source {
  /** Gives the next bytes in `buffer`, or in another one of its size; `null` at FIN. */
  read(
    buffer: Uint8Array<ArrayBuffer>,
    came: (bytes: Uint8Array<ArrayBuffer> | null) => void,
    failed: (error: unknown) => void,
  ): void;
  /** Lets go of the stream: STOP_SENDING, if there is more to come. */
  close(): void;
}

/** Where the bytes of one direction go to. One call at a time. */
export interface Sink {
  /** Resolves when all of `bytes` are taken. */
  write(bytes: Uint8Array): Promise<void>;
  /** FIN. */
  finish(): Promise<void>;
  /** Lets go of the stream, which is a FIN behind the write under way. */
  close(): void;
}

/** Whether streams go by ops here. A test tells when a new Deno has none. */
export const hasOps: boolean = OPS !== null;

/** The property that names the resource below a stream, once it was seen. */
let backing: symbol | undefined;

/** The resource below a stream; `null` where there is none by that name. */
function resourceOf(stream: object): number | null {
  backing ??= Object.getOwnPropertySymbols(stream)
    .find(({ description }) => description === "[[resourceBacking]]");
  if (backing === undefined) return null;
  const rid = (stream as Record<symbol, { rid?: unknown } | null | undefined>)[backing]?.rid;
  return typeof rid === "number" ? rid : null;
}

/**
 * Frees what the Web stream around a resource has for its readers and writers, 2 KB a direction.
 * The stream itself stays: the resource is closed with it.
 */
function hollow<T extends object>(stream: T): T {
  const held = stream as Record<symbol, unknown>;
  for (const part of Object.getOwnPropertySymbols(stream)) {
    if (part !== backing) held[part] = undefined;
  }
  return stream;
}

/** The bytes that come by `stream`, by its ops if `ops` and there are any. */
export function sourceOf(stream: Deno.QuicReceiveStream, ops = true): Source {
  const rid = ops && OPS !== null ? resourceOf(stream) : null;
  return rid === null ? new WebSource(stream) : new OpSource(rid, hollow(stream));
}

/** The way into `stream`, by its ops if `ops` and there are any. */
export function sinkOf(stream: Deno.QuicSendStream, ops = true): Sink {
  const rid = ops && OPS !== null ? resourceOf(stream) : null;
  return rid === null ? new WebSink(stream) : new OpSink(rid, hollow(stream));
}

class OpSource implements Source {
  readonly #rid: number;
  /** A stream that nobody refers to is collected, and closed with it. */
  #held: object | null;

  constructor(rid: number, held: object) {
    this.#rid = rid;
    this.#held = held;
  }

  read(
    buffer: Uint8Array<ArrayBuffer>,
    came: (bytes: Uint8Array<ArrayBuffer> | null) => void,
    failed: (error: unknown) => void,
  ): void {
    OPS!.read(this.#rid, buffer).then((count) => {
      came(count === 0 ? null : count === buffer.length ? buffer : buffer.subarray(0, count));
    }, failed);
  }

  close(): void {
    if (this.#held === null) return;
    this.#held = null;
    OPS!.tryClose(this.#rid);
  }
}

class OpSink implements Sink {
  readonly #rid: number;
  #held: object | null;

  constructor(rid: number, held: object) {
    this.#rid = rid;
    this.#held = held;
  }

  write(bytes: Uint8Array): Promise<void> {
    return OPS!.writeAll(this.#rid, bytes);
  }

  /** To let go of a stream is its FIN: there is no other way. */
  finish(): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  close(): void {
    if (this.#held === null) return;
    this.#held = null;
    OPS!.tryClose(this.#rid);
  }
}

class WebSource implements Source {
  readonly #reader: ReadableStreamBYOBReader;

  constructor(stream: Deno.QuicReceiveStream) {
    // Not the default reader: it has a buffer of 64 KiB for each read that waits.
    this.#reader = stream.getReader({ mode: "byob" });
    this.#reader.closed.catch(ignore);
  }

  read(
    buffer: Uint8Array<ArrayBuffer>,
    came: (bytes: Uint8Array<ArrayBuffer> | null) => void,
    failed: (error: unknown) => void,
  ): void {
    this.#reader.read(buffer).then(({ value, done }) => came(done ? null : value), failed);
  }

  close(): void {
    this.#reader.cancel().catch(ignore);
  }
}

class WebSink implements Sink {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(stream: Deno.QuicSendStream) {
    this.#writer = stream.getWriter();
    this.#writer.closed.catch(ignore);
    this.#writer.ready.catch(ignore);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes);
  }

  finish(): Promise<void> {
    return this.#writer.close();
  }

  close(): void {
    this.#writer.abort().catch(ignore);
  }
}

/** Whatever ends a stream is told where it is read or written. */
function ignore(): void {}
