// Turns of networks at what few may do at once.
import assert from "node:assert/strict";
import { Cancel } from "../../src/net/cancel.ts";
import { Turns } from "../../src/tunnel/turns.ts";

/** Those who ask, and what became of them in the order in which it did. */
function asking(turns: Turns) {
  const settled: string[] = [];
  const ask = (who: string, signal: Cancel | null = null) => {
    return turns.take(who[0], signal).then((has) => void settled.push(`${who} ${has}`));
  };
  return { settled, ask };
}

Deno.test("turns: networks come by turns, and each in the order of its own", async () => {
  const turns = new Turns({ most: 1, maxWaiting: 10 });
  const { settled, ask } = asking(turns);
  const all = ["a0", "a1", "a2", "a3", "b1", "b2", "c1"].map((who) => ask(who));
  for (let i = 0; i < all.length; i++) turns.free();
  await Promise.all(all);
  assert.deepEqual(
    settled,
    ["a0", "a1", "b1", "c1", "a2", "b2", "a3"].map((who) => `${who} true`),
  );
  assert.ok(await turns.take("d"), "one that was given back is free");
});

Deno.test("turns: who is gone waits no more, and takes no turn", async () => {
  const turns = new Turns({ most: 1, maxWaiting: 10 });
  const { settled, ask } = asking(turns);
  await ask("a0");
  const gone = new Cancel();
  const [left, stays] = [ask("a1", gone), ask("a2")];
  gone.abort("gone");
  await left;
  assert.deepEqual(settled, ["a0 true", "a1 false"]);
  assert.equal(turns.waiting, 1);
  await ask("a3", gone);
  turns.free();
  await stays;
  assert.deepEqual(settled.slice(2), ["a3 false", "a2 true"]);
});

Deno.test("turns: where no more may wait, the network with the most of them makes room for others", async () => {
  const turns = new Turns({ most: 1, maxWaiting: 3 });
  const { settled, ask } = asking(turns);
  await ask("a0");
  const [a1, a2, a3] = ["a1", "a2", "a3"].map((who) => ask(who));
  await ask("a4");
  const b1 = ask("b1");
  await a3;
  // Both have as many as they may: one of a is no more than one of b.
  const c1 = ask("c1");
  await a2;
  await ask("d1");
  assert.deepEqual(settled, ["a0 true", "a4 false", "a3 false", "a2 false", "d1 false"]);
  for (let i = 0; i < 3; i++) turns.free();
  await Promise.all([a1, b1, c1]);
  assert.deepEqual(settled.slice(5), ["a1 true", "b1 true", "c1 true"]);
});
