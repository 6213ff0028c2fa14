import type { Histogram } from "prom-client";
import type { Registry } from "./registry.ts";

/** A histogram in plain numbers: it costs an addition to count, and is summed up at a scrape. */
export class Buckets {
  /** Upper bounds, inclusive and rising. */
  readonly bounds: readonly number[];
  /** How many values fell into each bucket, not cumulative; the last has those above all bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.sum += value;
  }
}

/** `count` bounds, each twice the one before. */
export function doubling(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first * 2 ** i);
}

/** One set of labels of a histogram. */
export interface Series {
  labels: Record<string, string>;
  bounds: readonly number[];
  /** Not cumulative; one more than there are bounds. */
  counts: ArrayLike<number>;
  sum: number;
}

export interface MetricSpec {
  name: string;
  help: string;
}

interface Sample {
  metricName: string;
  labels: Record<string, string>;
  value: number;
}

/**
 * Registers a histogram that is counted elsewhere: `read` is called at each scrape. prom-client's
 * own Histogram can only be fed value by value.
 */
export function registerHistogram(
  registry: Registry,
  spec: MetricSpec,
  read: () => Iterable<Series>,
): void {
  const metric = {
    ...spec,
    type: "histogram",
    aggregator: "sum",
    reset: () => {},
    get: () => Promise.resolve({ ...spec, type: "histogram", values: samples(spec.name, read()) }),
  };
  // The registry calls name, get() and reset() only, which is what prom-client's classes give it.
  registry.add(spec.name, (_, registry) => registry.registerMetric(metric as unknown as Histogram));
}

function samples(name: string, all: Iterable<Series>): Sample[] {
  const out: Sample[] = [];
  for (const { labels, bounds, counts, sum } of all) {
    let total = 0;
    for (let i = 0; i <= bounds.length; i++) {
      total += counts[i];
      const le = i < bounds.length ? String(bounds[i]) : "+Inf";
      out.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
    }
    out.push({ metricName: `${name}_sum`, labels, value: sum });
    out.push({ metricName: `${name}_count`, labels, value: total });
  }
  return out;
}
