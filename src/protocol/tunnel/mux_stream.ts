import type { StreamProtocol } from "./frame.ts";

/**
 * What DATA of so many bytes takes of a window, of `send` and of `consumed` alike: its bytes, but an
 * empty datagram is not for nothing, or there could be any number of them.
 */
export function creditOf(bytes: number): number {
  return bytes === 0 ? 1 : bytes;
}

/** A stream that is not over yet. */
export class MuxStream {
  readonly id: number;
  readonly protocol: StreamProtocol;
  /** Whether OPENED came, or was sent. */
  isOpen = false;
  /** In which turn of the output OPENED waits; what goes past the output must not overtake it. */
  openedTurn = -1;
  /** We sent FIN. */
  localEnded = false;
  /** The peer sent FIN. */
  remoteEnded = false;
  /** How much we may send. */
  sendCredit = 0;
  /** How much the peer may send. */
  receiveCredit = 0;
  /** What came, and the owner has not consumed yet. */
  unconsumed = 0;
  /** What was consumed, and not given back yet. */
  #taken = 0;

  constructor(id: number, protocol: StreamProtocol) {
    this.id = id;
    this.protocol = protocol;
  }

  /**
   * So much was consumed. Gives how much to give back in a CREDIT frame: nothing until half of the
   * window was consumed, nor once no more comes.
   */
  consumed(credit: number, windowBytes: number): number {
    this.unconsumed -= credit;
    this.#taken += credit;
    const back = this.#taken;
    if (this.remoteEnded || 2 * back < windowBytes || back === 0) return 0;
    this.#taken = 0;
    this.receiveCredit += back;
    return back;
  }
}
