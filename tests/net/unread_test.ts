import assert from "node:assert/strict";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { unread } from "../../src/net/unread.ts";

function streamOf(chunks: readonly (Uint8Array | null)[]): ByteStream {
  const left = [...chunks];
  return {
    headroom: 4,
    read: () => Promise.resolve(left.shift() ?? null),
    write: () => Promise.resolve(),
    closeWrite: () => Promise.resolve(),
    abort: () => {},
  };
}

for (
  const { name, rest, want } of [
    { name: "what was read comes first", rest: [1, 2], want: [[1, 2], [3], null] },
    { name: "nothing is no chunk", rest: [], want: [[3], null] },
  ]
) {
  Deno.test(`unread: ${name}`, async () => {
    const stream = unread(streamOf([Uint8Array.of(3), null]), Uint8Array.from(rest));
    for (const chunk of want) {
      const got = await stream.read();
      assert.deepEqual(got && [...got], chunk);
    }
  });
}
