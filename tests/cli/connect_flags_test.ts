// What the command line of connect may be, and which proxy the environment means.
import assert from "node:assert/strict";
import { run } from "../../src/cli/args.ts";
import { connectCommand } from "../../src/cli/connect.ts";
import * as kinds from "../../src/cli/connect_kinds.ts";
import { isExcepted, proxyFromEnvironment } from "../../src/cli/connect_proxy.ts";
import type { Kind } from "../../src/config/kinds.ts";
import { TestIo } from "./support.ts";

const URL_WSS = "wss://a.example/";
const USAGE: [args: string[], err: RegExp][] = [
  [[], /^url: is missing; allowed: wss:.*, or --listen$/],
  [["foo"], /^--url: "foo" is not the URL of a WebSocket; allowed: /],
  [[URL_WSS, "-1", "-3"], /^--http3: and --http1\.1 exclude each other; allowed: one of them$/],
  [["ws://a.example", "-3"], /^--http3: needs TLS, and ws:\/\/ has none; allowed: wss:/],
  [
    [URL_WSS, "-3", "-n"],
    /^--no-check: is for TCP: over QUIC .* --ca names one to trust; allowed: /,
  ],
  [
    [URL_WSS, "-3", "--cert", "c", "--key", "k"],
    /^--cert: is for TCP: client certificates can't be shown over QUIC/,
  ],
  [[URL_WSS, "-3", "--proxy", "http://p:1"], /^--proxy: is for TCP: an HTTP proxy carries no QUIC/],
  [[URL_WSS, "--key", "k"], /^--key: needs --cert; allowed: both or neither$/],
  [[URL_WSS, "--listen", "80"], /^--listen: and a URL exclude each other/],
  [[URL_WSS, "--binary", "--json"], /^--binary: and --json exclude each other/],
  [[URL_WSS, "--timeout", "0"], /^--timeout: "0" is out of range; allowed: 1ms to 576h$/],
  [[URL_WSS, "--ping-timeout", "0s"], /^--ping-timeout: "0s" is out of range; /],
  [[URL_WSS, "-w", "soon"], /^--wait: "soon" is not a time; allowed: .*; -1 for ever$/],
  [[URL_WSS, "--proxy", "socks5://p:1"], /^--proxy: "socks5:\/\/p:1" is not an HTTP proxy; /],
  [[URL_WSS, "--base64", "-x", "aGk=", "-x", "a!"], /^--execute: "a!" is no base64; allowed: /],
  [[URL_WSS, "--slash", "-x", "/pin"], /^--execute: can't be sent: \/pin is not known; /],
  [[URL_WSS, "--slash", "-x", "/close 1006"], /^--execute: can't be sent: \/close: 1006 /],
  [[URL_WSS, "--slash", "--base64", "-x", "//a!"], /^--execute: "\/a!" is no base64; /],
  [["--listen", "99999"], /^--listen: "99999" is not where to listen; /],
];

Deno.test("connect: a wrong command line is one line, exit code 2", async () => {
  for (const [args, want] of USAGE) {
    const io = new TestIo();
    const code = await run(["connect", ...args], { commands: [connectCommand] }, io);
    assert.deepEqual([code, io.stdout], [2, ""], `${args}`);
    assert.match(io.stderr, /^h3ws: .*\n$/);
    assert.match(io.stderr.slice("h3ws: ".length, -1), want);
  }
});

Deno.test("connect: a file that can't be read is told, exit code 1", async () => {
  const io = new TestIo();
  const args = ["connect", "wss://a.example", "--ca", "none/ca.pem"];
  assert.equal(await run(args, { commands: [connectCommand] }, io), 1);
  assert.equal(io.stderr, "h3ws: Cannot read none/ca.pem: no such file\n");
});

const KINDS: [kind: Kind<unknown>, text: string, want: unknown][] = [
  [kinds.optionalWait, "", null],
  [kinds.optionalWait, "-1", Infinity],
  [kinds.optionalWait, "0", 0],
  [kinds.httpProxy, "off", "off"],
  [kinds.httpProxy, "p.example:3128", { hostname: "p.example", port: 3128 }],
  [kinds.httpProxy, "http://p.example", { hostname: "p.example", port: 80 }],
  [kinds.httpProxy, "http://[::1]:1", { hostname: "::1", port: 1 }],
  [kinds.httpProxy, "http://u:p%40@p:1/", {
    ...{ hostname: "p", port: 1, authorization: "Basic dTpwQA==" },
  }],
  [kinds.optionalListen, "9000", { hostname: "127.0.0.1", port: 9000 }],
  [kinds.optionalListen, "[::1]:9000", { hostname: "::1", port: 9000 }],
];

Deno.test("connect: what the values of flags are", () => {
  for (const [kind, text, want] of KINDS) assert.deepEqual(kind.parse(text), want, text);
});

const P = "http://p:1";
const VARIABLES: [url: string, env: Record<string, string>, hostname: string | null][] = [
  [URL_WSS, {}, null],
  [URL_WSS, { HTTPS_PROXY: P }, "p"],
  [URL_WSS, { https_proxy: "http://q:1", HTTPS_PROXY: P }, "q"],
  [URL_WSS, { http_proxy: P }, null],
  ["ws://a.example/", { http_proxy: P }, "p"],
  ["ws://a.example/", { HTTP_PROXY: P }, null],
  [URL_WSS, { HTTPS_PROXY: P, NO_PROXY: "b.example, a.example" }, null],
  [URL_WSS, { HTTPS_PROXY: P, NO_PROXY: "b.example" }, "p"],
  ["wss://localhost/", { HTTPS_PROXY: P }, null],
  ["wss://127.0.0.9:1/", { HTTPS_PROXY: P }, null],
  ["wss://[::1]/", { HTTPS_PROXY: P }, null],
];

Deno.test("connect: the proxy that the environment names", () => {
  for (const [url, env, want] of VARIABLES) {
    const proxy = proxyFromEnvironment(url, env);
    assert.equal(proxy?.hostname ?? null, want, JSON.stringify([url, env]));
  }
  assert.throws(() => proxyFromEnvironment(URL_WSS, { HTTPS_PROXY: "socks5://me:secret@p" }), {
    name: "UsageError",
    message: "HTTPS_PROXY: what it names is not an HTTP proxy; " +
      "allowed: http://host:port or http://user:password@host:port, or off for none",
  });
});

const EXCEPTED: [host: string, list: string, want: boolean][] = [
  ["a.example", "*", true],
  ["a.example", "", false],
  ["a.example", "A.example", true],
  ["b.a.example", "a.example", true],
  ["b.a.example", ".a.example", true],
  ["b.a.example", "*.a.example", true],
  ["ba.example", "a.example", false],
  ["a.example", "b.a.example", false],
  ["a.example.", "a.example", true],
  ["a.example", "a.example:443", true],
  ["a.example", "a.example:81", false],
  ["10.1.2.3", "10.0.0.0/8", true],
  ["11.1.2.3", "x, 10.0.0.0/8", false],
  ["fd00::1", "fd00::/8", true],
  ["::2", "[::2]", true],
];

Deno.test("connect: what NO_PROXY names", () => {
  for (const [host, list, want] of EXCEPTED) {
    assert.equal(isExcepted({ host, port: "443" }, list), want, `${host} in ${list}`);
  }
});
