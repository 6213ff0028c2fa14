import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import type { QuicStream } from "../net/quic_stream.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { Frame } from "../protocol/tunnel/frame.ts";

/** Nearly every connection ends so: the making of an error is not cheap. */
const OVER = new NetError("aborted", "the connection is over");

export interface QuicTunnelStreamOptions {
  /** What the gateway calls it. */
  id: number;
  stream: QuicStream;
  /** What the first read gives, where something was read already. */
  first: Promise<Uint8Array | null> | null;
  /** Says something of it on the control stream. */
  tell: (frame: Frame & { type: "fin" | "reset" }) => void;
  /** Called once, when nothing more can come of it. */
  over: () => void;
}

/**
 * One connection through a QUIC link: a stream of its own. Deno can't reset a stream, and what is
 * cut off looks like an end (see net/quic.ts): so the control stream says how each way ended.
 */
export class QuicTunnelStream implements ByteStream {
  readonly headroom = 0;
  onReset: ((error: NetError) => void) | null = null;
  readonly #options: QuicTunnelStreamOptions;
  #first: Promise<Uint8Array | null> | null;
  /** Of who has read to the end of the stream: the control stream says how the peer's way ended. */
  #ending: PromiseWithResolvers<null> | null = null;
  #hasEnded = false;
  #finished = false;
  /** Whether our way's end was told of. */
  #saidFin = false;
  /** Writes that are not through. */
  #writing = 0;
  #error: NetError | null = null;

  constructor(options: QuicTunnelStreamOptions) {
    this.#options = options;
    this.#first = options.first;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#error !== null) return Promise.reject(this.#error);
    const first = this.#first;
    this.#first = null;
    return (first ?? this.#options.stream.read()).then(this.#came, this.#broken);
  }

  readonly #came = (chunk: Uint8Array | null): Uint8Array | null | Promise<null> => {
    if (chunk !== null || this.#hasEnded) return chunk;
    if (this.#error !== null) throw this.#error;
    this.#ending ??= Promise.withResolvers();
    return this.#ending.promise;
  };

  readonly #broken = (error: unknown): never => {
    throw this.#error ?? error;
  };

  write(bytes: Uint8Array): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error);
    this.#writing++;
    return this.#options.stream.write(bytes).then(this.#wrote, this.#unwritten);
  }

  readonly #wrote = (): void => void this.#writing--;

  readonly #unwritten = (error: unknown): never => {
    this.#writing--;
    throw this.#error ?? error;
  };

  async closeWrite(): Promise<void> {
    if (this.#error !== null) throw this.#error;
    const { id, stream, tell } = this.#options;
    tell({ type: "fin", id });
    this.#saidFin = true;
    await stream.closeWrite();
    this.#finished = true;
    if (this.#hasEnded) this.#over();
  }

  abort(reason = "aborted"): void {
    if (this.#error !== null) return;
    const { id, tell } = this.#options;
    // Where all was written the end of the stream below is the FIN that was told of.
    const isWhole = this.#saidFin && this.#writing === 0;
    if (isWhole && this.#hasEnded) return this.fail(OVER);
    tell({ type: "reset", id, code: TunnelCode.CONNECTION_FAILED, message: reason });
    this.fail(new NetError("aborted", reason));
  }

  /** What came behind the answer, with which it begins. */
  begin(rest: Uint8Array): void {
    if (rest.length > 0) this.#first = Promise.resolve(rest);
  }

  /** The peer has ended its way. */
  end(): void {
    this.#hasEnded = true;
    this.#ending?.resolve(null);
    if (this.#finished) this.#over();
  }

  /** It is over. */
  fail(error: NetError): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.onReset?.(error);
    this.#ending?.reject(error);
    void this.#options.stream.abort();
    this.#over();
  }

  #over(): void {
    this.#options.over();
  }
}
