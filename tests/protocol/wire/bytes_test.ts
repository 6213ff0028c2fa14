import assert from "node:assert/strict";
import { concat } from "../../../src/protocol/wire/bytes.ts";

Deno.test("concat joins parts in order, views too, into an array of its own", () => {
  const part = Uint8Array.of(9, 1, 2, 9).subarray(1, 3);
  const joined = concat([part, new Uint8Array(0), Uint8Array.of(3)]);
  assert.deepEqual(joined, Uint8Array.of(1, 2, 3));
  part[0] = 7;
  assert.equal(joined[0], 1);
  assert.equal(concat([]).length, 0);
  assert.deepEqual(concat([part], 2), Uint8Array.of(7, 2));
});
