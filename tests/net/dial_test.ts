// A dial says what went wrong by its kind, and ends wherever it is when it is given up.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { dial, type DialTarget, type TlsClientOptions } from "../../src/net/dial.ts";
import { NetError } from "../../src/net/error.ts";
import { within } from "../support/within.ts";
import { listenFull } from "./full_listener.ts";

const NEVER = new AbortController().signal;
const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
const other = await makeCertificates({ hosts: ["localhost"], days: 1 });

const ofTls = (options: Partial<TlsClientOptions> = {}): TlsClientOptions => ({
  serverName: "localhost",
  caCerts: [caPem],
  alpnProtocols: ["http/1.1"],
  insecure: false,
  ...options,
});

async function freePort(): Promise<number> {
  const server = await listen(net.createServer());
  const port = portOf(server);
  await close(server);
  return port;
}

function listen(server: net.Server, path?: string): Promise<net.Server> {
  return new Promise((resolve) => {
    if (path !== undefined) server.listen(path, () => resolve(server));
    else server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

function close(server: net.Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

async function failure(target: DialTarget, signal = NEVER): Promise<NetError> {
  let error: unknown;
  await within(
    "the end of the dial",
    dial(target, signal).then((s) => s.abort(), (e) => error = e),
  );
  assert.ok(error instanceof NetError, `the dial did not fail with a NetError: ${error}`);
  return error;
}

const LOCAL = { hostname: "127.0.0.1" };

Deno.test("dial: nobody listens: refused, by TCP and by TLS", async () => {
  const port = await freePort();
  assert.equal((await failure({ ...LOCAL, port })).kind, "refused");
  assert.equal((await failure({ ...LOCAL, port, tls: ofTls() })).kind, "refused");
});

Deno.test("dial: RFC 6761 §6.4: a name under .invalid is unresolved, by TCP and by TLS", async () => {
  const target = { hostname: "no-such-host.invalid", port: 80 };
  assert.equal((await failure(target)).kind, "unresolved");
  assert.equal((await failure({ ...target, tls: ofTls() })).kind, "unresolved");
});

Deno.test("dial: a unix socket that is not there: refused", async () => {
  const unixPath = `${await Deno.makeTempDir()}/no.sock`;
  assert.equal((await failure({ unixPath, hostname: "localhost", port: 0 })).kind, "refused");
});

interface TlsRow {
  name: string;
  tls: TlsClientOptions;
  server?: tls.TlsOptions;
  says: RegExp;
}

const TLS_FAILURES: TlsRow[] = [
  {
    name: "a certificate of an unknown CA",
    tls: ofTls({ caCerts: [other.caPem] }),
    says: /certificate|issuer/i,
  },
  {
    name: "a certificate for another name",
    tls: ofTls({ serverName: "other.example" }),
    says: /other\.example/,
  },
  {
    name: "RFC 7301 §3.2: a server that takes none of our protocols",
    tls: ofTls(),
    server: { ALPNProtocols: ["h2"] },
    says: /./,
  },
];

for (const { name, tls: options, server: more, says } of TLS_FAILURES) {
  Deno.test(`dial: ${name}: tls`, async () => {
    const server = tls.createServer({ cert: certPem, key: keyPem, ...more });
    server.on("tlsClientError", () => {});
    await listen(server);
    const error = await failure({ ...LOCAL, port: portOf(server), tls: options });
    assert.equal(error.kind, "tls", error.message);
    assert.match(error.message, says);
    await close(server);
  });
}

Deno.test("dial: a server that does not speak TLS at all: tls", async () => {
  const server = await listen(net.createServer((socket) => {
    socket.on("error", () => {});
    socket.resume();
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  }));
  const error = await failure({ ...LOCAL, port: portOf(server), tls: ofTls() });
  assert.equal(error.kind, "tls", error.message);
  await close(server);
});

Deno.test("dial: a server that hangs up in the TLS handshake: reset or lost", async () => {
  const server = await listen(
    net.createServer((socket) => socket.once("data", () => socket.end())),
  );
  const error = await failure({ ...LOCAL, port: portOf(server), tls: ofTls() });
  assert.ok(["reset", "lost"].includes(error.kind), `${error.kind}: ${error.message}`);
  await close(server);
});

Deno.test("dial: given up before it begins", async () => {
  const signal = AbortSignal.abort();
  const server = await listen(net.createServer((socket) => socket.destroy()));
  const port = portOf(server);
  for (const tls of [undefined, ofTls(), ofTls({ insecure: true })]) {
    assert.equal((await failure({ ...LOCAL, port, tls }, signal)).kind, "aborted");
  }
  await close(server);
});

Deno.test("dial: given up in the TLS handshake: the reason is thrown, the socket is freed", async () => {
  for (const insecure of [false, true]) {
    const accepted = Promise.withResolvers<net.Socket>();
    const ended = Promise.withResolvers<void>();
    const server = await listen(net.createServer((socket) => {
      socket.on("error", () => {});
      socket.on("close", () => ended.resolve());
      socket.resume();
      accepted.resolve(socket);
    }));
    const giveUp = new AbortController();
    const target = { ...LOCAL, port: portOf(server), tls: ofTls({ insecure }) };
    const failing = failure(target, giveUp.signal);
    const socket = await accepted.promise;
    const reason = new NetError("timeout", "dial took longer than 1 ms");
    giveUp.abort(reason);
    assert.equal(await failing, reason);
    await within("the end of the socket", ended.promise);
    socket.destroy();
    await close(server);
  }
});

const ignore = Deno.build.os !== "linux";

Deno.test("dial: given up while TCP connects", { ignore }, async () => {
  using full = await listenFull();
  const { hostname, port } = full;
  for (const tls of [undefined, ofTls()]) {
    const giveUp = new AbortController();
    const failing = failure({ hostname, port, tls }, giveUp.signal);
    const reason = new NetError("timeout", "dial took longer than 50 ms");
    setTimeout(() => giveUp.abort(reason), 50);
    assert.equal(await failing, reason);
  }
});
