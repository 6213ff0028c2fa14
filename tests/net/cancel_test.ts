import assert from "node:assert/strict";
import { Cancel } from "../../src/net/cancel.ts";

Deno.test("cancel: calls each listener once, with the reason there", () => {
  const cancel = new Cancel();
  const told: unknown[] = [];
  const first = () => told.push(["first", cancel.reason]);
  const second = () => told.push(["second", cancel.reason]);
  cancel.addEventListener("abort", first);
  cancel.addEventListener("abort", second);
  assert.equal(cancel.aborted, false);
  cancel.abort("gone");
  cancel.abort("again");
  assert.deepEqual(told, [["first", "gone"], ["second", "gone"]]);
  assert.deepEqual([cancel.aborted, cancel.reason], [true, "gone"]);
});

Deno.test("cancel: who has left is not called, nor who comes too late", () => {
  const cancel = new Cancel();
  const told: string[] = [];
  const listener = () => told.push("left");
  cancel.addEventListener("abort", listener);
  cancel.removeEventListener("abort", listener);
  cancel.removeEventListener("abort", listener);
  cancel.abort(null);
  cancel.addEventListener("abort", () => told.push("late"));
  assert.deepEqual(told, []);
});
