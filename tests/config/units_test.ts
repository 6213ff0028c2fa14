import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatDuration,
  formatSize,
  parseCount,
  parseDuration,
  parseSize,
} from "../../src/config/units.ts";

const SIZES: [text: string, want: number | undefined][] = [
  ["0", 0],
  ["65536", 65536],
  ["100B", 100],
  ["64KiB", 65536],
  ["64kib", 65536],
  ["1MiB", 1048576],
  ["1.5MiB", 1572864],
  ["2GiB", 2147483648],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ["9007199254740993", undefined],
  ["1MB", undefined],
  ["1K", undefined],
  ["1.5", undefined],
  ["12xx", undefined],
  ["-1", undefined],
  ["1 MiB", undefined],
  ["1e3", undefined],
  ["0x10", undefined],
  [".5MiB", undefined],
  ["MiB", undefined],
  ["", undefined],
];

Deno.test("units: sizes in bytes, KiB, MiB, GiB", () => {
  for (const [text, want] of SIZES) assert.equal(parseSize(text), want, text);
});

const DURATIONS: [text: string, want: number | undefined][] = [
  ["0", 0],
  ["0s", 0],
  ["120s", 120_000],
  ["1m30s", 90_000],
  ["500ms", 500],
  ["1h", 3_600_000],
  ["1h2m3s4ms", 3_723_004],
  ["1.5h", 5_400_000],
  ["1.1s", 1100],
  ["0.0005s", undefined],
  ["120", undefined],
  ["1s1m", undefined],
  ["1d", undefined],
  ["-1s", undefined],
  ["1 s", undefined],
  ["1us", undefined],
  ["s", undefined],
  ["", undefined],
];

Deno.test("units: durations in h, m, s, ms", () => {
  for (const [text, want] of DURATIONS) assert.equal(parseDuration(text), want, text);
});

Deno.test("units: counts are digits alone", () => {
  assert.equal(parseCount("2000"), 2000);
  for (const text of ["", "-1", "+1", "1.0", "1e3", "0x1", " 1", "99999999999999999999"]) {
    assert.equal(parseCount(text), undefined, text);
  }
});

Deno.test("units: what is formatted reads back", () => {
  fc.assert(fc.property(fc.nat(2 ** 31 - 1), (n) => {
    assert.equal(parseSize(formatSize(n)), n);
    assert.equal(parseDuration(formatDuration(n)), n);
  }));
  assert.equal(formatSize(1048576), "1MiB");
  assert.equal(formatSize(1025), "1025");
  assert.equal(formatDuration(90_500), "1m30s500ms");
  assert.equal(formatDuration(0), "0");
});
