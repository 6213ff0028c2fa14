import assert from "node:assert/strict";
import { explain } from "../../src/cli/doctor_explain.ts";
import { fail, ok, type Outcome, skip, warn } from "../../src/cli/doctor_finding.ts";
import { probesFor } from "../../src/cli/doctor_probes.ts";
import { type Probe, runProbes } from "../../src/cli/doctor_run.ts";
import { NetError } from "../../src/net/error.ts";

const never = new AbortController().signal;

function probe(id: string, outcome: Outcome, rest: Partial<Probe<null>> = {}): Probe<null> {
  return { id, title: id.toUpperCase(), run: () => outcome, ...rest };
}

async function levelsOf(probes: Probe<null>[], timeoutMs = 1_000, signal = never) {
  const findings = await runProbes(probes, null, { timeoutMs, signal, explain });
  return findings.map(({ id, level, value }) => [id, level, value]);
}

Deno.test("doctor: what needs a probe that failed or was skipped is skipped, with the reason", async () => {
  const needing = (id: string, ...needs: string[]) => probe(id, ok("ran"), { needs });
  assert.deepEqual(
    await levelsOf([
      probe("a", fail("bad", "")),
      probe("b", skip("off")),
      probe("c", warn("so", "")),
      probe("d", warn("so", "", { stops: "D is of no use" })),
      needing("of_a", "a"),
      needing("of_of_a", "of_a"),
      needing("of_b", "b"),
      needing("of_c", "c"),
      needing("of_d", "d"),
      probe("behind_a", ok("ran"), { behind: ["a", "b", "d"] }),
    ]),
    [
      ["a", "fail", "bad"],
      ["b", "skip", "off"],
      ["c", "warn", "so"],
      ["d", "warn", "so"],
      ["of_a", "skip", "A failed"],
      ["of_of_a", "skip", "A failed"],
      ["of_b", "skip", "off"],
      ["of_c", "ok", "ran"],
      ["of_d", "skip", "D is of no use"],
      ["behind_a", "ok", "ran"],
    ],
  );
});

Deno.test("doctor: probes that do not wait for each other run side by side", async () => {
  const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const meeting = (i: number): Probe<null> => ({
    ...probe(`p${i}`, ok("")),
    async run() {
      both[i].resolve();
      await both[1 - i].promise;
      return ok("met");
    },
  });
  assert.deepEqual(await levelsOf([meeting(0), meeting(1)]), [
    ["p0", "ok", "met"],
    ["p1", "ok", "met"],
  ]);
});

Deno.test("doctor: each probe has its time, and says what its end means", async () => {
  const signals: AbortSignal[] = [];
  const hangs = (id: string, rest: Partial<Probe<null>> = {}) =>
    probe(id, ok(""), {
      run(_, signal) {
        signals.push(signal);
        return new Promise(() => {});
      },
      ...rest,
    });
  const late = () => warn("silent", "");
  const probes = [hangs("a"), hangs("b", { late }), hangs("c", { timeoutMs: () => 30, late })];
  assert.deepEqual(await levelsOf(probes, 20), [
    ["a", "fail", "no answer in 20ms"],
    ["b", "warn", "silent"],
    ["c", "warn", "silent"],
  ]);
  assert.ok(signals.every(({ aborted }) => aborted));
});

const ENDS = [
  { by: "its time", reason: new DOMException("", "TimeoutError"), over: /^the time of all / },
  { by: "the user", reason: undefined, over: /^it was ended before$/ },
];

for (const { by, reason, over } of ENDS) {
  Deno.test(`doctor: the end of all by ${by} ends each, and begins no other`, async () => {
    const all = new AbortController();
    const hangs = probe("a", ok(""), {
      run() {
        queueMicrotask(() => all.abort(reason));
        return new Promise(() => {});
      },
    });
    const next = probe("b", ok("ran"), { behind: ["a"] });
    const levels = await levelsOf([hangs, next], 10_000, all.signal);
    assert.deepEqual(levels.map(([id, level]) => [id, level]), [["a", "skip"], ["b", "skip"]]);
    for (const [, , value] of levels) assert.match(value!, over);
  });
}

Deno.test("doctor: what went wrong with the server is a finding, a bug of ours is thrown", async () => {
  const throwing = (error: Error) => probe("a", ok(""), { run: () => Promise.reject(error) });
  const refused = new NetError("refused", "Connection refused");
  assert.deepEqual(await levelsOf([throwing(refused)]), [["a", "fail", "nothing listens there"]]);
  await assert.rejects(levelsOf([throwing(new TypeError("bug"))]), /bug/);
});

Deno.test("doctor: all probes wait for others before them, and have ids of their own", () => {
  for (const secure of [true, false]) {
    const probes = probesFor(secure);
    const ids = probes.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    probes.forEach(({ needs = [], behind = [] }, i) => {
      for (const id of [...needs, ...behind]) assert.ok(ids.slice(0, i).includes(id), id);
    });
  }
});
