// TLS to a backend goes by node:tls, whose socket is stopped by internal API: this pins it.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { dial } from "../../src/net/dial.ts";
import { NetError } from "../../src/net/error.ts";
import { socketsHeldTo } from "../support/held_sockets.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const MIB = 2 ** 20;
const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });

interface Peers {
  stream: ByteStream;
  peer: tls.TLSSocket;
  /** The TCP socket below the peer. */
  raw: net.Socket;
  port: number;
  /** From now on nothing is read from the peer's socket; a TLS socket that is paused reads on. */
  stopReading(): void;
}

/** Node's internal handle of a socket. */
interface Handle {
  readStop(): void;
  readStart(): void;
}

function handleOf(socket: net.Socket): Handle {
  return (socket as unknown as { _handle: Handle })._handle;
}

async function listen(): Promise<{ server: tls.Server; port: number }> {
  const server = tls.createServer({ cert: certPem, key: keyPem, allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as net.AddressInfo).port };
}

function accept(server: tls.Server): Promise<tls.TLSSocket> {
  return new Promise((resolve) =>
    server.once("secureConnection", (socket) => {
      socket.on("error", () => {});
      resolve(socket);
    })
  );
}

async function withPeers(body: (peers: Peers) => Promise<void>): Promise<void> {
  for (const insecure of [false, true]) {
    const tlsServer = tls.createServer({ cert: certPem, key: keyPem, allowHalfOpen: true });
    const accepted = accept(tlsServer);
    const connected = Promise.withResolvers<net.Socket>();
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      connected.resolve(socket);
      tlsServer.emit("connection", socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    const stream = await dial({
      hostname: "127.0.0.1",
      port,
      tls: { serverName: "localhost", caCerts: [caPem], alpnProtocols: ["http/1.1"], insecure },
    }, new AbortController().signal);
    const peer = await within("the server's end", accepted);
    const raw = await connected.promise;
    try {
      await body({
        ...{ stream, peer, raw, port },
        stopReading: () => handleOf(raw).readStop(),
      });
    } finally {
      stream.abort();
      peer.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }
}

async function readAll(stream: ByteStream): Promise<number> {
  let bytes = 0;
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
    assert.ok(chunk.length > 0);
    bytes += chunk.length;
  }
  return bytes;
}

Deno.test("tls: node:net has _handle.readStop and readStart, and they do what they say", async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  const raw = net.connect({ host: "127.0.0.1", port });
  await new Promise<void>((resolve) => raw.once("connect", () => resolve()));
  const handle = handleOf(raw);
  assert.equal(typeof handle?.readStop, "function");
  assert.equal(typeof handle?.readStart, "function");
  let got = 0;
  raw.on("data", (chunk) => got += chunk.length);
  const peer = await accepted;
  peer.write("a");
  await until("what came before", () => got === 1);
  handle.readStop();
  peer.write("b");
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(got, 1, "it reads on while it is stopped");
  handle.readStart();
  await until("what came while it was stopped", () => got === 2);
  raw.destroy();
  peer.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

// The memory is that of a process of its own, where nobody writes.
for (const insecure of [false, true]) {
  const how = insecure ? "any certificate" : "a checked certificate";
  Deno.test(`tls: a peer that pushes 64 MiB to one that does not read is stopped (${how})`, async () => {
    const { server, port } = await listen();
    const accepted = accept(server);
    const script = new URL("../support/tls_reader.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--unstable-net", script, `${port}`, `${insecure}`, caPem],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const ask = async (what?: string) => {
      if (what !== undefined) await input.write(new TextEncoder().encode(`${what}\n`));
      return JSON.parse((await within("the reader's answer", output.read())).value!);
    };
    const peer = await within("the connection", accepted);
    let written = 0;
    const chunk = new Uint8Array(64 * 1024);
    peer.write(chunk, () => written += chunk.length);
    const before = await ask();
    for (let i = 1; i < 64 * MIB / chunk.length; i++) {
      peer.write(chunk, () => written += chunk.length);
    }
    peer.end();
    for (let last = -1; written !== last;) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const after = await ask("rss");
    const grown = after.rss - before.rss;
    assert.ok(grown < 16 * MIB, `RSS grew by ${grown} bytes, ${written} were taken`);
    // Nothing is lost by it.
    assert.equal((await ask("rest")).bytes, 64 * MIB - before.bytes);
    await input.close();
    assert.equal((await child.status).code, 0);
    await output.cancel();
    peer.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
}

Deno.test("tls: a write waits for a peer that does not read; abort ends it and frees the socket", async () => {
  await withPeers(async ({ stream, peer, port, stopReading }) => {
    peer.resume();
    stopReading();
    let through = false;
    const write = stream.write(new Uint8Array(64 * MIB)).then(() => through = true);
    const rejected = assert.rejects(within("the write's end", write), NetError);
    const read = assert.rejects(within("the read's end", stream.read()), NetError);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(through, false);
    stream.abort();
    stream.abort();
    await Promise.all([rejected, read]);
    await assert.rejects(stream.read(), NetError);
    await assert.rejects(stream.write(new Uint8Array(1)), NetError);
    await until("no socket", () => socketsHeldTo(port) === 0);
  });
});

Deno.test("tls: FIN goes out behind the writes, and the other way stays open", async () => {
  await withPeers(async ({ stream, peer }) => {
    let got = 0;
    peer.on("data", (chunk: Uint8Array) => got += chunk.length);
    const ended = new Promise((resolve) => peer.once("end", resolve));
    const writes = Promise.all([
      stream.write(new Uint8Array(4 * MIB)),
      stream.write(new Uint8Array(1)),
      stream.closeWrite(),
    ]);
    await within("FIN", ended);
    assert.equal(got, 4 * MIB + 1);
    await writes;
    peer.end("still here");
    assert.equal(await readAll(stream), 10);
  });
});

Deno.test("tls: FIN of the peer ends what is read, and the other way stays open", async () => {
  await withPeers(async ({ stream, peer }) => {
    peer.end("last words");
    assert.equal(await within("FIN", readAll(stream)), 10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    let got = 0;
    peer.on("data", (chunk: Uint8Array) => got += chunk.length);
    const ended = new Promise((resolve) => peer.once("end", resolve));
    await stream.write(new Uint8Array(4 * MIB));
    await stream.closeWrite();
    await within("FIN", ended);
    assert.equal(got, 4 * MIB);
  });
});

Deno.test("tls: what comes with the handshake is there at the first read", async () => {
  const { server, port } = await listen();
  server.on("secureConnection", (socket: tls.TLSSocket) => socket.end("first words"));
  for (let i = 0; i < 20; i++) {
    const stream = await dial({
      hostname: "127.0.0.1",
      port,
      tls: { serverName: "localhost", alpnProtocols: ["http/1.1"], insecure: true },
    }, new AbortController().signal);
    // Long enough for the words to be there before anybody asks.
    if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(await within("all of it", readAll(stream)), 11);
    stream.abort();
  }
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

// Deno's node:tls tells FIN, RST and close_notify apart no more than this (2.9.6).
Deno.test("tls: a connection that breaks off ends what is read, and breaks what is written", async () => {
  await withPeers(async ({ stream, raw }) => {
    const read = within("the read's end", stream.read());
    raw.resetAndDestroy();
    // node:tls tells of an end alone: that it was RST, the kernel knows.
    await assert.rejects(read, (error) => error instanceof NetError && error.kind === "reset");
    await assert.rejects(within("the write's end", stream.write(new Uint8Array(1))), NetError);
  });
});
