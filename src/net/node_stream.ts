// node:tls reads on while it is paused, so the socket below it is stopped by its handle, which is
// internal API: tests/net/tls_test.ts pins it.
import type * as net from "node:net";
import type * as tls from "node:tls";
import type { ByteStream } from "./byte_stream.ts";
import { NetError, toNetError } from "./error.ts";

interface Handle {
  readStop(): void;
  readStart(): void;
  /** 0, or the negative number of an error. */
  getpeername?(out: object): number;
}

/** A socket of node:tls, whose handshake is over, as a `ByteStream`. */
export class NodeStream implements ByteStream {
  readonly headroom = 0;
  readonly #socket: tls.TLSSocket;
  readonly #raw: net.Socket;
  readonly #handle: Handle | undefined;
  readonly #chunks: Uint8Array[] = [];
  readonly #onClosed: () => void;
  #ended = false;
  #error: NetError | null = null;
  #reader: PromiseWithResolvers<Uint8Array | null> | null = null;
  readonly #writers = new Set<(error: NetError) => void>();

  /** `raw` is the TCP socket below; `onClosed` is called once, when both are gone. */
  constructor(socket: tls.TLSSocket, raw: net.Socket, onClosed: () => void = () => {}) {
    this.#socket = socket;
    this.#raw = raw;
    this.#onClosed = onClosed;
    this.#handle = (raw as unknown as { _handle?: Handle })._handle;
    this.#handle?.readStop();
    socket.on("data", this.#came);
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
      this.#fail(new NetError("lost", "connection closed"));
      this.#raw.destroy();
      this.#onClosed();
    });
  }

  readonly #came = (chunk: Uint8Array): void => {
    this.#handle?.readStop();
    const reader = this.#reader;
    if (reader === null) {
      if (this.#error === null) this.#chunks.push(chunk);
      return;
    }
    this.#reader = null;
    reader.resolve(chunk);
  };

  #fail(error: NetError): void {
    this.#error ??= error;
    const reader = this.#reader;
    this.#reader = null;
    reader?.reject(this.#error);
    for (const reject of this.#writers) reject(this.#error);
    this.#writers.clear();
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.#ended) return Promise.resolve(null);
    if (this.#error !== null) return Promise.reject(this.#error);
    this.#handle?.readStart();
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#untilDone((done) => this.#socket.write(bytes, done));
  }

  closeWrite(): Promise<void> {
    if (this.#socket.writableEnded) return Promise.resolve();
    return this.#untilDone((done) => this.#socket.end(done));
  }

  #untilDone(work: (done: (error?: Error | null) => void) => void): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      // node:tls does not call back for a write that is under way when the socket closes.
      this.#writers.add(reject);
      work((error) => {
        this.#writers.delete(reject);
        if (error) reject(this.#error ?? toNetError(error));
        else resolve();
      });
    });
  }

  abort(): void {
    this.#chunks.length = 0;
    this.#ended = false;
    this.#fail(new NetError("aborted", "aborted"));
    this.#socket.destroy();
    this.#raw.destroy();
  }
}
