// From where a user got in lately, of which only so much is kept.
import assert from "node:assert/strict";
import { Familiar } from "../../src/tunnel/familiar.ts";

Deno.test("familiar: a network is that for a week after its user got in there", () => {
  const clock = { ms: 0 };
  const familiar = new Familiar(() => clock.ms);
  familiar.add("ann", "192.0.2.1");
  clock.ms += 7 * 24 * 3_600_000 - 1;
  assert.ok(familiar.has("ann", "192.0.2.1"));
  for (const [user, network] of [["bob", "192.0.2.1"], ["ann", "192.0.2.2"]]) {
    assert.ok(!familiar.has(user, network));
  }
  clock.ms += 1;
  assert.ok(!familiar.has("ann", "192.0.2.1"));
});

Deno.test("familiar: a user of many networks pushes out his own oldest, and nobody else's", () => {
  const familiar = new Familiar(() => 0);
  familiar.add("bob", "192.0.2.1");
  for (let i = 0; i < 16; i++) familiar.add("ann", `198.51.100.${i}`);
  familiar.add("ann", "198.51.100.0");
  familiar.add("ann", "203.0.113.1");
  assert.deepEqual(
    ["198.51.100.0", "198.51.100.1", "198.51.100.2", "203.0.113.1"]
      .map((network) => familiar.has("ann", network)),
    [true, false, true, true],
  );
  assert.ok(familiar.has("bob", "192.0.2.1"));
});

Deno.test("familiar: of more than 10,000 users only the latest are kept", () => {
  const familiar = new Familiar(() => 0);
  for (let i = 0; i < 10_001; i++) familiar.add(`u${i}`, "192.0.2.1");
  assert.deepEqual(
    ["u0", "u1", "u10000"].map((user) => familiar.has(user, "192.0.2.1")),
    [false, true, true],
  );
});
