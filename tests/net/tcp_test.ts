import assert from "node:assert/strict";
import * as net from "node:net";
import { NetError, type NetErrorKind } from "../../src/net/error.ts";
import { ConnStream } from "../../src/net/tcp.ts";
import { tcpPair } from "../support/pair.ts";
import { within } from "../support/within.ts";

const MIB = 2 ** 20;

async function rejectsAs(kinds: NetErrorKind[], work: Promise<unknown>): Promise<void> {
  await assert.rejects(within("its end", work), (error) => {
    assert.ok(error instanceof NetError, String(error));
    assert.ok(kinds.includes(error.kind), `${error.kind}: ${error.message}`);
    return true;
  });
}

async function readAll(peer: Deno.TcpConn): Promise<Uint8Array> {
  return new Uint8Array(await new Response(peer.readable).arrayBuffer());
}

Deno.test("ConnStream: what is written at the same time goes out whole, in the order of the calls", async () => {
  const { stream, peer } = await tcpPair();
  // Far above what a socket takes at once, so that each write needs several calls.
  const writes = Array.from({ length: 8 }, (_, i) => new Uint8Array(2 * MIB).fill(i + 1));
  const small = new Uint8Array([99]);
  const done = Promise.all([
    ...writes.flatMap((bytes) => [stream.write(bytes), stream.write(small)]),
    stream.closeWrite(),
  ]);
  const got = await within("all of it", readAll(peer));
  await done;
  let at = 0;
  for (const bytes of writes) {
    assert.deepEqual(got.subarray(at, at + bytes.length), bytes);
    at += bytes.length;
    assert.equal(got[at++], 99);
  }
  assert.equal(got.length, at);
  stream.abort();
});

Deno.test("ConnStream: a write waits for a peer that does not read; abort ends it and what is behind", async () => {
  const { stream, peer } = await tcpPair();
  let through = false;
  const first = stream.write(new Uint8Array(64 * MIB)).finally(() => through = true);
  const second = stream.write(new Uint8Array(1));
  const fin = stream.closeWrite();
  const read = stream.read();
  const ends = [first, second, fin, read].map((work) =>
    rejectsAs(["aborted", "lost", "reset"], work)
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(through, false);
  stream.abort();
  stream.abort();
  await Promise.all(ends);
  // The peer sees the end, once it has read what lay in the kernel.
  await within("the end at the peer", readAll(peer).catch(() => {}));
});

Deno.test("ConnStream: FIN goes out behind the writes, and the other way stays open", async () => {
  const { stream, peer } = await tcpPair();
  const bytes = new Uint8Array(4 * MIB).fill(7);
  const written = Promise.all([stream.write(bytes), stream.closeWrite()]);
  const got: number[] = [];
  const buffer = new Uint8Array(MIB);
  for (let count = await peer.read(buffer); count !== null; count = await peer.read(buffer)) {
    got.push(count);
  }
  await written;
  assert.equal(got.reduce((sum, count) => sum + count, 0), bytes.length);
  await peer.write(new TextEncoder().encode("still here"));
  assert.equal(new TextDecoder().decode((await stream.read())!), "still here");
  peer.close();
  assert.equal(await stream.read(), null);
  stream.abort();
});

Deno.test("ConnStream: each chunk has its headroom free before it, and is valid until the next read", async () => {
  const { stream, peer } = await tcpPair();
  for (const size of [1, 2048, 8192, 100_000]) {
    const sent = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
    const writing = peer.write(sent);
    for (let at = 0; at < sent.length;) {
      const chunk = (await stream.read())!;
      assert.ok(chunk.length > 0);
      assert.ok(chunk.byteOffset >= stream.headroom);
      new Uint8Array(chunk.buffer, chunk.byteOffset - stream.headroom, stream.headroom).fill(255);
      assert.deepEqual(chunk, sent.subarray(at, at + chunk.length));
      at += chunk.length;
    }
    await writing;
  }
  stream.abort();
  peer.close();
});

Deno.test("ConnStream: a peer's RST is told as reset, to reads and to writes", async () => {
  const accepted = Promise.withResolvers<net.Socket>();
  const server = net.createServer((socket) => accepted.resolve(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const stream = new ConnStream(await Deno.connect({ hostname: "127.0.0.1", port }));
  const read = rejectsAs(["reset"], stream.read());
  (await accepted.promise).resetAndDestroy();
  await read;
  await rejectsAs(["reset"], stream.write(new Uint8Array(1000)));
  stream.abort();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
