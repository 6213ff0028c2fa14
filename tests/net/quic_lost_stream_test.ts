import assert from "node:assert/strict";
import { QuicConnection } from "../../src/net/quic.ts";

/** A stream of Deno's whose resource is gone before anyone has looked at it, or is not. */
function incoming(id: number | null): Deno.QuicBidirectionalStream {
  const writable = new WritableStream();
  Object.defineProperty(writable, "id", {
    get() {
      if (id === null) throw new Deno.errors.BadResource("Bad resource ID");
      return BigInt(id);
    },
  });
  return { readable: new ReadableStream({ type: "bytes" }), writable } as never;
}

Deno.test("quic: a stream that went before it was accepted is passed over", async () => {
  const connection = new QuicConnection({
    closed: new Promise(() => {}),
    incomingBidirectionalStreams: ReadableStream.from([null, 4, null, 8, null].map(incoming)),
  } as never);
  assert.equal((await connection.acceptStream())?.id, 4);
  assert.equal((await connection.acceptStream())?.id, 8);
  assert.equal(await connection.acceptStream(), null);
});
