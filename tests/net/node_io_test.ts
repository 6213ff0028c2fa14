// A stream of node:tls goes by its handle, which is internal API: this pins it, and that the public
// way does the same.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { NetError } from "../../src/net/error.ts";
import { isDirect, nodeIo } from "../../src/net/node_io.ts";
import { NodeStream } from "../../src/net/node_stream.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const MIB = 2 ** 20;
const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });

interface Peers {
  socket: tls.TLSSocket;
  raw: net.Socket;
  peer: tls.TLSSocket;
  /** The TCP socket below the peer. */
  peerRaw: net.Socket;
}

async function withPeers(body: (peers: Peers) => Promise<void>): Promise<void> {
  const tlsServer = tls.createServer({ cert: certPem, key: keyPem, allowHalfOpen: true });
  const peerRaws: net.Socket[] = [];
  const accepted = new Promise<tls.TLSSocket>((resolve) =>
    tlsServer.once("secureConnection", (socket) => {
      socket.on("error", () => {});
      resolve(socket);
    })
  );
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    peerRaws.push(socket);
    tlsServer.emit("connection", socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const raw = net.connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
  const socket = tls.connect({ socket: raw, servername: "localhost", ca: [caPem] });
  await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
  raw.allowHalfOpen = true;
  socket.allowHalfOpen = true;
  const peer = await within("the server's end", accepted);
  try {
    await body({ socket, raw, peer, peerRaw: peerRaws[0] });
  } finally {
    socket.destroy();
    raw.destroy();
    peer.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** Whether a number has not changed in the last 20 looks. */
function standing(number: () => number): () => boolean {
  let before = -1;
  let looks = 0;
  return () => {
    looks = number() === before ? looks + 1 : 0;
    before = number();
    return looks === 20;
  };
}

Deno.test("node io: the handle of this Deno is as it is known", async () => {
  await withPeers(({ socket }) => {
    assert.ok(isDirect(nodeIo(socket, () => {})));
    return Promise.resolve();
  });
});

Deno.test("node io: without one of its parts the streams serve", async () => {
  for (const part of ["useUserBuffer", "writeBuffer", "readStart", "readStop"]) {
    await withPeers(({ socket }) => {
      const { _handle: handle } = socket as unknown as { _handle: object };
      Object.defineProperty(handle, part, { value: undefined, configurable: true });
      assert.ok(!isDirect(nodeIo(socket, () => {})), part);
      Reflect.deleteProperty(handle, part);
      return Promise.resolve();
    });
  }
});

for (const direct of [true, false]) {
  const way = direct ? "by the handle" : "by the streams";

  Deno.test(`node io: ${way}: bytes of all sizes come back as they were`, async () => {
    await withPeers(async ({ socket, raw, peer }) => {
      const stream = new NodeStream(socket, raw, { direct });
      peer.pipe(peer);
      for (const size of [1, 16, 255, 256, 257, 5000, 16384, 16385, 65536, 65537, 3 * MIB]) {
        const sent = new Uint8Array(size);
        for (let i = 0; i < size; i++) sent[i] = (i * 31 + (i >> 8)) & 0xff;
        const writing = stream.write(sent);
        const got = new Uint8Array(size);
        for (let at = 0; at < size;) {
          const chunk = await within("an echo", stream.read());
          assert.ok(chunk !== null && chunk.length > 0);
          assert.ok(chunk.byteOffset >= stream.headroom);
          got.set(chunk, at);
          // What is before a chunk is the reader's.
          new Uint8Array(chunk.buffer, chunk.byteOffset - stream.headroom, stream.headroom).fill(9);
          at += chunk.length;
        }
        await writing;
        assert.deepEqual(got, sent);
      }
      stream.abort();
    });
  });

  Deno.test(`node io: ${way}: writes go out in the order of the calls, FIN behind them`, async () => {
    await withPeers(async ({ socket, raw, peer }) => {
      const stream = new NodeStream(socket, raw, { direct });
      const texts = Array.from({ length: 100 }, (_, i) => `${i},`);
      const writes = texts.map((text) => stream.write(new TextEncoder().encode(text)));
      const ended = stream.closeWrite();
      let got = "";
      peer.on("data", (chunk) => got += chunk);
      await within("FIN", new Promise<void>((resolve) => peer.once("end", resolve)));
      assert.equal(got, texts.join(""));
      await Promise.all([...writes, ended]);
      await stream.closeWrite();
      peer.end("the other way is open");
      const chunk = await stream.read();
      assert.equal(new TextDecoder().decode(chunk!), "the other way is open");
      assert.equal(await stream.read(), null);
      stream.abort();
    });
  });

  Deno.test(`node io: ${way}: nothing is read for who does not ask, and all of it comes later`, async () => {
    await withPeers(async ({ socket, raw, peer }) => {
      const stream = new NodeStream(socket, raw, { direct });
      const size = 64 * MIB;
      let taken = 0;
      for (let i = 0; i < size / MIB; i++) peer.write(new Uint8Array(MIB), () => taken += MIB);
      await until("the writer is stopped", standing(() => taken));
      assert.ok(taken < size / 2, `${taken} bytes were taken`);
      assert.ok(raw.bytesRead < MIB, `${raw.bytesRead} bytes were read`);
      let got = 0;
      while (got < size) got += (await within("more", stream.read()))!.length;
      assert.equal(got, size);
      stream.abort();
    });
  });

  Deno.test(`node io: ${way}: a write waits for a peer that does not read, and breaks with it`, async () => {
    await withPeers(async ({ socket, raw, peerRaw }) => {
      const stream = new NodeStream(socket, raw, { direct });
      (peerRaw as unknown as { _handle: { readStop(): void } })._handle.readStop();
      let written = 0;
      const failed = (async () => {
        for (;;) {
          await stream.write(new Uint8Array(MIB));
          written += MIB;
        }
      })().catch((error) => error);
      const behind = until(
        "the write stands",
        (() => {
          let before = -1;
          return () => {
            const stands = before === written;
            before = written;
            return stands;
          };
        })(),
        200,
      );
      await behind;
      assert.ok(written < 64 * MIB, `${written} bytes were written`);
      const waiting = stream.write(new Uint8Array(1)).catch((error) => error);
      peerRaw.resetAndDestroy();
      for (const error of [await failed, await waiting]) assert.ok(error instanceof NetError);
      await assert.rejects(stream.read(), NetError);
      await assert.rejects(stream.write(new Uint8Array(1)), NetError);
      await assert.rejects(stream.closeWrite(), NetError);
    });
  });
}
