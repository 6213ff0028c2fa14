import { bytes, counted, time, whole } from "./bench_format.ts";
import {
  barOf,
  chartSvg,
  linearScale,
  lineOf,
  logScale,
  type Point,
  type Scale,
  spanScale,
  stripOf,
  X_RANGE,
  Y_RANGE,
} from "./bench_svg.ts";
import type { LoadReport } from "./load.ts";
import type { Interval } from "./load_timeline.ts";

/** A chart with its words; `svg` is `null` where there is nothing to draw. */
export interface Figure {
  readonly title: string;
  readonly note: string;
  readonly legend: readonly (readonly [colour: string, label: string])[];
  readonly svg: string | null;
}

const LATENCY_LINES = [
  ["p50", "p50", "c1"],
  ["p90", "p90", "c2"],
  ["p99", "p99", "c3"],
  ["max", "max", "c4"],
] as const;

/** All charts of a report. */
export function figuresOf(report: LoadReport): Figure[] {
  return [
    latencyOverTime(report),
    throughput(report),
    percentiles(report),
    distribution(report),
    errorsOverTime(report),
  ];
}

/** The axis of time, as far as it was measured. */
function timeScale({ intervals, intervalMs, seconds }: LoadReport): Scale {
  const endMs = Math.max(intervalMs, intervals.at(-1)?.atMs ?? 0, seconds * 1000);
  return spanScale(endMs / 1000, X_RANGE);
}

const timeAxis = (scale: Scale) => ({ scale, title: "seconds", label: String });

/** How long an interval was: the last one is cut short. */
function lengthMs({ intervalMs, seconds }: LoadReport, { atMs }: Interval): number {
  return Math.min(intervalMs, Math.max(1, seconds * 1000 - atMs));
}

function strips(report: LoadReport, x: Scale, told: (interval: Interval) => string): string {
  return report.intervals.map((interval) => {
    const from = x.at(interval.atMs / 1000);
    const to = x.at((interval.atMs + lengthMs(report, interval)) / 1000);
    return stripOf(from, to - from, `${interval.atMs / 1000} s: ${told(interval)}`);
  }).join("");
}

/** In the middle of its interval. */
function middle(report: LoadReport, x: Scale, interval: Interval): number {
  return x.at((interval.atMs + lengthMs(report, interval) / 2) / 1000);
}

function latencyOverTime(report: LoadReport): Figure {
  const answered = report.intervals.flatMap(({ latencyUs }) => latencyUs ?? []);
  const figure = {
    title: "Latency over time",
    note: "Of the round trips that ended in each interval; a gap where none did.",
    legend: LATENCY_LINES.map(([label, , colour]) => [colour, label] as const),
  };
  if (answered.length === 0) return { ...figure, svg: null };
  const least = Math.min(...answered.map(({ p50 }) => p50));
  const y = logScale(least, Math.max(...answered.map(({ max }) => max)), Y_RANGE);
  const x = timeScale(report);
  const lines = LATENCY_LINES.map(([, key, colour]) =>
    lineOf(
      report.intervals.map((interval): Point => {
        const { latencyUs } = interval;
        return latencyUs === null ? null : [middle(report, x, interval), y.at(latencyUs[key])];
      }),
      colour,
    )
  );
  const told = ({ latencyUs: us }: Interval) =>
    us === null
      ? "no round trip ended"
      : LATENCY_LINES.map(([label, key]) => `${label} ${time(us[key])}`).join(", ");
  const svg = chartSvg({
    summary: `${figure.title}: ${told({ ...report.intervals[0], latencyUs: report.latencyUs })}`,
    x: timeAxis(x),
    y: { scale: y, title: "latency", label: time },
    marks: lines.join("") + strips(report, x, told),
  });
  return { ...figure, svg };
}

function throughput(report: LoadReport): Figure {
  // Of what was cut short by the end nothing can be said for a second.
  const isWhole = (one: Interval) => lengthMs(report, one) >= report.intervalMs / 2;
  const intervals = report.intervals.filter((one, i) => i === 0 || isWhole(one));
  const figure = { title: "Throughput", note: "Round trips a second.", legend: [] };
  if (intervals.length === 0) return { ...figure, svg: null };
  const perSecond = (interval: Interval, count: number) =>
    count * 1000 / lengthMs(report, interval);
  const rates = intervals.map((one) => perSecond(one, one.roundTrips));
  const x = timeScale(report);
  const y = linearScale(Math.max(...rates), Y_RANGE);
  const points = intervals.map((one, i): Point => [middle(report, x, one), y.at(rates[i])]);
  const told = (one: Interval) =>
    `${whole(perSecond(one, one.roundTrips))} round trips/s, ` +
    `${bytes(perSecond(one, one.bytesSent))}/s out, ` +
    `${bytes(perSecond(one, one.bytesReceived))}/s in, ${counted(one.sockets, "socket")}`;
  const svg = chartSvg({
    summary: `Throughput over time: ${whole(report.roundTripsPerSecond)} round trips/s overall`,
    x: timeAxis(x),
    y: { scale: y, title: "round trips/s", label: whole },
    marks: lineOf(points, "c1") + strips(report, x, told),
  });
  return { ...figure, svg };
}

function percentiles({ latencyPercentiles: curve, latencyUs }: LoadReport): Figure {
  const figure = {
    title: "Latency by percentile",
    note: "As HdrHistogram draws it: each step to the right is a tenth of the round trips before.",
    legend: [],
  };
  const told = curve.filter(([percentile]) => percentile < 100);
  const last = told.at(-1);
  if (last === undefined) return { ...figure, svg: null };
  // 0 for none, 1 for nine of ten, 2 for 99 of a hundred.
  const nines = (percentile: number) => -Math.log10(1 - percentile / 100);
  const most = Math.max(1, nines(last[0]));
  const [from, to] = X_RANGE;
  const scale: Scale = {
    at: (percentile) => from + nines(percentile) / most * (to - from),
    ticks: [0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999].filter((p) => nines(p) <= most + 1e-9),
  };
  const y = logScale(Math.max(1, told[0][1]), latencyUs.max, Y_RANGE);
  const points = told.map(([p, us]): Point => [scale.at(p), y.at(us)]);
  const marks = told.map(([p, us], i) => {
    const end = i + 1 < told.length ? scale.at(told[i + 1][0]) : scale.at(p) + 6;
    return stripOf(scale.at(p), end - scale.at(p), `p${p}: ${time(us)}`);
  });
  const svg = chartSvg({
    summary: `${figure.title}: ${told.map(([p, us]) => `p${p} ${time(us)}`).join(", ")}`,
    x: { scale, title: "percentile", label: (p) => `${p}%` },
    y: { scale: y, title: "latency", label: time },
    marks: lineOf(points, "c1") + marks.join(""),
  });
  return { ...figure, svg };
}

function distribution({ latencyDistribution: bars }: LoadReport): Figure {
  const figure = {
    title: "Distribution of latency",
    note: "Round trips in each bar; the axis of time is logarithmic.",
    legend: [],
  };
  if (bars.length === 0) return { ...figure, svg: null };
  const x = logScale(bars[0].fromUs, bars[bars.length - 1].toUs, X_RANGE);
  const y = linearScale(Math.max(...bars.map(({ count }) => count)), Y_RANGE);
  const marks = bars.filter(({ count }) => count > 0).map(({ fromUs, toUs, count }) =>
    barOf({
      ...{ x: x.at(fromUs) + 0.5, width: x.at(toUs) - x.at(fromUs) - 1, y: y.at(count) },
      ...{ colour: "c1", title: `${time(fromUs)} to ${time(toUs)}: ${whole(count)}` },
    })
  );
  const svg = chartSvg({
    summary: `${figure.title}: ${counted(bars.length, "bar")}`,
    x: { scale: x, title: "latency", label: time },
    y: { scale: y, title: "round trips", label: whole },
    marks: marks.join(""),
  });
  return { ...figure, svg };
}

function errorsOverTime(report: LoadReport): Figure {
  const figure = { title: "Errors over time", note: "In each interval.", legend: [] };
  const most = Math.max(0, ...report.intervals.map(({ errors }) => errors));
  if (most === 0) return { ...figure, svg: null };
  const x = timeScale(report);
  const y = linearScale(most, Y_RANGE);
  const marks = report.intervals.filter(({ errors }) => errors > 0).map((interval) => {
    const from = x.at(interval.atMs / 1000);
    const width = x.at((interval.atMs + lengthMs(report, interval)) / 1000) - from;
    const title = `${interval.atMs / 1000} s: ${counted(interval.errors, "error")}`;
    return barOf({ x: from, width, y: y.at(interval.errors), colour: "c4", title });
  });
  const svg = chartSvg({
    summary: `${figure.title}: ${counted(report.errors, "error")}`,
    x: timeAxis(x),
    y: { scale: y, title: "errors", label: whole },
    marks: marks.join(""),
  });
  return { ...figure, svg };
}
