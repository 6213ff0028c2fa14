import assert from "node:assert/strict";
import { type Backend, parseBackend } from "../../src/config/backend.ts";

const TCP: Backend = {
  tls: false,
  hostname: "127.0.0.1",
  port: 8080,
  unixPath: null,
  agents: null,
  path: null,
  url: "ws://127.0.0.1:8080",
  authority: "127.0.0.1:8080",
};

const GOOD: [text: string, want: Partial<Backend>][] = [
  ["ws://127.0.0.1:8080", {}],
  ["WS://127.0.0.1:8080", {}],
  ["ws://127.0.0.1:8080/", { path: "/", url: "ws://127.0.0.1:8080/" }],
  ["ws://127.0.0.1:8080/chat", { path: "/chat", url: "ws://127.0.0.1:8080/chat" }],
  ["ws://a.example/%20/ä", {
    hostname: "a.example",
    port: 80,
    path: "/%20/%C3%A4",
    url: "ws://a.example/%20/%C3%A4",
  }],
  ["ws://a.example", { hostname: "a.example", port: 80, url: "ws://a.example" }],
  ["ws://a.example:80", { hostname: "a.example", port: 80, url: "ws://a.example" }],
  ["wss://A.example", { tls: true, hostname: "a.example", port: 443, url: "wss://a.example" }],
  ["wss://a.example:80", {
    tls: true,
    hostname: "a.example",
    port: 80,
    url: "wss://a.example:80",
    authority: "a.example:80",
  }],
  ["ws://[::1]:9001/x", { hostname: "::1", port: 9001, path: "/x", url: "ws://[::1]:9001/x" }],
  ["ws://bücher.example", { hostname: "xn--bcher-kva.example", port: 80 }],
  ["http://a.example", { hostname: "a.example", port: 80, url: "http://a.example" }],
  ["HTTP://a.example:80/v1", {
    hostname: "a.example",
    port: 80,
    path: "/v1",
    url: "http://a.example/v1",
  }],
  ["https://a.example", { tls: true, hostname: "a.example", port: 443, url: "https://a.example" }],
  ["https://[::1]:8443", { tls: true, hostname: "::1", port: 8443, url: "https://[::1]:8443" }],
  ["agent://home/127.0.0.1:8080", { agents: "home", url: "agent://home/127.0.0.1:8080" }],
  ["AGENT://Home/A.example:80/x", {
    ...{ agents: "Home", hostname: "a.example", port: 80, path: "/x" },
    ...{ url: "agent://Home/a.example:80/x", authority: "a.example" },
  }],
  ["agent+tls://h/[::1]:443", {
    ...{ agents: "h", hostname: "::1", port: 443, tls: true },
    ...{ url: "agent+tls://h/[::1]:443", authority: "[::1]" },
  }],
  ["ws+unix:/run/a.sock", { unixPath: "/run/a.sock", url: "ws+unix:/run/a.sock" }],
  ["ws+unix:///run/a.sock", { unixPath: "/run/a.sock", url: "ws+unix:/run/a.sock" }],
  ["ws+unix:/run/a.sock://a/b", {
    unixPath: "/run/a.sock",
    path: "//a/b",
    url: "ws+unix:/run/a.sock://a/b",
  }],
  ["ws+unix:/run/a.sock:/ws", {
    unixPath: "/run/a.sock",
    path: "/ws",
    url: "ws+unix:/run/a.sock:/ws",
  }],
];

function wanted(part: Partial<Backend>): Backend {
  if (part.unixPath !== undefined) {
    return { ...TCP, hostname: "localhost", port: 0, authority: "localhost", ...part };
  }
  const url = part.url ?? (part.hostname ? `ws://${part.hostname}` : TCP.url);
  const authority = part.agents === undefined ? new URL(url).host : TCP.authority;
  return { ...TCP, url, authority, ...part };
}

Deno.test("backend: ws://, wss://, the same as http:// and https://, and ws+unix:", () => {
  for (const [text, part] of GOOD) {
    assert.deepEqual(parseBackend(text), wanted(part), text);
  }
});

const BAD: [why: string, text: string][] = [
  ["empty", ""],
  ["no scheme", "127.0.0.1:8080"],
  ["another scheme", "ftp://127.0.0.1:8080"],
  ["another scheme that begins alike", "httpx://127.0.0.1:8080"],
  ["no host", "ws://"],
  ["no host but a path", "ws:///chat"],
  ["no slashes", "ws:127.0.0.1:8080"],
  ["one slash", "ws:/127.0.0.1:8080"],
  ["a backslash", "ws:\\\\a.example"],
  ["a user", "ws://user@a.example"],
  ["a user and a password", "ws://user:secret@a.example"],
  ["a query", "ws://a.example/?a=1"],
  ["a query without a path", "ws://a.example?a=1"],
  ["a fragment, RFC 6455 §3", "ws://a.example/#a"],
  ["port 0", "ws://a.example:0"],
  ["a port too large", "ws://a.example:65536"],
  ["no port behind the colon is the default's, but a word is none", "ws://a.example:http"],
  ["a space", "ws://a.example/a b"],
  ["a line feed", "ws://a.example/\nx"],
  ["a name that can be none", "ws://a..example"],
  ["agents of no group", "agent:///127.0.0.1:80"],
  ["agents, and no target", "agent://home"],
  ["agents, and no port", "agent://home/127.0.0.1"],
  ["agents, and port 0", "agent://home/127.0.0.1:0"],
  ["a user at agents", "agent://a@home/127.0.0.1:80"],
  ["a user behind agents", "agent://home/a@127.0.0.1:80"],
  ["a query behind agents", "agent://home/127.0.0.1:80/?a"],
  ["a group with an escape", "agent://ho%6de/127.0.0.1:80"],
  ["a relative socket", "ws+unix:run/a.sock"],
  ["no socket", "ws+unix:"],
  ["a relative path", "ws+unix:/run/a.sock:ws"],
  ["a query over a socket", "ws+unix:/run/a.sock:/ws?a=1"],
];

Deno.test("backend: all else is none", () => {
  for (const [why, text] of BAD) assert.equal(parseBackend(text), undefined, why);
});
