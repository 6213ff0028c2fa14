import { NetError } from "../net/error.ts";
import { Turns } from "../net/turns.ts";
import { H2Code } from "../protocol/http2/codes.ts";
import type { Http2Connection } from "../protocol/http2/connection.ts";
import { concat } from "../protocol/wire/bytes.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { Content, Tunnel } from "./offer.ts";
import { keepPiece } from "./pieces.ts";

/** What a stream needs of its connection. */
export interface H2Wire {
  readonly h2: Http2Connection;
  /** What waits is to be sent soon. */
  flush(): void;
  /** Resolves when more may be handed over; rejects when the connection is lost. */
  room(): Promise<void> | null;
}

const EMPTY = new Uint8Array(0);

/**
 * One stream of an HTTP/2 connection: what has come and was not read, and the way back. It is the
 * tunnel of an extended CONNECT (RFC 8441), and the content of any other request.
 */
export class H2Stream implements Tunnel, Content {
  readonly headroom = 0;
  readonly id: number;
  /** Of the request's content, once it is known. */
  length: number | null = null;
  readonly #wire: H2Wire;
  /** Copies, at most the stream's window of bytes. */
  #queue: Uint8Array[] = [];
  #trailers: readonly Field[] = [];
  #ended = false;
  #error: Error | null = null;
  #reader: PromiseWithResolvers<Uint8Array | null> | null = null;
  /** Bytes that the last read gave: they are consumed when the next one begins. */
  #given = 0;
  #sentEnd = false;
  /** Why nothing more comes or goes, where what came is still to be read. */
  #cutOff: Error | null = null;
  #cancelled = false;
  /** Called once when the peer gives it up. */
  onGone: (() => void) | null = null;
  onReset: ((error: Error) => void) | null = null;
  onLost: ((error: Error) => void) | null = null;
  /** Called once when it is over for good, given up by whichever side. */
  onFreed: (() => void) | null = null;
  /** Of a tunnel the session knows how long a side may take. */
  isTunnel = false;
  /** Chunks that came and went, up to the last sweep, and when there were none to wait for. */
  #steps = 0;
  #seenSteps = -1;
  #waitsSinceMs = 0;
  readonly #turns = new Turns();
  /** A write that waits for the window. */
  #waiting: PromiseWithResolvers<void> | null = null;
  /** Tells a write that waits for room on the connection that it waits in vain. */
  #giveUp: ((error: Error) => void) | null = null;

  constructor(id: number, wire: H2Wire) {
    this.id = id;
    this.#wire = wire;
  }

  get trailers(): readonly Field[] {
    return this.#trailers;
  }

  /** Whether the peer has ended its side, in whatever way. */
  get ended(): boolean {
    return this.#ended || this.#error !== null;
  }

  get error(): Error | null {
    return this.#error;
  }

  /** Takes a copy of what came; `deliver` hands it to who waits. */
  receive(bytes: Uint8Array): void {
    if (this.#cancelled) {
      this.#wire.h2.consumed(this.id, bytes.length);
      this.#wire.flush();
    } else if (bytes.length > 0) {
      this.#steps++;
      keepPiece(this.#queue, bytes);
    }
  }

  /** The peer has ended its side. */
  end(trailers: readonly Field[] = []): void {
    this.#trailers = trailers;
    this.#ended = true;
  }

  /** The stream is gone; who reads or writes is told. */
  fail(error: Error): void {
    if (this.#error !== null) return;
    // It came whole, and our side is whole, too: what is left of it is still to be read.
    if (this.#ended && this.#sentEnd && isLost(error)) return this.deliver();
    this.#error = error;
    this.#queue = [];
    // Nobody reads behind the end, and so would hear of it.
    const reset = this.#ended && this.#reader === null ? this.onReset : null;
    this.onReset = null;
    reset?.(error);
    this.deliver();
    this.#wontSend(error);
    const gone = this.onGone;
    this.onGone = null;
    gone?.();
    const freed = this.onFreed;
    this.onFreed = null;
    freed?.();
  }

  /**
   * Nothing more comes, and nothing can be sent; but what came is read first. RFC 9113 §8.1: a reset
   * behind a whole message takes nothing from it.
   */
  cutOff(error: Error): void {
    this.#cutOff ??= error;
    this.#wontSend(error);
    this.deliver();
  }

  #wontSend(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
    this.#giveUp?.(error);
    this.onLost?.(error);
    this.onLost = null;
  }

  /** Gives what has come to the read that waits for it. */
  deliver(): void {
    const reader = this.#reader;
    if (reader === null) return;
    if (this.#error !== null) {
      this.#reader = null;
      reader.reject(this.#error);
    } else if (this.#queue.length > 0 || this.#ended) {
      this.#reader = null;
      reader.resolve(this.#take());
    } else if (this.#cutOff !== null) {
      this.#reader = null;
      reader.reject(this.#cutOff);
    }
  }

  read(): Promise<Uint8Array | null> {
    this.#consume();
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#queue.length > 0 || this.#ended) return Promise.resolve(this.#take());
    if (this.#cutOff !== null) return Promise.reject(this.#cutOff);
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  #take(): Uint8Array | null {
    if (this.#queue.length === 0) return null;
    const bytes = this.#queue.length === 1 ? this.#queue[0] : concat(this.#queue);
    this.#queue = [];
    this.#given = bytes.length;
    return bytes;
  }

  /** RFC 9113 §6.9: the peer may send as much again as went on. */
  #consume(): void {
    if (this.#given === 0) return;
    this.#wire.h2.consumed(this.id, this.#given);
    this.#given = 0;
    if (this.#wire.h2.outputBytes > 0) this.#wire.flush();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#send(bytes, false);
  }

  /** Sends all of `bytes`, behind what goes already; END_STREAM goes with the last of them. */
  async #send(bytes: Uint8Array, end: boolean): Promise<void> {
    const turn = this.#turns.take();
    if (turn !== null) await turn;
    try {
      for (let rest = bytes;;) {
        if (this.#error !== null) throw this.#error;
        if (this.#cutOff !== null) throw this.#cutOff;
        if (this.#sentEnd) throw new NetError("aborted", "the stream was ended");
        const room = this.#wire.room();
        if (room !== null) {
          await new Promise<void>((resolve, reject) => room.then(resolve, this.#giveUp = reject));
          continue;
        }
        const taken = this.#wire.h2.sendData(this.id, rest, end);
        if (taken > 0) this.#steps++;
        if (taken > 0 || rest.length === 0) this.#wire.flush();
        if (taken === rest.length) break;
        rest = rest.subarray(taken);
        this.#waiting = Promise.withResolvers();
        await this.#waiting.promise;
      }
      if (end) this.#sentEnd = true;
    } finally {
      this.#turns.done();
    }
  }

  /** RFC 9113 §6.9: the windows may have opened. */
  opened(): void {
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  closeWrite(): Promise<void> {
    return this.#sentEnd ? Promise.resolve() : this.#send(EMPTY, true);
  }

  /** The last bytes, and the end with them. */
  finish(bytes: Uint8Array): Promise<void> {
    return this.#send(bytes, true);
  }

  /** Our side ended with a head or with trailers. */
  sentEnd(): void {
    this.#sentEnd = true;
  }

  /** Reads no more: what still comes is let go, so that it does not hold the connection's window. */
  cancel(): void {
    if (this.#cancelled || this.ended && this.#queue.length === 0) return;
    this.#cancelled = true;
    this.#consume();
    let dropped = 0;
    for (const bytes of this.#queue) dropped += bytes.length;
    this.#queue = [];
    if (dropped > 0) this.#wire.h2.consumed(this.id, dropped);
    this.#reader?.reject(new NetError("aborted", "reading was stopped"));
    this.#reader = null;
    this.#wire.flush();
  }

  stopReading(): void {
    this.cancel();
  }

  /**
   * Ends what waits too long for the client: for content, or for room in a window that stays shut
   * (RFC 9113 §10.5).
   */
  sweep(nowMs: number, limits: { readMs: number; writeMs: number }): void {
    const isWrite = this.#waiting !== null;
    const waits = !this.isTunnel && (isWrite || this.#reader !== null);
    if (!waits || this.#steps !== this.#seenSteps) {
      this.#seenSteps = this.#steps;
      this.#waitsSinceMs = nowMs;
    } else if (nowMs - this.#waitsSinceMs >= (isWrite ? limits.writeMs : limits.readMs)) {
      this.#wire.h2.reset(this.id, H2Code.CANCEL);
      this.#wire.flush();
      const message = isWrite ? "client reads too slowly" : "content comes too slowly";
      this.fail(new NetError("timeout", message));
    }
  }

  /** RFC 9113 §8.1: NO_ERROR once our side is whole, else CANCEL. */
  abort(): void {
    this.reset(this.#sentEnd ? H2Code.NO_ERROR : H2Code.CANCEL);
  }

  reset(code: H2Code): void {
    if (this.#error !== null) return;
    if (!(this.#ended && this.#sentEnd)) {
      this.#wire.h2.reset(this.id, code);
      this.#wire.flush();
    }
    this.onGone = null;
    this.onReset = null;
    this.onLost = null;
    this.fail(new NetError("aborted", "the stream was given up"));
  }
}

/** Whether it is the connection that is gone, and not the stream. */
function isLost(error: Error): boolean {
  return error instanceof NetError && error.kind === "lost";
}
