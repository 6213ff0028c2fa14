/** How many buckets have an upper bound: 64, 128, ... 4194304. */
const BOUNDED = 17;
const SMALLEST = 64;
const LARGEST = SMALLEST * 2 ** (BOUNDED - 1);

/** The upper bounds of the buckets in bytes, inclusive; behind the last comes infinity. */
export const SIZE_BUCKETS: readonly number[] = Array.from(
  { length: BOUNDED },
  (_, i) => SMALLEST * 2 ** i,
);

/** How big messages are: counts by powers of two, in the way that Prometheus counts. */
export class SizeHistogram {
  /**
   * How many sizes fell into each bucket: not cumulative. `buckets[i]` has those above the bound
   * before and up to `SIZE_BUCKETS[i]`; the last one has those above every bound.
   */
  readonly buckets: Float64Array = new Float64Array(BOUNDED + 1);
  /** Of all sizes, in bytes. */
  sum = 0;
  /** How many sizes were counted. */
  count = 0;

  /** Counts one message of `bytes` bytes. */
  observe(bytes: number): void {
    this.sum += bytes;
    this.count++;
    const bucket = bytes > LARGEST
      ? BOUNDED
      : bytes <= SMALLEST
      ? 0
      : 32 - Math.clz32((bytes - 1) >>> 6);
    this.buckets[bucket]++;
  }
}

/**
 * What went one way through all sessions together. The meters count it up while the sockets are
 * open, so it is live; one object for `toBackend` and one for `toClient`.
 */
export class Traffic {
  /** Bytes of whole frames, headers and payloads, that were passed on. */
  bytes = 0;
  /** First frames of text messages. */
  frameText = 0;
  /** First frames of binary messages. */
  frameBinary = 0;
  /** Continuation frames. */
  frameCont = 0;
  /** Ping frames. */
  framePing = 0;
  /** Pong frames. */
  framePong = 0;
  /** Close frames. */
  frameClose = 0;
  /** Messages that have passed to their last byte. */
  messagesText = 0;
  /** The same of binary ones. */
  messagesBinary = 0;
  /** Payload bytes of those messages over all their fragments. */
  readonly sizesText: SizeHistogram = new SizeHistogram();
  /** The same of binary ones. */
  readonly sizesBinary: SizeHistogram = new SizeHistogram();
  /** Frames and messages that were refused for their size (1009). */
  oversizeFrames = 0;
  /** Messages that were refused for their size (1009). */
  oversizeMessages = 0;
}
