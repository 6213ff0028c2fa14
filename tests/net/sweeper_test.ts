import assert from "node:assert/strict";
import { Deadline, Sweeper, type Swept } from "../../src/net/sweeper.ts";
import { until } from "../support/until.ts";

class Counted implements Swept {
  sweeps = 0;
  lastMs = 0;

  sweep(nowMs: number): void {
    this.sweeps++;
    this.lastMs = nowMs;
  }
}

Deno.test("Sweeper: sweeps every entry until it is deleted, with the time", async () => {
  const sweeper = new Sweeper(5);
  const [a, b] = [new Counted(), new Counted()];
  const startMs = performance.now();
  sweeper.add(a);
  sweeper.add(b);
  await until("sweeps", () => a.sweeps >= 3 && b.sweeps >= 3);
  assert.ok(a.lastMs > startMs);
  assert.ok(a.lastMs <= performance.now());
  assert.equal(sweeper.nowMs, a.lastMs);
  sweeper.delete(a);
  const { sweeps } = a;
  const seen = b.sweeps;
  await until("more sweeps", () => b.sweeps > seen + 2);
  assert.equal(a.sweeps, sweeps);
  sweeper.delete(b);
  sweeper.stop();
});

// The sanitizer of Deno.test fails a test that leaves a timer.
Deno.test("Sweeper: has no timer while it has nothing to sweep", async () => {
  const sweeper = new Sweeper(1);
  for (let round = 0; round < 3; round++) {
    const entry = new Counted();
    sweeper.add(entry);
    await until("a sweep", () => entry.sweeps > 0);
    sweeper.delete(entry);
    assert.equal(sweeper.size, 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

Deno.test("Sweeper: an entry may delete itself and add others while it is swept", async () => {
  const sweeper = new Sweeper(1);
  const later = new Counted();
  const once: Swept = {
    sweep() {
      sweeper.delete(once);
      sweeper.add(later);
    },
  };
  sweeper.add(once);
  await until("the later one's sweep", () => later.sweeps > 1);
  assert.equal(sweeper.size, 1);
  sweeper.delete(later);
  sweeper.stop();
});

Deno.test("Sweeper: quicken makes a sweeper faster, never slower", async () => {
  const sweeper = new Sweeper(1_000_000);
  const entry = new Counted();
  sweeper.add(entry);
  sweeper.quicken(2_000_000);
  assert.equal(sweeper.intervalMs, 1_000_000);
  sweeper.quicken(2);
  assert.equal(sweeper.intervalMs, 2);
  await until("a sweep", () => entry.sweeps > 1);
  sweeper.delete(entry);
  sweeper.stop();
});

Deno.test("Deadline: calls back once, not before its time", async () => {
  const sweeper = new Sweeper(2);
  const startMs = performance.now();
  const lateMs: number[] = [];
  const deadline = new Deadline(sweeper, 50, () => lateMs.push(performance.now() - startMs));
  await until("the deadline", () => lateMs.length > 0);
  assert.ok(lateMs[0] >= 45, `called after ${lateMs[0]} ms`);
  assert.equal(sweeper.size, 0);
  deadline.clear();
  deadline.sweep(startMs);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(lateMs.length, 1);
});

Deno.test("Deadline: is not early by what has passed since the last sweep", async () => {
  const sweeper = new Sweeper(100);
  const entry = new Counted();
  sweeper.add(entry);
  await until("a sweep", () => entry.sweeps > 0);
  await new Promise((resolve) => setTimeout(resolve, 60));
  const startMs = performance.now();
  await new Promise<void>((resolve) => new Deadline(sweeper, 80, resolve));
  assert.ok(performance.now() - startMs >= 75);
  sweeper.delete(entry);
  sweeper.stop();
});

Deno.test("Deadline: one that was cleared never calls back", async () => {
  const sweeper = new Sweeper(1);
  const deadline = new Deadline(sweeper, 10, () => assert.fail("called back"));
  const other = new Promise<void>((resolve) => new Deadline(sweeper, 40, resolve));
  deadline.clear();
  deadline.clear();
  await other;
  assert.equal(sweeper.size, 0);
  sweeper.stop();
});
