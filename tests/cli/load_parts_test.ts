import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { makePayloads, sizeOf } from "../../src/cli/load_payload.ts";
import { intervalFor, Timeline } from "../../src/cli/load_timeline.ts";
import { TimesHistogram } from "../../src/cli/load_times.ts";

Deno.test("load payload: one size is one message; of a range all sizes come, from the least to the largest", () => {
  for (const text of [false, true]) {
    assert.deepEqual(makePayloads({ minBytes: 5, maxBytes: 5, text }).map(sizeOf), [5]);
    assert.deepEqual(makePayloads({ minBytes: 0, maxBytes: 0, text }).map(sizeOf), [0]);
    const few = makePayloads({ minBytes: 2, maxBytes: 6, text }).map(sizeOf);
    assert.deepEqual(few.toSorted((a, b) => a - b), [2, 3, 4, 5, 6]);
    const many = makePayloads({ minBytes: 10, maxBytes: 100_000, text }).map(sizeOf);
    assert.equal(many.length, 64);
    assert.deepEqual([Math.min(...many), Math.max(...many)], [10, 100_000]);
    assert.notDeepEqual(many, many.toSorted((a, b) => a - b));
  }
});

Deno.test("load payload: text is ASCII that deflates to a fifth or a third, bytes do not deflate; both are always the same", () => {
  for (const [bytes, want] of [[1024, 1 / 3], [65_536, 1 / 5]]) {
    const [words] = makePayloads({ minBytes: bytes, maxBytes: bytes, text: true });
    assert.ok(typeof words === "string" && /^[\x20-\x7e]*$/.test(words));
    const share = deflateRawSync(words).length / bytes;
    assert.ok(Math.abs(share - want) < 0.03, `${bytes} bytes: ${share}`);
  }
  const options = { minBytes: 65_536, maxBytes: 65_536 };
  const [noise] = makePayloads({ ...options, text: false });
  assert.ok(deflateRawSync(noise as Uint8Array).length > 65_000);
  assert.deepEqual(makePayloads({ ...options, text: false }), [noise]);
});

Deno.test("load times: percentiles to three digits, and none above the largest", () => {
  const times = new TimesHistogram();
  assert.deepEqual([...new Set(Object.values(times.times()))], [0]);
  for (let ms = 1; ms <= 10_000; ms++) times.record(ms);
  const { count, min, mean, p50, p90, p95, p99, p999, p9999, max } = times.times();
  const near = (us: number, ms: number) => assert.ok(Math.abs(us / 1000 - ms) <= ms / 900, `${us}`);
  assert.equal(count, 10_000);
  near(min, 1);
  near(mean, 5_000.5);
  near(p50, 5_000);
  near(p90, 9_000);
  near(p95, 9_500);
  near(p99, 9_900);
  near(p999, 9_990);
  near(p9999, 9_999);
  near(max, 10_000);
});

Deno.test("load times: a time of none is a microsecond, one above an hour an hour", () => {
  const times = new TimesHistogram();
  times.record(0);
  times.record(1e9);
  const { min, max } = times.times();
  assert.equal(min, 1);
  assert.ok(Math.abs(max - 3.6e9) < 3.6e6);
});

Deno.test("load times: the curve ends where the values are too few, the bars hold all of them", () => {
  const times = new TimesHistogram();
  for (let ms = 1; ms <= 200; ms++) times.record(ms);
  const curve = times.curve();
  assert.deepEqual(curve.slice(-2).map(([percentile]) => percentile), [99.5, 100]);
  assert.equal(times.distribution().reduce((all, { count }) => all + count, 0), 200);
  const [first, ...rest] = times.distribution();
  rest.reduce((before, bar) => {
    assert.equal(bar.fromUs, before.toUs);
    return bar;
  }, first);
});

Deno.test("load times: an expected interval adds what was held back, one interval shorter each", () => {
  const times = new TimesHistogram();
  times.record(100, 10);
  const { count, max } = times.times();
  assert.equal(count, 10);
  assert.ok(Math.abs(max - 100_000) < 100);
  // 100, 90, ... 10: five of ten are 50 or less.
  assert.ok(Math.abs(times.at(50) - 50_000) < 100);
});

Deno.test("load timeline: what happens is told in its interval, and a silent one has no latency", () => {
  const timeline = new Timeline({ intervalMs: 100, expectedIntervalMs: 0, sockets: () => 3 });
  timeline.failed(0, 2);
  timeline.sent(10, 8);
  timeline.answered(20, 8, 10);
  timeline.sent(310, 8);
  timeline.answered(350, 8, 40);
  const intervals = timeline.intervals(360);
  assert.deepEqual(intervals.map(({ atMs }) => atMs), [0, 100, 200, 300]);
  assert.deepEqual(intervals.map(({ roundTrips }) => roundTrips), [1, 0, 0, 1]);
  assert.deepEqual(intervals.map(({ errors }) => errors), [2, 0, 0, 0]);
  assert.deepEqual(intervals.map(({ latencyUs }) => latencyUs === null), [
    false,
    true,
    true,
    false,
  ]);
  assert.ok(Math.abs(intervals[3].latencyUs!.p50 - 40_000) < 400);
  assert.equal(intervals[0].sockets, 3);
});

Deno.test("load timeline: what an expected interval puts in is in the interval of the echo as well", () => {
  const timeline = new Timeline({ intervalMs: 100, expectedIntervalMs: 10, sockets: () => 1 });
  timeline.answered(50, 8, 1);
  timeline.answered(150, 8, 100);
  const [first, second] = timeline.intervals(160);
  assert.deepEqual([first.roundTrips, second.roundTrips], [1, 1]);
  // 100, 90, ... 10: five of ten are 50 or less.
  assert.ok(Math.abs(second.latencyUs!.p50 - 50_000) < 100, `${second.latencyUs!.p50}`);
  assert.ok(Math.abs(first.latencyUs!.p50 - 1_000) < 10);
});

Deno.test("load timeline: intervals are round, and about 120 at most", () => {
  const rows: [durationMs: number, intervalMs: number][] = [
    ...[[1, 100], [12_000, 100], [12_001, 250], [60_000, 500], [600_000, 5_000]] as const,
    ...[[3_600_000, 30_000], [86_400_000, 1_800_000]] as const,
  ].map(([a, b]) => [a, b]);
  for (const [durationMs, want] of rows) assert.equal(intervalFor(durationMs), want);
});
