import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { pipe } from "../../src/net/pipe.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

Deno.test("pipe: what is written to one end is read from the other, each way in order", async () => {
  const [one, two] = pipe();
  const writes = [
    one.write(bytes(1)),
    one.write(bytes()),
    one.write(bytes(2)),
    two.write(bytes(9)),
  ];
  const closed = one.closeWrite();
  assert.deepEqual(await two.read(), bytes(1));
  assert.deepEqual(await two.read(), bytes(2));
  assert.equal(await two.read(), null);
  assert.equal(await two.read(), null);
  assert.deepEqual(await one.read(), bytes(9));
  const last = one.read();
  await two.closeWrite();
  assert.equal(await last, null);
  await Promise.all([...writes, closed]);
});

Deno.test("pipe: a write is done when its reader comes again", async () => {
  const [one, two] = pipe();
  let isDone = false;
  const write = one.write(bytes(1)).then(() => isDone = true);
  await two.read();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(isDone, false);
  const next = two.read();
  await write;
  one.abort();
  await assert.rejects(next, NetError);
});

for (const side of [0, 1] as const) {
  Deno.test(`pipe: an abort at ${side ? "the reader's" : "the writer's"} end ends all that waits`, async () => {
    const ends = pipe();
    const [one, two] = ends;
    const write = one.write(bytes(1));
    const second = one.write(bytes(2));
    const back = one.read();
    await two.read();
    ends[side].abort("enough");
    for (const work of [write, second, back, two.read(), one.closeWrite(), two.write(bytes(3))]) {
      await assert.rejects(work, { name: "NetError", kind: "aborted", message: "enough" });
    }
    ends[side].abort("again");
  });
}

Deno.test("pipe: an end that was read stays one behind an abort", async () => {
  const [one, two] = pipe();
  await one.closeWrite();
  one.abort();
  assert.equal(await two.read(), null);
  await assert.rejects(two.write(bytes(1)), NetError);
});
