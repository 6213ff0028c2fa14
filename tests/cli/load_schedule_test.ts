import assert from "node:assert/strict";
import fc from "fast-check";
import { dueAfterMs, dueBefore } from "../../src/cli/load_schedule.ts";

const ROWS: [name: string, ratePerSecond: number, rampMs: number, due: number[]][] = [
  ["an even rate", 100, 0, [0, 10, 20, 30]],
  ["less than one a second", 0.5, 0, [0, 2000, 4000]],
  // After half of the ramp a quarter of its messages has come: 4 * 1/4 = 1, and at its end 4.
  ["a ramp to 4 a second in 2 s", 4, 2000, [0, 1000, 1414.21, 1732.05, 2000, 2250, 2500]],
];

for (const [name, ratePerSecond, rampMs, want] of ROWS) {
  Deno.test(`load schedule: ${name}`, () => {
    const due = want.map((_, n) => dueAfterMs(n, { ratePerSecond, rampMs }));
    due.forEach((ms, n) => assert.ok(Math.abs(ms - want[n]) < 0.01, `${n}: ${ms}, not ${want[n]}`));
  });
}

Deno.test("load schedule: dueBefore counts what dueAfterMs puts there; it never goes back", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 20_000 }),
    fc.integer({ min: 0, max: 5_000 }),
    fc.integer({ min: 0, max: 10_000 }),
    (ratePerSecond, rampMs, untilMs) => {
      const schedule = { ratePerSecond, rampMs };
      const count = dueBefore(untilMs, schedule);
      const slack = 1e-3;
      if (count > 0) assert.ok(dueAfterMs(count - 1, schedule) < untilMs + slack);
      assert.ok(dueAfterMs(count, schedule) >= untilMs - slack);
      assert.ok(dueAfterMs(count + 1, schedule) > dueAfterMs(count, schedule));
    },
  ));
});
