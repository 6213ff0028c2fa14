// What the client says when it can't open a WebSocket: one sentence, with the cause and what to try.
import assert from "node:assert/strict";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";
import { type EchoServer, startEcho } from "../../src/cli/echo_server.ts";
import { connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { proxyOptions } from "../../src/config/proxy_options.ts";
import { NetError } from "../../src/net/error.ts";
import { PeerError } from "../../src/protocol/wire/error.ts";
import type { Proxy } from "../../src/proxy/options.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { testCertificates } from "../support/proxy.ts";

const VERSIONS = ["auto", "1.1", "2", "3"] as const;
type Version = typeof VERSIONS[number];
type Options = NonNullable<Parameters<typeof connectWebSocket>[1]>;

let foreign: Promise<Certificates> | null = null;

/** Of another CA, for another name. */
function foreignCertificates(): Promise<Certificates> {
  return foreign ??= makeCertificates({ hosts: ["other.example"], days: 1 });
}

interface Peers {
  proxy: Proxy;
  /** Its certificate is for other.example. */
  misnamed: Proxy;
  echo: EchoServer;
  /** Takes datagrams and connections, and answers none. */
  deafPort: number;
}

/** A proxy that takes no tunnels over HTTP/2 and HTTP/3, and what else a test may need. */
async function withPeers(body: (peers: Peers) => Promise<void>): Promise<void> {
  const { certPem, keyPem } = await testCertificates();
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const proxy = await startProxy(proxyOptions({
    ...{ certPem, keyPem, listen: "127.0.0.1:0" },
    tunnels: { h1: true, h2: false, h3: false },
    backend: `ws://127.0.0.1:${echo.port}`,
  }));
  const foreign = await foreignCertificates();
  const misnamed = await startProxy(proxyOptions({
    ...{ certPem: foreign.certPem, keyPem: foreign.keyPem, listen: "127.0.0.1:0" },
    backend: `ws://127.0.0.1:${echo.port}`,
  }));
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const deafPort = deaf.addr.port;
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: deafPort });
  try {
    await body({ proxy, misnamed, echo, deafPort });
  } finally {
    udp.close();
    await proxy.stop();
    await misnamed.stop();
    await echo.close();
  }
}

interface Row {
  name: string;
  versions?: readonly Version[];
  url: (peers: Peers) => string;
  options?: Options | (() => Promise<Options>);
  error: new (...args: never[]) => Error;
  kind?: string;
  message: RegExp;
}

const proxied = ({ proxy }: Peers) => `wss://localhost:${proxy.port}/ws`;

const ROWS: Row[] = [
  {
    name: "no URL",
    url: () => "foo",
    error: TypeError,
    message: /^"foo" is no URL: expected ws:, wss:, http: or https:, as in "wss:\/\/host/,
  },
  {
    name: "another scheme",
    url: () => "ftp://a.example/",
    error: TypeError,
    message: /^"ftp:\/\/a\.example\/": expected ws:, wss:, http: or https:/,
  },
  {
    name: "RFC 6455 §3: a fragment",
    url: () => "wss://a.example/#room",
    error: TypeError,
    message: /^"wss:\/\/a\.example\/#room": a WebSocket has no fragment; write "%23" for "#"$/,
  },
  {
    name: "no such host",
    url: () => "wss://nope.invalid/",
    error: NetError,
    kind: "unresolved",
    message:
      /^Cannot open wss:\/\/nope\.invalid\/: there is no host "nope\.invalid"; check the name/,
  },
  {
    name: "nobody listens",
    versions: ["auto", "1.1", "2"],
    url: () => "wss://127.0.0.1:1/",
    error: NetError,
    kind: "refused",
    message: /: nothing listens on port 1 of 127\.0\.0\.1; check the port, and whether the server/,
  },
  {
    name: "HTTP/3 is blocked",
    versions: ["3"],
    url: ({ deafPort }) => `wss://127.0.0.1:${deafPort}/`,
    options: { timeoutMs: 300 },
    error: NetError,
    kind: "timeout",
    message:
      /: no answer by QUIC within 300 ms; .*UDP is blocked on the way: try httpVersion "auto"/,
  },
  {
    name: "no answer",
    versions: ["auto", "1.1", "2"],
    url: ({ deafPort }) => `wss://127.0.0.1:${deafPort}/`,
    options: { timeoutMs: 300 },
    error: NetError,
    kind: "timeout",
    message: /: no answer within 300 ms; the server may be busy, or a firewall/,
  },
  {
    name: "a certificate of another name",
    url: ({ misnamed }) => `wss://localhost:${misnamed.port}/ws`,
    options: async () => ({ caCerts: [(await foreignCertificates()).caPem] }),
    error: NetError,
    kind: "tls",
    message: /: the server's certificate is not for localhost \(.*\); use a name that is in it$/,
  },
  {
    name: "a certificate of an unknown CA",
    url: proxied,
    options: async () => ({ caCerts: [(await foreignCertificates()).caPem] }),
    error: NetError,
    kind: "tls",
    message:
      /: the server's certificate is signed by nobody who is trusted \(.*\); give the CA's as/,
  },
  {
    name: "no TLS",
    versions: ["auto", "1.1", "2"],
    url: ({ echo }) => `wss://127.0.0.1:${echo.port}/`,
    error: NetError,
    kind: "tls",
    message: /: what answers on port \d+ does not speak TLS; try ws: in place of wss:$/,
  },
  {
    name: "TLS",
    versions: ["auto", "1.1"],
    url: ({ proxy }) => `ws://127.0.0.1:${proxy.port}/`,
    error: NetError,
    kind: "lost",
    message: /: connection closed before an answer; if it is TLS that is spoken there, use wss:$/,
  },
  {
    name: "no extended CONNECT",
    versions: ["2", "3"],
    url: proxied,
    error: NetError,
    kind: "other",
    message:
      /: the server announces no extended CONNECT over HTTP\/[23] \(.*\); try httpVersion "auto"/,
  },
  {
    name: "no HTTP/2 without TLS",
    versions: ["2"],
    url: ({ echo }) => `ws://127.0.0.1:${echo.port}/`,
    error: PeerError,
    message:
      /: the server broke a rule of HTTP\/2: .*; it may speak HTTP\/1\.1 alone without TLS: try/,
  },
  {
    name: "a refusal",
    versions: ["auto", "1.1"],
    url: (peers) => `${proxied(peers)}/nope`,
    error: UpgradeRefused,
    message: /: the server answered 404 Not Found, "path not allowed"; check the path$/,
  },
  {
    name: "given up",
    url: proxied,
    options: { signal: AbortSignal.abort() },
    error: NetError,
    kind: "aborted",
    message: /: given up$/,
  },
  {
    name: "no subprotocol",
    url: proxied,
    options: { protocols: ["chat room"] },
    error: TypeError,
    message: /^"chat room" is no subprotocol: expected letters, digits/,
  },
  {
    name: "RFC 6455 §4.1: a subprotocol twice",
    url: proxied,
    options: { protocols: ["chat", "chat"] },
    error: TypeError,
    message: /^The subprotocol "chat" is offered twice$/,
  },
  {
    name: "a field that can't be sent",
    url: ({ echo }) => `ws://127.0.0.1:${echo.port}/`,
    versions: ["auto", "1.1"],
    options: { headers: [["x", "a\r\nb: c"]] },
    error: TypeError,
    message: /^Invalid value of field x$/,
  },
];

Deno.test("client: what can't be opened is told in a sentence, with what to try", async (t) => {
  const { caPem } = await testCertificates();
  await withPeers(async (peers) => {
    for (const { name, versions = VERSIONS, url, options, error, kind, message } of ROWS) {
      for (const httpVersion of versions) {
        await t.step(`${name}: ${httpVersion}`, async () => {
          using connections = new Connections();
          const more = typeof options === "function" ? await options() : options;
          const all = { caCerts: [caPem], connections, httpVersion, ...more };
          await assert.rejects(connectWebSocket(url(peers), all), (told) => {
            assert.ok(told instanceof error, String(told));
            assert.match(told.message, message);
            assert.doesNotMatch(told.message, /\n/);
            if (kind !== undefined) assert.equal((told as NetError).kind, kind);
            return true;
          });
          assert.equal(connections.size, 0);
        });
      }
    }
  });
});

const BODIES: { name: string; body: Uint8Array; message: RegExp }[] = [
  {
    name: "a line",
    body: text("no\n"),
    message: /403 Forbidden, "no"; it may want another origin/,
  },
  { name: "several lines", body: text("\nfirst\nsecond"), message: /403 Forbidden, "first"; / },
  { name: "nothing", body: text(""), message: /403 Forbidden; it may/ },
  { name: "a page", body: text("<!doctype html>"), message: /403 Forbidden; it may/ },
  { name: "bytes", body: new Uint8Array([0xff, 0xfe]), message: /403 Forbidden; it may/ },
  { name: "an escape sequence", body: text("\x1b[2Jx"), message: /403 Forbidden; it may/ },
  { name: "what turns text round", body: text("a\u202eb"), message: /403 Forbidden; it may/ },
  { name: "a character cut off", body: text("né").subarray(0, 2), message: /Forbidden, "n"; it/ },
  { name: "much", body: text("x".repeat(500)), message: /Forbidden, "x{120}…"; it may/ },
];

for (const { name, body, message } of BODIES) {
  Deno.test(`client: a refusal quotes how its body begins: ${name}`, () => {
    const refused = new UpgradeRefused("wss://a.example/", { status: 403, fields: [], body });
    assert.match(refused.message, message);
    assert.equal(refused.body, body);
  });
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
