// The parts of `deno task bench:tunnel`: whose CPU is counted, and what the table says.
import assert from "node:assert/strict";
import { parentOf, processTable, withDescendants } from "../../scripts/bench_tunnel/processes.ts";
import {
  format,
  median,
  type Result,
  tableOf,
  type Work,
} from "../../scripts/bench_tunnel/table.ts";

Deno.test("bench tunnel: the parent stands behind the name, whatever that is", () => {
  assert.equal(parentOf("7 (sshd) S 3 7 7 0"), 3);
  assert.equal(parentOf("7 (a) R 1 (b) S 12 7 7 0"), 12);
});

Deno.test("bench tunnel: children count, and theirs, and nobody else's", () => {
  const table = new Map([[1, 0], [10, 1], [11, 10], [12, 11], [13, 10], [20, 1], [21, 20]]);
  assert.deepEqual(withDescendants(10, table).toSorted(), [10, 11, 12, 13]);
  assert.deepEqual(withDescendants(21, table), [21]);
});

Deno.test(
  "bench tunnel: this machine's processes",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
    try {
      assert.ok(withDescendants(Deno.pid, await processTable()).includes(child.pid));
    } finally {
      child.kill();
      await child.status;
    }
  },
);

Deno.test("bench tunnel: median, and numbers of three digits", () => {
  assert.equal(median([3]), 3);
  assert.equal(median([9, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 100]), 3);
  const rows = [[0, "0.0000"], [0.0123, "0.0123"], [1.2345, "1.23"], [45.67, "45.7"]] as const;
  for (const [value, text] of [...rows, [12345.6, "12346"], [NaN, "-"]] as const) {
    assert.equal(format(value), text);
  }
});

Deno.test("bench tunnel: each column has the medians of its runs", () => {
  const run = (operations: number, cpuSeconds: number): Result => ({
    ...{ operations, cpuSeconds, seconds: 2, p50Us: 100, p99Us: 2_000, errors: 0, error: "" },
  });
  const runs = [run(1_000, 1), run(2_000, 1), run(1_000, 0.5)];
  const works: Work[] = ["connect", "echo", "alone", "down", "up"];
  const results = Object.fromEntries(works.map((work) => [work, runs])) as Record<Work, Result[]>;
  const lines = tableOf(new Map([["ours", results], ["ssh -R", results]])).split("\n");
  const cells = (title: string) => {
    const line = lines.find((one) => one.startsWith(`| ${title} `)) ?? assert.fail(title);
    return line.split("|").slice(2, -1).map((cell) => cell.trim());
  };
  assert.deepEqual(lines[0].split(/ *\| */).slice(2, -1), ["ours", "ssh -R"]);
  assert.deepEqual(cells("connection: CPU µs"), ["500", "500"]);
  assert.deepEqual(cells("connections a second"), ["500", "500"]);
  assert.deepEqual(cells("connection: p99 ms"), ["2.00", "2.00"]);
  assert.deepEqual(cells("alone: p50 µs"), ["100", "100"]);
  assert.deepEqual(cells("MiB up: CPU ms"), ["0.500", "0.500"]);
  assert.equal(new Set(lines.map(({ length }) => length)).size, 1);
});
