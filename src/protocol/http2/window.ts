// RFC 9113 §5.2, §6.9: flow control, of a stream or of the connection.
import { H2Code, H2Error } from "./codes.ts";
import type { Scope } from "../wire/error.ts";

/** RFC 9113 §6.9.2: the size of every window before anybody said anything. */
export const DEFAULT_WINDOW_BYTES = 0xffff;

/** RFC 9113 §6.9.1: no window may exceed this. */
export const MAX_WINDOW_BYTES = 0x7fffffff;

/** How much we may send. Negative after the peer reduced it (RFC 9113 §6.9.2). */
export class SendWindow {
  #bytes: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** We sent so many bytes. */
  sent(bytes: number): void {
    this.#bytes -= bytes;
  }

  /**
   * The peer gives back, or changed its initial size by, so many bytes. Whether something may be
   * sent now where nothing could before.
   *
   * @throws {H2Error} FLOW_CONTROL_ERROR
   */
  grow(bytes: number, scope: Scope): boolean {
    const before = this.#bytes;
    // RFC 9113 §6.9.1, §6.9.2: a window above 2^31-1 is FLOW_CONTROL_ERROR.
    if (before + bytes > MAX_WINDOW_BYTES) {
      throw new H2Error(H2Code.FLOW_CONTROL_ERROR, scope, "Flow-control window above 2^31-1");
    }
    this.#bytes = before + bytes;
    return before <= 0 && this.#bytes > 0;
  }
}

/** How much the peer may send. What was taken is given back in few, large steps. */
export class ReceiveWindow {
  /** What the peer may send still. Negative while it doesn't know of a smaller initial size. */
  #bytes: number;
  /** What was taken, and not given back yet. */
  #taken = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The peer sent so many bytes.
   *
   * @throws {H2Error} FLOW_CONTROL_ERROR
   */
  received(bytes: number, scope: Scope): void {
    // RFC 9113 §6.9.1: a sender MUST NOT send more than the window has.
    if (bytes > this.#bytes) {
      const message = `${bytes} bytes of DATA in a flow-control window of ${this.#bytes}`;
      throw new H2Error(H2Code.FLOW_CONTROL_ERROR, scope, message);
    }
    this.#bytes -= bytes;
  }

  /** The initial size that the peer goes by changed. */
  adjust(bytes: number): void {
    this.#bytes += bytes;
  }

  /**
   * So many bytes were taken. Gives how many to give back in a WINDOW_UPDATE: none until half of
   * `size`, the size that the window should have, was taken.
   */
  taken(bytes: number, size: number): number {
    this.#taken += bytes;
    const back = this.#taken;
    if (2 * back < size || back === 0) return 0;
    this.#taken = 0;
    this.#bytes += back;
    return back;
  }
}
