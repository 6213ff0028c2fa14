import { invalid, MAX_BODY_BYTES, MAX_WINDOW_BYTES } from "./frame.ts";
import { MuxOutput } from "./mux_output.ts";
import { MuxStream } from "./mux_stream.ts";

/** Which end of the link we are. The gateway opens streams, the agent reaches their targets. */
export type MuxRole = "gateway" | "agent";

export interface MuxOptions {
  readonly role: MuxRole;
  /** How much of each stream waits here at most, in bytes: 256 KiB if left out. */
  readonly windowBytes?: number;
  /** How many streams there are at once: 10,000 if left out. */
  readonly maxStreams?: number;
  /** How much goes into one DATA frame of a tcp stream, in bytes: 64 KiB, the most, if left out. */
  readonly maxFrameBytes?: number;
}

/** The window of a stream, if nothing else is said. */
export const DEFAULT_WINDOW_BYTES = 0x40000;

/** How many streams a link has at once, if nothing else is said. */
export const DEFAULT_MAX_STREAMS = 10_000;

/** So many answers may wait, be there ever so few streams. */
const MIN_MAX_REPLIES = 16;

/** What receiving and sending have in common: the state of a link. */
export class MuxState {
  readonly role: MuxRole;
  readonly windowBytes: number;
  readonly maxStreams: number;
  readonly maxFrameBytes: number;
  readonly output: MuxOutput;
  /** The highest identifier that a stream had; 0 before there was one. */
  highestId = 0;
  /** The peer takes no new streams; or we open none. */
  isDraining = false;
  readonly #streams = new Map<number, MuxStream>();
  /** The stream that was asked for last; often it is the same again. */
  #last: MuxStream | undefined;
  /** What may come still of streams that we reset, before the peer knows. */
  #lateCredit = 0;

  /** @throws {RangeError} for an option that is out of range */
  constructor(options: MuxOptions) {
    this.role = options.role;
    this.windowBytes = checked(options, "windowBytes", [DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES]);
    this.maxStreams = checked(options, "maxStreams", [DEFAULT_MAX_STREAMS, 0x7fffffff]);
    this.maxFrameBytes = checked(options, "maxFrameBytes", [MAX_BODY_BYTES, MAX_BODY_BYTES]);
    this.output = new MuxOutput(Math.max(MIN_MAX_REPLIES, this.maxStreams));
  }

  /** How many streams are not over. */
  get streams(): number {
    return this.#streams.size;
  }

  get(id: number): MuxStream | undefined {
    if (this.#last !== undefined && this.#last.id === id) return this.#last;
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#last = stream;
    return stream;
  }

  add(id: number): MuxStream {
    const stream = new MuxStream(id);
    this.#streams.set(id, stream);
    return stream;
  }

  /** The stream is over, for both ends or as the peer wishes. */
  remove(stream: MuxStream): void {
    this.#streams.delete(stream.id);
    if (this.#last === stream) this.#last = undefined;
  }

  /** We reset the stream: what the peer has sent, or will before it knows, comes to nothing. */
  abandon(stream: MuxStream): void {
    if (!stream.remoteEnded) this.#lateCredit += stream.receiveCredit;
    this.remove(stream);
  }

  /**
   * DATA came for a stream that is over. No more can come than the streams that we reset had credit
   * for; so nothing needs to be remembered of each.
   *
   * @throws {TunnelError} INVALID_MESSAGE of the connection
   */
  takeLate(credit: number): void {
    this.#lateCredit -= credit;
    if (this.#lateCredit < 0) throw invalid(`DATA on a stream that has ended`);
  }
}

/** An option, or what it is if left out: the first of `range`, whose second is the most allowed. */
function checked(
  options: MuxOptions,
  name: "windowBytes" | "maxStreams" | "maxFrameBytes",
  [usual, most]: readonly [usual: number, most: number],
): number {
  const value = options[name] ?? usual;
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new RangeError(`${name} is ${value}: 1 to ${most} is allowed`);
}
