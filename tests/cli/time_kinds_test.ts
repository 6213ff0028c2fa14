// Times on the command lines of the tools for the terminal.
import assert from "node:assert/strict";
import { benchFlags } from "../../src/cli/bench_flags.ts";
import { connectFlags } from "../../src/cli/connect_flags.ts";
import { doctorFlags } from "../../src/cli/doctor_flags.ts";
import { seconds } from "../../src/cli/time_kinds.ts";
import type { ValueError } from "../../src/config/error.ts";

Deno.test("connect, bench and doctor: a bare number is seconds in each time", () => {
  for (const flags of [connectFlags, benchFlags, doctorFlags]) {
    const times = Object.values(flags).filter(({ kind }) => kind.placeholder === "time");
    assert.ok(times.length > 1);
    for (const { name, kind } of times) {
      assert.equal(kind.parse("2"), 2_000, name);
      assert.equal(kind.parse("0.5"), 500, name);
      assert.equal(kind.parse("2s"), 2_000, name);
      assert.throws(() => kind.parse("2 s"), { problem: "is not a time" }, name);
    }
  }
});

const TIMES: [text: string, wantMs: number][] = [
  ["10", 10_000],
  ["0", 0],
  ["0.3333", 333],
  ["1m30s", 90_000],
  ["250ms", 250],
];

Deno.test("times: seconds, or numbers with units", () => {
  for (const [text, want] of TIMES) assert.equal(seconds({ min: 0 }).parse(text), want, text);
});

const WRONG: [text: string, problem: string, allowed: string][] = [
  ["soon", "is not a time", "seconds (10, 0.5) or a duration (500ms, 1m30s)"],
  ["-1", "is not a time", "seconds (10, 0.5) or a duration (500ms, 1m30s)"],
  ["", "is not a time", "seconds (10, 0.5) or a duration (500ms, 1m30s)"],
  ["0", "is out of range", "1ms to 10m"],
  ["601", "is out of range", "1ms to 10m"],
];

Deno.test("times: what is none says what would be one", () => {
  for (const [text, problem, allowed] of WRONG) {
    const told = (error: ValueError) => {
      assert.deepEqual([error.problem, error.allowed], [problem, allowed], text);
      return true;
    };
    assert.throws(() => seconds({ max: 600_000 }).parse(text), told);
  }
});
