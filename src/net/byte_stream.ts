/**
 * A way for bytes in both directions: a TCP or TLS connection, a QUIC stream, an HTTP/3 tunnel.
 */
export interface ByteStream {
  /**
   * How many bytes before each chunk that `read` gives belong to the reader and may be
   * overwritten. A framing writer puts its header there, so that header and payload are one write
   * without a copy.
   */
  readonly headroom: number;
  /**
   * The next bytes, never an empty chunk; valid until the next `read`. `null` at FIN.
   * Rejects when the peer reset the stream or the connection is lost.
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Writes all of `bytes`; resolves when they may be reused, which is when the far side has room
   * for more. Writes go out in the order of the calls. `headroom` says how many bytes before
   * `bytes` in its buffer may be overwritten (default 0).
   */
  write(bytes: Uint8Array, headroom?: number): Promise<void>;
  /** Whether its FIN, from either side, ends both directions: what is written then goes nowhere. */
  readonly endsBothWays?: boolean;
  /** Ends our direction with FIN, behind all writes. */
  closeWrite(): Promise<void>;
  /**
   * Called once if it breaks, whether anybody reads or not: where that can be told at all. What came
   * before may still be there to be read.
   */
  onLost?: ((error: Error) => void) | null;
  /**
   * Whether its peer has reset it, or is lost, as far as that can be told without a read: what is
   * under way may hide it. Whoever hears so has to abort it.
   */
  isLost?(): boolean;
  /** How many bytes of what was written the peer has not taken; `null` where that can't be told. */
  unsent?(): Promise<number | null>;
  /**
   * Ends both directions at once and frees everything: reads and writes that wait reject. May be
   * called at any time, many times.
   */
  abort(reason?: string): void;
}
