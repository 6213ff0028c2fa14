import { type TunnelCode, TunnelError } from "./code.ts";
import { decodeFrame } from "./decode.ts";
import { frameHeaderBytes, writeDataHeader } from "./encode.ts";
import { type Target, targetFault } from "./frame.ts";
import { type MuxEvent, takeFrame } from "./mux_receive.ts";
import { type MuxOptions, type MuxRole, MuxState } from "./mux_state.ts";
import type { MuxStream } from "./mux_stream.ts";

/**
 * One end of a link in the binary form, without its I/O, from the moment that AUTHED was sent or
 * came. Each message of the peer goes in by `receive`, which tells what it means; what is to be sent
 * waits in `output`. Take that whenever something was received or sent, and send it in order.
 *
 * Nothing of a stream waits in here: who has more to send than `sendable` says waits for `credit`.
 * So no stream stops another, and no end holds more of a stream than its window.
 *
 * A stream is over when FIN went both ways, or with the first of REFUSED and RESET; after that it is
 * unknown here, and what names it does nothing. A fault of the peer is one of the link: `receive`
 * throws it ever after, and the link is to be closed.
 */
export class Mux {
  readonly #state: MuxState;
  #fault: TunnelError | null = null;

  /** @throws {RangeError} for an option that is out of range */
  constructor(options: MuxOptions) {
    this.#state = new MuxState(options);
  }

  get role(): MuxRole {
    return this.#state.role;
  }

  /** How many streams are not over, those that are not open yet among them. */
  get streams(): number {
    return this.#state.streams;
  }

  /**
   * Takes a message; gives what it means, or `null` where there is nothing to tell. Bytes in an event
   * are views of the message.
   *
   * @throws {TunnelError} of the connection
   */
  receive(message: Uint8Array): MuxEvent | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      const frame = decodeFrame(message);
      return frame === null ? null : takeFrame(this.#state, frame);
    } catch (error) {
      if (error instanceof TunnelError) this.#fault = error;
      throw error;
    }
  }

  /** Gateway: whether `open` may be called now: not above the limit, nor while either end drains. */
  get canOpen(): boolean {
    const { role, isDraining, streams, maxStreams, output } = this.#state;
    // Streams that are opened and reset while nothing can be sent would queue for ever.
    const isFull = streams >= maxStreams || output.length >= 4 * maxStreams;
    return role === "gateway" && !isDraining && !isFull && this.#fault === null;
  }

  /**
   * Gateway: asks for a stream to `target`; gives its identifier. `opened` or `refused` will come.
   *
   * @throws {RangeError} for a target that can't be named
   * @throws {Error} where `canOpen` is `false`
   */
  open({ protocol, host, port }: Target): number {
    const state = this.#state;
    const fault = targetFault({ protocol, host, port });
    if (fault !== null) throw new RangeError(fault);
    if (!this.canOpen) throw new Error("No stream can be opened on this link");
    const { windowBytes } = state;
    const id = ++state.highestId;
    state.add(id).receiveCredit = windowBytes;
    state.output.add({ type: "open", id, windowBytes, protocol, host, port });
    return id;
  }

  /** Agent: the target of an `open` is reached. Gives `false` where the stream is over. */
  accept(id: number): boolean {
    const stream = this.#asked(id);
    if (stream === undefined) return false;
    const { windowBytes, output } = this.#state;
    stream.isOpen = true;
    stream.receiveCredit = windowBytes;
    stream.openedTurn = output.turn;
    output.add({ type: "opened", id, windowBytes });
    return true;
  }

  /** Agent: the target of an `open` is not to be reached. Gives `false` where the stream is over. */
  refuse(id: number, code: TunnelCode, message: string): boolean {
    const stream = this.#asked(id);
    if (stream === undefined) return false;
    this.#state.output.add({ type: "refused", id, code, message });
    this.#state.remove(stream);
    return true;
  }

  /** How many bytes may be sent on this stream now; 0 also where it is not open, or was ended. */
  sendable(id: number): number {
    return this.#writable(id)?.sendCredit ?? 0;
  }

  /**
   * Sends as much of `bytes` on a stream as its credit allows, by a copy; gives how much that is.
   * For the rest `credit` comes.
   */
  send(id: number, bytes: Uint8Array): number {
    const stream = this.#writable(id);
    if (stream === undefined) return 0;
    const { maxFrameBytes, output } = this.#state;
    const size = Math.min(bytes.length, stream.sendCredit);
    stream.sendCredit -= size;
    for (let at = 0; at < size; at += maxFrameBytes) {
      const part = bytes.subarray(at, Math.min(size, at + maxFrameBytes));
      output.add({ type: "data", id, bytes: part });
    }
    return size;
  }

  /** How many bytes `writeDataHeader` writes for this stream. */
  dataHeader(id: number): number {
    return frameHeaderBytes(id);
  }

  /**
   * For who sends DATA past `output`, without a copy: makes a message of the bytes of `bytes` behind
   * `at`, where `dataHeader(id)` bytes are free and the payload stands behind them, up to the end.
   * The credit is spent; the caller has asked `sendable` and `maxFrameBytes`. What waits in `output`
   * is to be sent before it.
   *
   * @throws {Error} where the stream can't take it, or its OPENED still waits in `output`
   */
  writeDataHeader(bytes: Uint8Array, at: number, id: number): void {
    const { maxFrameBytes, output } = this.#state;
    const stream = this.#writable(id);
    const length = bytes.length - at - frameHeaderBytes(id);
    if (stream === undefined || length > stream.sendCredit || length < 0) {
      throw new Error(`Stream ${id} takes no ${length} bytes`);
    }
    if (length > maxFrameBytes || length === 0) throw new Error(`DATA of ${length} bytes`);
    if (stream.openedTurn === output.turn) throw new Error("OPENED waits in output");
    writeDataHeader(bytes, at, id);
    stream.sendCredit -= length;
  }

  /** The most that goes into one DATA frame. */
  get maxFrameBytes(): number {
    return this.#state.maxFrameBytes;
  }

  /**
   * So many bytes of the `data` of a stream went on, or never will. The peer may send as many again;
   * it is told when that is half of the window.
   */
  consumed(id: number, count: number): void {
    const { output, windowBytes } = this.#state;
    const stream = this.#state.get(id);
    if (stream === undefined) return;
    if (count > stream.unconsumed) throw new Error(`Consumed ${count} of ${stream.unconsumed}`);
    const bytes = stream.consumed(count, windowBytes);
    if (bytes > 0) output.add({ type: "credit", id, bytes });
  }

  /** We send no more on this stream. Gives `false` where it is over, or was ended before. */
  fin(id: number): boolean {
    const stream = this.#writable(id);
    if (stream === undefined) return false;
    this.#state.output.add({ type: "fin", id });
    stream.localEnded = true;
    if (stream.remoteEnded) this.#state.remove(stream);
    return true;
  }

  /**
   * Ends a stream both ways, also one that is not open yet. Gives `false` where it is over.
   */
  reset(id: number, code: TunnelCode, message: string): boolean {
    const state = this.#state;
    const stream = state.get(id);
    if (stream === undefined) return false;
    if (state.role === "agent" && !stream.isOpen) return this.refuse(id, code, message);
    state.output.add({ type: "reset", id, code, message });
    state.abandon(stream);
    return true;
  }

  /** Asks for a `pong` with the same 8 bytes. */
  ping(payload: Uint8Array): void {
    this.#state.output.add({ type: "ping", payload });
  }

  /** Says that the link will be closed after so many milliseconds, and no stream should be opened. */
  drain(ms: number): void {
    this.#state.isDraining = true;
    this.#state.output.add({ type: "drain", ms });
  }

  /** Whether either end takes no new streams. */
  get isDraining(): boolean {
    return this.#state.isDraining;
  }

  /** Whether no stream is left, and none will come, as an end drains: time to close. */
  get isDone(): boolean {
    return this.#fault !== null || (this.#state.isDraining && this.#state.streams === 0);
  }

  /** How many bytes wait to be sent. */
  get outputBytes(): number {
    return this.#state.output.bytes;
  }

  /** All messages that wait, in order, to be sent now. */
  output(): Uint8Array[] {
    return this.#state.output.take();
  }

  /** The stream, if we may send on it. */
  #writable(id: number): MuxStream | undefined {
    const stream = this.#state.get(id);
    return stream === undefined || !stream.isOpen || stream.localEnded ? undefined : stream;
  }

  /** A stream that the gateway asked for, and was not answered yet. */
  #asked(id: number): MuxStream | undefined {
    const stream = this.#state.get(id);
    if (stream === undefined) return undefined;
    if (this.role !== "agent" || stream.isOpen) throw new Error(`Stream ${id} needs no answer`);
    return stream;
  }
}
