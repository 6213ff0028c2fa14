import type { ByteStream } from "./byte_stream.ts";
import { toNetError } from "./error.ts";
import { internalNumber, OPS } from "./ops.ts";
import { HEADROOM, ReadSize, TUNNEL_READ_SIZE } from "./read_buffer.ts";
import { type Resetter, resetterOf } from "./reset.ts";
import { unsentBytes } from "./send_queue.ts";
import { Turns } from "./turns.ts";

const EMPTY = new Uint8Array(0);

/** So few bytes the system takes at once, whether the peer reads or not. */
const NEVER_WAITS = 2 * 1024;

/** A TCP, TLS or unix connection of Deno's as a `ByteStream`. */
export class ConnStream implements ByteStream {
  readonly headroom = HEADROOM;
  /** There is no TLS that ALPN could have been spoken in. */
  readonly alpn = null;
  readonly #conn: Deno.Conn;
  readonly #size: ReadSize;
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  readonly #turns = new Turns();
  #closed = false;
  /** Whether `abort` ends what is not over by RST, in place of FIN. */
  readonly #resets: boolean;
  /** What does so, once it was asked for. */
  #resetter: Resetter | null = null;
  /** Bytes, as long as it was not. */
  #written = 0;
  /** Of what is moved by ops: of tunnels' connections, which the process always waits for. */
  readonly #rid: number | null;
  #ended = false;
  #finished = false;

  constructor(conn: Deno.Conn, { resets = false }: { resets?: boolean } = {}) {
    this.#conn = conn;
    this.#size = new ReadSize(resets ? TUNNEL_READ_SIZE : undefined);
    this.#resets = resets;
    this.#rid = resets && OPS !== null ? internalNumber(conn, "Deno.internal.rid") : null;
  }

  ref(): void {
    this.#conn.ref();
  }

  unref(): void {
    this.#conn.unref();
  }

  read(): Promise<Uint8Array | null> {
    const size = this.#size.size;
    if (this.#buffer.length !== size) {
      this.#buffer = new Uint8Array(new ArrayBuffer(HEADROOM + size), HEADROOM);
    }
    const reading = this.#rid === null
      ? this.#conn.read(this.#buffer)
      : OPS!.read(this.#rid, this.#buffer);
    return reading.then(this.#came, rethrow);
  }

  readonly #came = (count: number | null): Uint8Array | null => {
    if (count === null || count === 0) {
      this.#ended = true;
      return null;
    }
    this.#size.took(count);
    const buffer = this.#buffer;
    return count === buffer.length ? buffer : buffer.subarray(0, count);
  };

  async write(bytes: Uint8Array): Promise<void> {
    // A write may take several calls; another must not come between them.
    const turn = this.#turns.take();
    if (turn !== null) await turn;
    try {
      if (this.#resets && this.#written < NEVER_WAITS) this.#beforeWrite(bytes.length);
      if (this.#rid === null) await this.#writeAll(bytes);
      else await OPS!.writeAll(this.#rid, bytes);
    } catch (error) {
      throw toNetError(error);
    } finally {
      this.#turns.done();
    }
  }

  /** It costs a descriptor, and under a write that waits it can't be had. */
  #beforeWrite(bytes: number): void {
    this.#written += bytes;
    if (this.#written >= NEVER_WAITS) this.#resetter = resetterOf(this.#conn);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let count = 0; count < bytes.length;) {
      count += await this.#conn.write(count === 0 ? bytes : bytes.subarray(count));
    }
  }

  async closeWrite(): Promise<void> {
    const turn = this.#turns.take();
    if (turn !== null) await turn;
    try {
      await this.#conn.closeWrite();
      this.#finished = true;
    } catch (error) {
      throw toNetError(error);
    } finally {
      this.#turns.done();
    }
  }

  isLost(): boolean {
    if (this.#closed || !this.#resets) return false;
    return (this.#resetter ??= resetterOf(this.#conn))?.isLost() ?? false;
  }

  unsent(): Promise<number | null> {
    const { localAddr: local, remoteAddr: remote } = this.#conn;
    if (!("hostname" in local && "hostname" in remote)) return Promise.resolve(null);
    return unsentBytes({ local, remote });
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      // Behind both FINs what was written is still on its way, and RST would take it back.
      const isOver = this.#ended && this.#finished;
      if (this.#resets && !isOver) (this.#resetter ??= resetterOf(this.#conn))?.reset();
      this.#conn.close();
    } catch {
      // Already closed.
    } finally {
      this.#resetter?.close();
    }
  }
}

function rethrow(error: unknown): never {
  throw toNetError(error);
}
