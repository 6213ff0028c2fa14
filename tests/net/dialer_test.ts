// Another way than the network's, TLS on top of it, and certificates that are known by their hash.
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import {
  dial,
  type Dialer,
  type Dialled,
  type DialTarget,
  type TlsClientOptions,
} from "../../src/net/dial.ts";
import { NetError } from "../../src/net/error.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const NEVER = new AbortController().signal;
const MIB = 2 ** 20;
const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
const hash = createHash("sha256").update(new X509Certificate(certPem).raw).digest();

/** Those of `dial` by TCP that were made, and what was read from them. */
interface Ways {
  readonly dialer: Dialer;
  readonly made: { hostname: string; port: number; readBytes: number; aborted: boolean }[];
}

/** Goes to 127.0.0.1, whatever the name. */
function ways(): Ways {
  const made: Ways["made"] = [];
  const dialer: Dialer = async ({ hostname, port }, signal) => {
    const stream = await dial({ hostname: "127.0.0.1", port }, signal);
    const one = { hostname, port, readBytes: 0, aborted: false };
    made.push(one);
    return new Proxy(stream, {
      get(target: Dialled, key: keyof Dialled) {
        if (key === "read") {
          return async () => {
            const chunk = await target.read();
            one.readBytes += chunk?.length ?? 0;
            return chunk;
          };
        }
        if (key === "abort") one.aborted = true;
        const value = target[key];
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return { dialer, made };
}

function ofTls(options: Partial<TlsClientOptions> = {}): TlsClientOptions {
  const alpnProtocols = ["http/1.1"];
  return { serverName: "localhost", caCerts: [caPem], alpnProtocols, insecure: false, ...options };
}

interface Peers {
  stream: Dialled;
  peer: tls.TLSSocket;
  raw: net.Socket;
  made: Ways["made"];
}

/** TLS over another way, and the server's end. */
async function withPeers(body: (peers: Peers) => Promise<void>): Promise<void> {
  const secured = Promise.withResolvers<tls.TLSSocket>();
  const options = { cert: certPem, key: keyPem, allowHalfOpen: true };
  const server = tls.createServer({ ...options, ALPNProtocols: ["http/1.1"] }, (socket) => {
    socket.on("error", () => {});
    secured.resolve(socket);
  });
  let raw: net.Socket | null = null;
  server.on("connection", (socket) => raw = socket);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { dialer, made } = ways();
  const { port } = server.address() as net.AddressInfo;
  const stream = await dial({ hostname: "far.example", port, dialer, tls: ofTls() }, NEVER);
  const peer = await secured.promise;
  try {
    await body({ stream, peer, raw: raw!, made });
  } finally {
    stream.abort();
    peer.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

async function readBytes(stream: Dialled, count: number): Promise<Uint8Array> {
  const all = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const chunk = await within("bytes", stream.read());
    assert.ok(chunk !== null, `it ended after ${at} of ${count} bytes`);
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

Deno.test("dialer: it gets name and port as they are, and what is said first comes first", async () => {
  const got = Promise.withResolvers<string>();
  const server = net.createServer((socket) =>
    socket.once("data", (bytes) => {
      got.resolve(bytes.toString());
      socket.destroy();
    })
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const { dialer, made } = ways();
  const preface = new TextEncoder().encode("PROXY UNKNOWN\r\n");
  const stream = await dial({ hostname: "far.example", port, dialer, preface }, NEVER);
  assert.equal(await within("the preface", got.promise), "PROXY UNKNOWN\r\n");
  assert.deepEqual(made.map((one) => `${one.hostname}:${one.port}`), [`far.example:${port}`]);
  stream.abort();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

Deno.test("dialer: TLS on top carries bytes both ways, and each way has its own end", async () => {
  await withPeers(async ({ stream, peer }) => {
    assert.equal(stream.alpn, "http/1.1");
    const sent = crypto.getRandomValues(new Uint8Array(60_000));
    peer.on("data", (bytes) => peer.write(bytes));
    for (let i = 0; i < 20; i++) {
      const back = readBytes(stream, sent.length);
      await stream.write(sent);
      assert.deepEqual(await back, sent);
    }
    const ended = new Promise<void>((resolve) => peer.once("end", () => resolve()));
    await stream.closeWrite();
    await within("our end at the server", ended);
    peer.write("behind it");
    assert.equal(new TextDecoder().decode(await readBytes(stream, 9)), "behind it");
    peer.end();
    assert.equal(await within("the server's end", stream.read()), null);
  });
});

Deno.test("dialer: TLS on top reads no more than is taken from it", async () => {
  await withPeers(async ({ stream, peer, made }) => {
    const chunk = new Uint8Array(64 * 1024);
    let written = 0;
    for (let i = 0; i < 32 * MIB / chunk.length; i++) {
      peer.write(chunk, () => written += chunk.length);
    }
    let before = -1;
    // Until no more is taken up.
    await until("a standstill", () => {
      const still = written === before && made[0].readBytes > 0;
      before = written;
      return still;
    });
    const unread = made[0].readBytes;
    assert.ok(unread < MIB, `${unread} bytes were read for nobody`);
    await readBytes(stream, 32 * MIB);
    await until("all of it", () => written === 32 * MIB);
  });
});

Deno.test("dialer: TLS on top tells of a way that is lost, and lets go of it with an abort", async () => {
  await withPeers(async ({ stream, raw, made }) => {
    const read = stream.read();
    raw.resetAndDestroy();
    await assert.rejects(within("the reset", read), (error) => {
      assert.ok(error instanceof NetError);
      assert.ok(["reset", "lost"].includes(error.kind), error.kind);
      return true;
    });
    await until("the end of the way", () => made[0].aborted);
  });
  await withPeers(async ({ stream, made }) => {
    stream.abort();
    await until("the end of the way", () => made[0].aborted);
  });
});

Deno.test("dialer: a TLS handshake that is given up lets go of its way", async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const taken = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  const { dialer, made } = ways();
  const controller = new AbortController();
  const dialled = dial({ hostname: "a", port, dialer, tls: ofTls() }, controller.signal);
  const socket = await taken;
  await within("a ClientHello", new Promise((resolve) => socket.once("data", resolve)));
  controller.abort(new NetError("timeout", "too late"));
  await assert.rejects(dialled, { name: "NetError", kind: "timeout" });
  await until("the end of the way", () => made[0].aborted);
  socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

async function withServer(body: (port: number) => Promise<void>): Promise<void> {
  const server = tls.createServer({ cert: certPem, key: keyPem }, (socket) => {
    socket.on("error", () => {});
    socket.end("in");
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body((server.address() as net.AddressInfo).port);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

for (const way of ["TCP", "another way"] as const) {
  const at = (port: number, certificateHashes: Uint8Array[]): DialTarget => ({
    ...{ hostname: "127.0.0.1", port },
    ...(way === "TCP" ? {} : { dialer: ways().dialer }),
    tls: ofTls({ caCerts: undefined, serverName: "other.example", certificateHashes }),
  });

  Deno.test(`dial: by ${way}, a certificate with a known SHA-256 is taken whoever signed it`, async () => {
    await withServer(async (port) => {
      const stream = await dial(at(port, [new Uint8Array(32), hash]), NEVER);
      assert.equal(new TextDecoder().decode(await readBytes(stream, 2)), "in");
      stream.abort();
    });
  });

  Deno.test(`dial: by ${way}, another certificate is not, even if it is signed well`, async () => {
    await withServer(async (port) => {
      const target = at(port, [new Uint8Array(32)]);
      const trusting = { ...target, tls: { ...target.tls!, caCerts: [caPem] } };
      for (const one of [target, trusting]) {
        const late = dial(one, NEVER).then((stream) => stream.abort());
        await assert.rejects(within("the refusal", late), (error) => {
          assert.ok(error instanceof NetError);
          assert.equal(error.kind, "tls");
          assert.match(error.message, new RegExp(`its SHA-256 is ${hash.toString("hex")}`));
          return true;
        });
      }
    });
  });
}
