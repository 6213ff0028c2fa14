// What flows over a connection of TlsServer: backpressure, FIN, small writes.
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { certificates, connectRaw, connectTls, readText, withTlsServer } from "./accept_support.ts";

const MIB = 2 ** 20;

/** A server in a process of its own, where nobody else allocates. */
async function withProcess(
  body: (port: number, ask: (what: string) => Promise<Record<string, number>>) => Promise<void>,
): Promise<void> {
  const script = new URL("./tls_server_process.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-net", script, certificates.certPem, certificates.keyPem],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const answer = async () => JSON.parse((await within("an answer", output.read())).value!);
  const tell = (what: string) => input.write(new TextEncoder().encode(`${what}\n`));
  try {
    const { port } = await answer();
    await body(port, async (what) => {
      await tell(what);
      return what.startsWith("write") ? {} : await answer();
    });
  } finally {
    await input.close();
    await child.status;
    await output.cancel();
  }
}

/** Waits until `count` no longer grows. */
async function settled(count: () => number | Promise<number>): Promise<number> {
  for (let last = -1;;) {
    const now = await count();
    if (now === last) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

Deno.test("TlsServer: a client that pushes 64 MiB to one that does not read is stopped", async () => {
  await withProcess(async (port, ask) => {
    const client = await connectTls(port);
    const chunk = new Uint8Array(64 * 1024);
    let written = 0;
    client.write(chunk, () => written += chunk.length);
    const { bytes } = await ask("first");
    const before = await ask("rss");
    for (let i = 1; i < 64 * MIB / chunk.length; i++) {
      client.write(chunk, () => written += chunk.length);
    }
    client.end();
    assert.ok(await settled(() => written) < 32 * MIB);
    const grown = (await ask("rss")).rss - before.rss;
    assert.ok(grown < 16 * MIB, `RSS grew by ${grown} bytes, ${written} were taken`);
    // Nothing is lost by it.
    assert.equal((await ask("read")).bytes, 64 * MIB - bytes);
    client.destroy();
  });
});

Deno.test("TlsServer: 64 MiB to a client that does not read wait in the writer", async () => {
  await withProcess(async (port, ask) => {
    const raw = await connectRaw(port);
    const client = await connectTls(port, { socket: raw });
    client.write("a");
    await ask("first");
    const handle = (raw as unknown as { _handle: { readStop(): void; readStart(): void } })._handle;
    handle.readStop();
    const before = await ask("rss");
    await ask(`write ${64 * MIB}`);
    const taken = await settled(async () => (await ask("rss")).taken);
    assert.ok(taken < 32 * MIB, `${taken} bytes were taken`);
    const grown = (await ask("rss")).rss - before.rss;
    assert.ok(grown < 16 * MIB, `RSS grew by ${grown} bytes`);
    let got = 0;
    client.on("data", (chunk: Uint8Array) => got += chunk.length);
    const fin = new Promise((resolve) => client.once("end", resolve));
    handle.readStart();
    await within("FIN", fin);
    assert.equal(got, 64 * MIB);
    client.destroy();
  });
});

Deno.test("TlsServer: FIN of ours goes out behind the writes, and the other way stays open", async () => {
  await withTlsServer({}, async (server, seen) => {
    const client = await connectTls(server.port);
    const { stream } = await seen.next();
    let got = 0;
    client.on("data", (chunk: Uint8Array) => got += chunk.length);
    const fin = new Promise((resolve) => client.once("end", resolve));
    const writes = [
      stream.write(new Uint8Array(4 * MIB)),
      stream.write(new Uint8Array(1)),
      stream.closeWrite(),
    ];
    await within("FIN", fin);
    assert.equal(got, 4 * MIB + 1);
    await Promise.all(writes);
    await stream.closeWrite();
    client.end("still here");
    assert.equal(await within("the rest", readText(stream)), "still here");
    await until("no connection", () => server.connections === 0);
  });
});

Deno.test("TlsServer: FIN of the client ends what is read, and the other way stays open", async () => {
  await withTlsServer({}, async (server, seen) => {
    const client = await connectTls(server.port);
    const { stream } = await seen.next();
    client.end("last words");
    assert.equal(await within("FIN", readText(stream)), "last words");
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(server.connections, 1);
    let got = 0;
    client.on("data", (chunk: Uint8Array) => got += chunk.length);
    const fin = new Promise((resolve) => client.once("end", resolve));
    await stream.write(new Uint8Array(4 * MIB));
    await stream.closeWrite();
    await within("FIN", fin);
    assert.equal(got, 4 * MIB);
    await until("no connection", () => server.connections === 0);
  });
});

Deno.test("TlsServer: what comes with the handshake is there at the first read", async () => {
  await withTlsServer({}, async (server, seen) => {
    for (let i = 0; i < 20; i++) {
      const client = connectTls(server.port);
      const socket = await client;
      socket.end("first words");
      const { stream } = await seen.next();
      // Long enough for the words to be there before anybody asks.
      if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(await within("all of it", readText(stream)), "first words");
      stream.abort();
    }
  });
});

Deno.test("TlsServer: small writes are not held back for the client's ACK (Nagle is off)", async () => {
  await withTlsServer({}, async (server, seen) => {
    const client = await connectTls(server.port);
    const { stream } = await seen.next();
    const startedMs = performance.now();
    for (let i = 0; i < 20; i++) {
      const got = new Promise<void>((resolve) => {
        let bytes = 0;
        const onData = (chunk: Uint8Array) => {
          bytes += chunk.length;
          if (bytes < 2) return;
          client.off("data", onData);
          resolve();
        };
        client.on("data", onData);
      });
      await stream.write(new Uint8Array(1));
      await stream.write(new Uint8Array(1));
      await within("both", got);
    }
    // With Nagle's algorithm each pair takes 40 ms.
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < 400, `${tookMs} ms for 20 pairs`);
    client.destroy();
  });
});
