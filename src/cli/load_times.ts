import { build, type Histogram, JsHistogram } from "hdr-histogram-js";

/** How long something took, in microseconds; all 0 where it never happened. */
export interface Times {
  count: number;
  min: number;
  mean: number;
  stdDev: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  p999: number;
  p9999: number;
  max: number;
}

/** An hour: what took longer counts as that. */
const MAX_US = 3_600_000_000;

/** The percentiles of a curve; each is told where there are enough values for it. */
const CURVE = [
  ...[0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97.5, 99, 99.25, 99.5, 99.75],
  ...[99.9, 99.95, 99.99, 99.995, 99.999, 99.9995, 99.9999],
];

/** Bars of a distribution to an octave. */
const BARS_PER_OCTAVE = 4;

/** One bar of a distribution: how many values are from `fromUs` up to below `toUs`. */
export interface Bar {
  fromUs: number;
  toUs: number;
  count: number;
}

/** An HDR histogram of times, to three digits. */
export class TimesHistogram {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_US,
    numberOfSignificantValueDigits: 3,
  });

  /**
   * Takes one time. With an expected interval, what took longer than it stands for those too that
   * were held back by it: one interval shorter each, as HdrHistogram corrects for coordinated
   * omission.
   */
  record(ms: number, expectedIntervalMs = 0): void {
    const us = toUs(ms);
    if (expectedIntervalMs === 0) return this.#histogram.recordValue(us);
    this.#histogram.recordValueWithExpectedInterval(us, toUs(expectedIntervalMs));
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** The time, in microseconds, that so many of a hundred did not pass; 0 where there are none. */
  at(percentile: number): number {
    if (this.count === 0) return 0;
    // The histogram gives the upper end of a value's bucket, which may be above the largest value.
    return Math.min(this.#histogram.getValueAtPercentile(percentile), this.#histogram.maxValue);
  }

  /**
   * The same, in proportion between the two values that it falls between: of one to four ms half of
   * the way is 2.5 ms, not the second.
   */
  between(percentile: number): number {
    const place = Math.max(0, this.count - 1) * percentile / 100;
    const [below, above] = [Math.floor(place), Math.ceil(place)].map((rank) => this.#ranked(rank));
    return below + (above - below) * (place % 1);
  }

  /** The value that so many others are below, or as large; 0 where there are none. */
  #ranked(rank: number): number {
    let before = 0;
    for (const [us, count] of this.#values()) {
      before += count;
      if (before > rank) return Math.min(us, this.#histogram.maxValue);
    }
    return 0;
  }

  times(): Times {
    const { count } = this;
    const { mean, stdDeviation, minNonZeroValue, maxValue } = this.#histogram;
    const none = count === 0;
    return {
      count,
      min: none ? 0 : minNonZeroValue,
      // The histogram takes each value for the middle of its bucket.
      mean: none ? 0 : Math.min(maxValue, Math.max(minNonZeroValue, mean)),
      stdDev: none ? 0 : stdDeviation,
      p50: this.at(50),
      p90: this.at(90),
      p95: this.at(95),
      p99: this.at(99),
      p999: this.at(99.9),
      p9999: this.at(99.99),
      max: none ? 0 : maxValue,
    };
  }

  /** Percentile and time, up to where the values are too few to tell one from the largest. */
  curve(): [percentile: number, us: number][] {
    const { count } = this;
    if (count === 0) return [];
    const told = CURVE.filter((percentile) => count * (100 - percentile) / 100 >= 1);
    return [...told.map((p): [number, number] => [p, this.at(p)]), [100, this.at(100)]];
  }

  /** How often which times came, on a scale of octaves; no bar is left out between two. */
  distribution(): Bar[] {
    const counts = new Map<number, number>();
    for (const [us, count] of this.#values()) {
      const bar = Math.floor(Math.log2(us) * BARS_PER_OCTAVE);
      counts.set(bar, (counts.get(bar) ?? 0) + count);
    }
    if (counts.size === 0) return [];
    const bars: Bar[] = [];
    const edge = (bar: number) => 2 ** (bar / BARS_PER_OCTAVE);
    for (let bar = Math.min(...counts.keys()); bar <= Math.max(...counts.keys()); bar++) {
      bars.push({ fromUs: edge(bar), toUs: edge(bar + 1), count: counts.get(bar) ?? 0 });
    }
    return bars;
  }

  *#values(): Generator<[us: number, count: number]> {
    if (!(this.#histogram instanceof JsHistogram)) return;
    const values = this.#histogram.recordedValuesIterator;
    values.reset();
    while (values.hasNext()) {
      const { valueIteratedTo, countAddedInThisIterationStep } = values.next();
      yield [valueIteratedTo, countAddedInThisIterationStep];
    }
  }

  reset(): void {
    this.#histogram.reset();
  }
}

function toUs(ms: number): number {
  return Math.min(MAX_US, Math.max(1, Math.round(ms * 1000)));
}
