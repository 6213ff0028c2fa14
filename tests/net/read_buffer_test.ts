import assert from "node:assert/strict";
import { ReadSize, TUNNEL_READ_SIZE } from "../../src/net/read_buffer.ts";

const KIB = 1024;

interface Row {
  name: string;
  /** What the reads brought, one after the other; "full" is as much as was asked for. */
  took: (number | "full")[];
  want: number;
}

const ROWS: Row[] = [
  { name: "a new stream reads small", took: [], want: 2 * KIB },
  { name: "small reads stay small", took: [1, 100, 2 * KIB - 1], want: 2 * KIB },
  { name: "one full read makes the next larger", took: ["full"], want: 8 * KIB },
  { name: "full reads grow it to the largest", took: ["full", "full", "full"], want: 64 * KIB },
  { name: "it never passes the largest", took: Array(10).fill("full"), want: 64 * KIB },
  {
    name: "reads that are half full keep it",
    took: ["full", ...Array(10).fill(4 * KIB)],
    want: 8 * KIB,
  },
  { name: "one small read keeps it", took: ["full", "full", 10], want: 32 * KIB },
  { name: "two small reads in a row shrink it", took: ["full", "full", 10, 10], want: 8 * KIB },
  {
    name: "a larger read between two small ones keeps it",
    took: ["full", "full", 10, 20 * KIB, 10],
    want: 32 * KIB,
  },
  {
    name: "a quiet stream is small again after a burst",
    took: ["full", "full", "full", 1, 1, 1, 1, 1, 1],
    want: 2 * KIB,
  },
  { name: "it never falls below the smallest", took: Array(10).fill(1), want: 2 * KIB },
];

for (const { name, took, want } of ROWS) {
  Deno.test(`ReadSize: ${name}`, () => {
    const size = new ReadSize();
    for (const bytes of took) size.took(bytes === "full" ? size.size : bytes);
    assert.equal(size.size, want);
    assert.equal(size.busy, want > 2 * KIB);
  });
}

Deno.test("ReadSize: bounds of its own", () => {
  const size = new ReadSize(256, 512);
  assert.equal(size.size, 256);
  for (let i = 0; i < 4; i++) size.took(size.size);
  assert.equal(size.size, 512);
  for (let i = 0; i < 4; i++) size.took(1);
  assert.equal(size.size, 256);
});

Deno.test("ReadSize: a tunnel's begins smaller, and is busy no sooner than others", () => {
  const size = new ReadSize(TUNNEL_READ_SIZE);
  assert.equal(size.size, 512);
  size.took(512);
  assert.equal(size.size, 2 * KIB);
  assert.equal(size.busy, false);
  size.took(2 * KIB);
  assert.equal(size.busy, true);
});
