// How attempts are shared, and how two of them race.
import assert from "node:assert/strict";
import { withHeadStart } from "../../src/client/head_start.ts";
import { SharedAttempt } from "../../src/client/shared_attempt.ts";

const LONG_MS = 60_000;

/** Work that ends when it is told to, and sees how it was begun and given up. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const signals: AbortSignal[] = [];
  const start = (signal: AbortSignal) => {
    signals.push(signal);
    signal.addEventListener("abort", () => reject(new Error("given up")), { once: true });
    return promise;
  };
  return { start, resolve, reject, signals };
}

Deno.test("attempts: all who wait share one; who gives up takes nothing from the others", async () => {
  const attempt = new SharedAttempt<string>();
  const one = work();
  const cancel = new AbortController();
  const first = attempt.join(one.start, cancel.signal);
  const second = attempt.join(one.start, new AbortController().signal);
  assert.equal(one.signals.length, 1);
  cancel.abort();
  await assert.rejects(first, { name: "NetError", kind: "aborted" });
  assert.equal(one.signals[0].aborted, false);
  one.resolve("there");
  assert.equal(await second, "there");
  assert.equal(one.signals[0].aborted, false, "what is there is not given up");
});

Deno.test("attempts: one that nobody waits for is given up, and joined by nobody", async () => {
  const attempt = new SharedAttempt<string>();
  const [one, two] = [work(), work()];
  const cancel = new AbortController();
  const first = attempt.join(one.start, cancel.signal);
  cancel.abort();
  await assert.rejects(first, { kind: "aborted" });
  assert.equal(one.signals[0].aborted, true);
  const second = attempt.join(two.start, new AbortController().signal);
  two.resolve("there");
  assert.equal(await second, "there");
});

Deno.test("attempts: one that failed is told to all, and the next begins anew", async () => {
  const attempt = new SharedAttempt<string>();
  const [one, two] = [work(), work()];
  const { signal } = new AbortController();
  const both = [attempt.join(one.start, signal), attempt.join(one.start, signal)];
  one.reject(new Error("no"));
  for (const joined of both) await assert.rejects(joined, { message: "no" });
  const next = attempt.join(two.start, signal);
  two.resolve("there");
  assert.equal(await next, "there");
});

/** A race, and what it told. */
function race(headStartMs: number, signal = new AbortController().signal) {
  const [preferred, other] = [work(), work()];
  const told: string[] = [];
  const outcome = withHeadStart({
    ...{ preferred: preferred.start, other: other.start, headStartMs, signal },
    onLost: () => told.push("lost"),
    late: (value) => told.push(`late ${value}`),
  });
  outcome.catch(() => {});
  return { preferred, other, told, outcome };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("head start: the other way is not begun where the preferred one is fast", async () => {
  const { preferred, other, told, outcome } = race(LONG_MS);
  preferred.resolve("preferred");
  assert.equal(await outcome, "preferred");
  await turn();
  assert.deepEqual([other.signals.length, told], [0, []]);
});

Deno.test("head start: a failure ends it at once", async () => {
  const { preferred, other, told, outcome } = race(LONG_MS);
  preferred.reject(new Error("no"));
  other.resolve("other");
  assert.equal(await outcome, "other");
  assert.deepEqual(told, ["lost"]);
});

Deno.test("head start: behind it the faster one wins, and the loser is given up", async () => {
  const { preferred, other, told, outcome } = race(0);
  other.resolve("other");
  assert.equal(await outcome, "other");
  assert.equal(preferred.signals[0].aborted, true);
  assert.deepEqual(told, ["lost"]);
  const second = race(0);
  await turn();
  second.preferred.resolve("preferred");
  assert.equal(await second.outcome, "preferred");
  assert.deepEqual(second.told, []);
});

Deno.test("head start: what comes too late is handed over, to be ended", async () => {
  const { preferred, other, told, outcome } = race(0);
  await turn();
  await turn();
  assert.equal(other.signals.length, 1);
  preferred.resolve("preferred");
  other.resolve("other");
  assert.equal(await outcome, "preferred");
  await turn();
  assert.deepEqual(told, ["late other"]);
});

Deno.test("head start: where both fail, the other's error is told", async () => {
  const { preferred, other, told, outcome } = race(LONG_MS);
  preferred.reject(new Error("no UDP"));
  other.reject(new Error("no TCP"));
  await assert.rejects(outcome, { message: "no TCP" });
  assert.deepEqual(told, ["lost"]);
});

Deno.test("head start: who gives up gives both up, and nothing is held against either", async () => {
  const cancel = new AbortController();
  const { preferred, other, told, outcome } = race(0, cancel.signal);
  await turn();
  await turn();
  cancel.abort();
  await assert.rejects(outcome, { name: "NetError", kind: "aborted" });
  assert.deepEqual([preferred, other].map(({ signals }) => signals[0].aborted), [true, true]);
  assert.deepEqual(told, []);
});
