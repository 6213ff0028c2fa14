// RFC 9113 §10.5: what a peer may do to excess. All of it has its uses, so each is paid for: by time,
// and by traffic that is of use. What a peer does for good never runs out of tokens.
import { tooMuch } from "./codes.ts";

/** How much of something is borne. */
export interface Rate {
  /** So many at once. */
  burst: number;
  /** So many a second for good, however little else there is. */
  perSecond: number;
}

export interface Rates {
  /** Streams that the peer resets, or that we reset for its faults. CVE-2023-44487, CVE-2025-8671. */
  resets: Rate;
  /** PING, each of which we answer. CVE-2019-9512. */
  pings: Rate;
  /** SETTINGS, each of which we answer. CVE-2019-9515. */
  settings: Rate;
  /**
   * Frames that bring nothing: WINDOW_UPDATE, PRIORITY, DATA that is empty or for a stream that is
   * no more, unknown ones. CVE-2019-9511, CVE-2019-9513, CVE-2019-9518.
   */
  overhead: Rate;
}

export const DEFAULT_RATES: Rates = {
  resets: { burst: 1000, perSecond: 33 },
  pings: { burst: 500, perSecond: 50 },
  settings: { burst: 100, perSecond: 2 },
  overhead: { burst: 10_000, perSecond: 1000 },
};

/** What an empty DATA frame costs more than other frames that bring nothing. */
const EMPTY_DATA_COST = 10;
/** How many frames of overhead each DATA frame is good for, and so many of its bytes one more. */
const OVERHEAD_PER_DATA = 10;
const BYTES_PER_OVERHEAD = 256;
/** Who measures its way by PING does so about once for so many bytes. */
const BYTES_PER_PING = 4096;

/** A bucket of tokens. */
class Bucket {
  readonly #rate: Rate;
  readonly #name: string;
  #tokens: number;

  constructor(rate: Rate, name: string) {
    this.#rate = rate;
    this.#name = name;
    this.#tokens = rate.burst;
  }

  /** @throws {H2Error} ENHANCE_YOUR_CALM of the connection */
  take(tokens: number): void {
    this.#tokens -= tokens;
    if (this.#tokens < 0) throw tooMuch(`Too many ${this.#name}`);
  }

  add(tokens: number): void {
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + tokens);
  }

  passed(ms: number): void {
    this.add(ms * this.#rate.perSecond / 1000);
  }
}

/**
 * What the peer of one connection may do still. All that it does too often is ENHANCE_YOUR_CALM of
 * the connection.
 */
export class Budget {
  readonly #resets: Bucket;
  readonly #pings: Bucket;
  readonly #settings: Bucket;
  readonly #overhead: Bucket;
  #nowMs: number | null = null;

  constructor(rates: Rates) {
    this.#resets = new Bucket(rates.resets, "reset streams");
    this.#pings = new Bucket(rates.pings, "PING frames");
    this.#settings = new Bucket(rates.settings, "SETTINGS frames");
    this.#overhead = new Bucket(rates.overhead, "frames that bring nothing");
  }

  /** What time it is, by any clock that never goes back. */
  tick(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - (this.#nowMs ?? nowMs));
    this.#nowMs = nowMs;
    this.#resets.passed(passedMs);
    this.#pings.passed(passedMs);
    this.#settings.passed(passedMs);
    this.#overhead.passed(passedMs);
  }

  /** A stream was reset by the peer, or for its fault. */
  reset(): void {
    this.#resets.take(1);
  }

  ping(): void {
    this.#pings.take(1);
  }

  settings(): void {
    this.#settings.take(1);
  }

  /** A frame that brings nothing. */
  overhead(): void {
    this.#overhead.take(1);
  }

  /** DATA of so many bytes came. None are of use with END_STREAM alone. */
  received(dataBytes: number, endStream: boolean): void {
    if (dataBytes === 0) {
      if (!endStream) this.#overhead.take(EMPTY_DATA_COST);
      return;
    }
    this.#overhead.add(OVERHEAD_PER_DATA);
    this.#pings.add(dataBytes / BYTES_PER_PING);
  }

  /**
   * We sent DATA. Of what a window cut only the bytes count: who opens it by a byte at a time makes
   * us send a frame a byte.
   */
  sent(dataBytes: number, isCut: boolean): void {
    const frames = isCut ? 0 : OVERHEAD_PER_DATA;
    this.#overhead.add(frames + dataBytes / BYTES_PER_OVERHEAD);
    this.#pings.add(isCut ? dataBytes / BYTES_PER_PING : 1);
  }

  /** A stream came to its end on both sides. */
  completed(): void {
    this.#resets.add(1);
    this.#overhead.add(OVERHEAD_PER_DATA);
  }
}
