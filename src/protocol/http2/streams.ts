import { MAX_STREAM_ID, type Role } from "./frame.ts";
import { type Exchange, Stream } from "./stream.ts";
import { DEFAULT_WINDOW_BYTES } from "./window.ts";

/** RFC 9113 §5.1: what became of a stream that there is not. */
export const Fate = {
  /** It was never opened. */
  IDLE: 0,
  /** We reset or refused it: the peer may not know yet. */
  RESET: 1,
  /** It ended on both sides, or the peer reset it: nothing can come but what is late. */
  ENDED: 2,
  /** It is closed, and nothing more is known of it; or it was skipped. */
  FORGOTTEN: 3,
} as const;

export type Fate = typeof Fate[keyof typeof Fate];

/** How many streams that ended are remembered, for the sake of the error's code. */
const REMEMBERED_ENDED = 64;

/** The last so many numbers. */
class Recent {
  readonly #limit: number;
  readonly #all = new Set<number>();
  readonly #ring: number[] = [];
  #oldest = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(id: number): boolean {
    return this.#all.has(id);
  }

  add(id: number): void {
    if (this.#all.has(id)) return;
    this.#all.add(id);
    if (this.#ring.length < this.#limit) {
      this.#ring.push(id);
      return;
    }
    this.#all.delete(this.#ring[this.#oldest]);
    this.#ring[this.#oldest] = id;
    this.#oldest = (this.#oldest + 1) % this.#limit;
  }
}

/** RFC 9113 §5.1.1: the streams of a connection, and which there were. */
export class StreamTable {
  /** The highest stream that the peer opened; 0 for none. */
  highestRemote = 0;
  /** How many streams of either end are open or half-closed. */
  remoteCount = 0;
  localCount = 0;
  /** RFC 9113 §6.9.2: the window that a new stream has, to send and to receive. */
  readonly windows = { send: DEFAULT_WINDOW_BYTES, receive: DEFAULT_WINDOW_BYTES };

  readonly #remoteParity: number;
  readonly #streams = new Map<number, Stream>();
  readonly #reset: Recent;
  readonly #ended = new Recent(REMEMBERED_ENDED);
  #nextLocal: number;
  /** The stream that was asked for last; often it is the same again. */
  #last: Stream | undefined;

  /** `rememberedResets`: how many streams that we reset are remembered. */
  constructor(role: Role, rememberedResets: number) {
    // RFC 9113 §5.1.1: clients use odd-numbered stream identifiers, servers even-numbered ones.
    this.#remoteParity = role === "server" ? 1 : 0;
    this.#nextLocal = role === "server" ? 2 : 1;
    this.#reset = new Recent(rememberedResets);
  }

  /** Whether identifiers are left for streams of ours. */
  get hasLocalIds(): boolean {
    return this.#nextLocal <= MAX_STREAM_ID;
  }

  /** All streams that are not closed, and those closed of which data is not consumed yet. */
  all(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  get(id: number): Stream | undefined {
    if (this.#last !== undefined && this.#last.id === id) return this.#last;
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#last = stream;
    return stream;
  }

  isRemote(id: number): boolean {
    return (id & 1) === this.#remoteParity;
  }

  /** What became of a stream that `get` doesn't give. */
  fateOf(id: number): Fate {
    const isIdle = this.isRemote(id) ? id > this.highestRemote : id >= this.#nextLocal;
    if (isIdle) return Fate.IDLE;
    if (this.#reset.has(id)) return Fate.RESET;
    return this.#ended.has(id) ? Fate.ENDED : Fate.FORGOTTEN;
  }

  /** The peer used an idle identifier of its own. */
  useRemoteId(id: number): void {
    this.highestRemote = id;
  }

  openRemote(id: number, exchange: Exchange): Stream {
    this.remoteCount++;
    return this.#open(id, exchange);
  }

  openLocal(exchange: Exchange): Stream {
    const id = this.#nextLocal;
    this.#nextLocal += 2;
    this.localCount++;
    return this.#open(id, exchange);
  }

  /** The peer has ended, or we have, and now both: the stream counts no more. */
  ended(stream: Stream): void {
    this.#uncount(stream.id);
    if (stream.unconsumed === 0) this.forget(stream);
  }

  /** A stream that ended is consumed. */
  forget(stream: Stream): void {
    this.#remove(stream.id);
    this.#ended.add(stream.id);
  }

  /** A stream was reset, by us or by the peer; or we refused it, and it never was. */
  reset(id: number, byUs: boolean): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      if (!stream.isClosed) this.#uncount(id);
      stream.localEnded = stream.remoteEnded = true;
      this.#remove(id);
    }
    if (byUs) this.#reset.add(id);
    else this.#ended.add(id);
  }

  #open(id: number, exchange: Exchange): Stream {
    const stream = new Stream(id, exchange, this.windows);
    this.#streams.set(id, stream);
    return stream;
  }

  #uncount(id: number): void {
    if (this.isRemote(id)) this.remoteCount--;
    else this.localCount--;
  }

  #remove(id: number): void {
    this.#streams.delete(id);
    if (this.#last?.id === id) this.#last = undefined;
  }
}
