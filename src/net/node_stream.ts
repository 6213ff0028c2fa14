// node:tls reads on while it is paused, so the socket below it is stopped by its handle, which is
// internal API: tests/net/tls_test.ts pins it.
import type * as net from "node:net";
import type * as tls from "node:tls";
import type { ByteStream } from "./byte_stream.ts";
import { NetError, toNetError } from "./error.ts";
import { type NodeIo, nodeIo } from "./node_io.ts";
import { HEADROOM, ReadSize } from "./read_buffer.ts";
import { unsentBytes } from "./send_queue.ts";
import type { StreamSocket } from "./stream_socket.ts";

interface Handle {
  readStop(): void;
  readStart(): void;
  /** 0, or the negative number of an error. */
  getpeername?(out: object): number;
}

/** A write that waits for those before it, or is under way. */
interface Write {
  readonly bytes: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: NetError) => void;
}

export interface NodeStreamOptions {
  /** Called once, when the socket and the one below are gone. */
  readonly onClosed?: () => void;
  /** Whether bytes go by the socket's handle, where there is one as it is known. Default: yes. */
  readonly direct?: boolean;
  /** Whether `abort` ends what is not over by RST, in place of FIN. Default: no. */
  readonly resets?: boolean;
}

const EMPTY = new Uint8Array(0);
// Every connection ends by one of these: an error of its own would cost more than its last write.
const CLOSED = new NetError("lost", "connection closed");
const ABORTED = new NetError("aborted", "aborted");
const SMALLEST_READ = 256;

/** A socket of node:tls, whose handshake is over, or of node:net, as a `ByteStream`. */
export class NodeStream implements ByteStream {
  readonly headroom = HEADROOM;
  readonly #socket: tls.TLSSocket;
  readonly #raw: net.Socket | StreamSocket;
  readonly #handle: Handle | undefined;
  readonly #io: NodeIo;
  readonly #resets: boolean;
  readonly #size = new ReadSize(SMALLEST_READ);
  /** That of the chunk that was read last, for the next. */
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  /** What came while nobody read. */
  readonly #chunks: Uint8Array[] = [];
  #stopped = false;
  #ended = false;
  #error: NetError | null = null;
  #reader: PromiseWithResolvers<Uint8Array | null> | null = null;
  /** The first one is under way. */
  readonly #writes: Write[] = [];

  /** `raw` is the TCP socket below, or what stands for one. */
  constructor(
    socket: tls.TLSSocket,
    raw: net.Socket | StreamSocket,
    options: NodeStreamOptions = {},
  ) {
    this.#socket = socket;
    this.#raw = raw;
    this.#handle = (raw as unknown as { _handle?: Handle })._handle;
    this.#resets = options.resets ?? false;
    this.#io = nodeIo(socket, this.#came, options.direct);
    this.#stop();
    socket.on("end", () => {
      // node:tls tells RST as an end; the kernel has no peer any more then. Behind our own FIN the
      // two can't be told apart, as an orderly end leaves none either.
      if (!socket.writableEnded && this.#handle?.getpeername?.({})) {
        return this.#fail(new NetError("reset", "connection reset"));
      }
      this.#ended = true;
      this.#reader?.resolve(null);
      this.#reader = null;
    });
    socket.on("error", (error) => this.#fail(toNetError(error)));
    socket.once("close", () => {
      this.#fail(CLOSED);
      this.#raw.destroy();
      options.onClosed?.();
    });
  }

  /** What ALPN chose (RFC 7301). */
  get alpn(): string | null {
    return this.#socket.alpnProtocol || null;
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  #stop(): void {
    this.#stopped = true;
    this.#handle?.readStop();
  }

  readonly #came = (bytes: Uint8Array): void => {
    const reader = this.#reader;
    if (reader === null) {
      this.#stop();
      if (this.#error === null) this.#chunks.push(withHeadroom(bytes));
      return;
    }
    this.#reader = null;
    reader.resolve(this.#keep(bytes));
  };

  /** A copy of `bytes` in the buffer of the stream, which the last reader is done with. */
  #keep(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    this.#size.took(length);
    const size = Math.max(length, this.#size.size);
    if (this.#buffer.length !== size) {
      this.#buffer = new Uint8Array(new ArrayBuffer(HEADROOM + size), HEADROOM);
    }
    this.#buffer.set(bytes);
    return length === size ? this.#buffer : this.#buffer.subarray(0, length);
  }

  #fail(error: NetError): void {
    this.#error ??= error;
    const reader = this.#reader;
    this.#reader = null;
    reader?.reject(this.#error);
    // node:tls does not call back for a write that is under way when the socket closes.
    for (const { reject } of this.#writes.splice(0)) reject(this.#error);
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.#ended) return Promise.resolve(null);
    if (this.#error !== null) return Promise.reject(this.#error);
    this.#reader = Promise.withResolvers();
    if (this.#stopped) {
      this.#stopped = false;
      this.#handle?.readStart();
    }
    return this.#reader.promise;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      if (this.#writes.push({ bytes, resolve, reject }) === 1) this.#next(bytes);
    });
  }

  /** Nothing can't be written by the handle. */
  #next(bytes: Uint8Array): void {
    if (bytes.length === 0) this.#wrote(null);
    else this.#io.write(bytes, this.#wrote);
  }

  readonly #wrote = (error: NetError | null): void => {
    const write = this.#writes.shift();
    if (write === undefined) return;
    if (error !== null) {
      write.reject(error);
      this.#socket.destroy();
      return this.#fail(error);
    }
    write.resolve();
    if (this.#writes.length > 0) this.#next(this.#writes[0].bytes);
  };

  async closeWrite(): Promise<void> {
    if (this.#socket.writableEnded) return;
    // Behind what is under way.
    if (this.#writes.length > 0) await this.write(EMPTY);
    if (this.#error !== null) throw this.#error;
    if (this.#socket.writableEnded) return;
    await new Promise<void>((resolve, reject) => {
      const write = { bytes: EMPTY, resolve, reject };
      this.#writes.push(write);
      this.#socket.end(() => this.#wrote(null));
    });
  }

  isLost(): boolean {
    // Behind our own FIN an orderly end leaves no peer either.
    if (this.#socket.writableEnded || this.#socket.destroyed) return false;
    return (this.#handle?.getpeername?.({}) ?? 0) !== 0;
  }

  unsent(): Promise<number | null> {
    if (!("localAddress" in this.#raw)) return Promise.resolve(null);
    const { localAddress, localPort, remoteAddress, remotePort } = this.#raw;
    if (localAddress === undefined || remoteAddress === undefined) return Promise.resolve(null);
    return unsentBytes({
      local: { hostname: localAddress, port: localPort ?? 0 },
      remote: { hostname: remoteAddress, port: remotePort ?? 0 },
    });
  }

  abort(): void {
    if (this.#socket.destroyed && this.#raw.destroyed) return;
    // Behind both FINs what was written is still on its way, and RST would take it back.
    const isOver = this.#ended && this.#socket.writableEnded && this.#error === null;
    this.#chunks.length = 0;
    this.#ended = false;
    this.#fail(ABORTED);
    if (this.#resets && !isOver) return void this.#raw.resetAndDestroy();
    this.#socket.destroy();
    this.#raw.destroy();
  }
}

function withHeadroom(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(HEADROOM + bytes.length).subarray(HEADROOM);
  copy.set(bytes);
  return copy;
}
