import assert from "node:assert/strict";
import { SIZE_BUCKETS, SizeHistogram } from "../../../src/protocol/websocket/traffic.ts";

Deno.test("traffic: 17 buckets from 64 to 4194304, each twice the one before", () => {
  assert.equal(SIZE_BUCKETS.length, 17);
  assert.equal(SIZE_BUCKETS[0], 64);
  assert.equal(SIZE_BUCKETS[16], 4194304);
  for (let i = 1; i < 17; i++) assert.equal(SIZE_BUCKETS[i], 2 * SIZE_BUCKETS[i - 1]);
});

Deno.test("traffic: a bound is the last size of its bucket", () => {
  for (let i = 0; i < SIZE_BUCKETS.length; i++) {
    const histogram = new SizeHistogram();
    histogram.observe(SIZE_BUCKETS[i] - 1);
    histogram.observe(SIZE_BUCKETS[i]);
    histogram.observe(SIZE_BUCKETS[i] + 1);
    const want = new Float64Array(18);
    want[i] = 2;
    want[i + 1] = 1;
    assert.deepEqual(histogram.buckets, want);
    assert.equal(histogram.count, 3);
    assert.equal(histogram.sum, 3 * SIZE_BUCKETS[i]);
  }
});

Deno.test("traffic: nothing at all is small, 2^32 and more is above every bound", () => {
  const histogram = new SizeHistogram();
  histogram.observe(0);
  histogram.observe(1);
  for (const big of [2 ** 31, 2 ** 32, 2 ** 32 + 64, Number.MAX_SAFE_INTEGER]) {
    histogram.observe(big);
  }
  assert.equal(histogram.buckets[0], 2);
  assert.equal(histogram.buckets[17], 4);
});
