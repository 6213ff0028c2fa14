/** A stream that is not over yet. */
export class MuxStream {
  readonly id: number;
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

  constructor(id: number) {
    this.id = id;
  }

  /**
   * So much was consumed. Gives how much to give back in a CREDIT frame: nothing until half of the
   * window was consumed, nor once no more comes.
   */
  consumed(count: number, windowBytes: number): number {
    this.unconsumed -= count;
    this.#taken += count;
    const back = this.#taken;
    if (this.remoteEnded || 2 * back < windowBytes || back === 0) return 0;
    this.#taken = 0;
    this.receiveCredit += back;
    return back;
  }
}
