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
  sum = 0;
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
  frameText = 0;
  frameBinary = 0;
  frameCont = 0;
  framePing = 0;
  framePong = 0;
  frameClose = 0;
  /** Messages that have passed to their last byte. */
  messagesText = 0;
  messagesBinary = 0;
  /** Payload bytes of those messages over all their fragments. */
  readonly sizesText: SizeHistogram = new SizeHistogram();
  readonly sizesBinary: SizeHistogram = new SizeHistogram();
  /** Frames and messages that were refused for their size (1009). */
  oversizeFrames = 0;
  oversizeMessages = 0;
}
