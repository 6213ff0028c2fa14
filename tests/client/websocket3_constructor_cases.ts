import assert from "node:assert/strict";
import { type Case, throwsDom } from "./websocket3_support.ts";

const BAD_URLS = [
  "ws://foo bar.com/",
  "wss://foo bar.com/",
  "ftp://host.example/",
  "mailto:a@host.example",
  "about:blank",
  "javascript:0",
  "#test",
  "/echo",
  "",
  "ws://host.example/#",
  "ws://host.example/#test",
  "https://host.example/#",
  "ws://host.example:70000/",
];

const BAD_PROTOCOLS: { name: string; protocols: string | string[] }[] = [
  { name: "an empty one", protocols: "" },
  { name: "an empty one in a list", protocols: ["a", ""] },
  { name: "a space", protocols: "a b" },
  { name: "a space at the end", protocols: "a " },
  { name: "a comma", protocols: "a,b" },
  { name: "a control character", protocols: "a\u0008" },
  { name: "DEL", protocols: "a\u007f" },
  { name: "what is not ASCII", protocols: "\u0080\u00e9" },
  { name: "one that is there twice", protocols: ["chat", "chat"] },
  { name: "one that is there twice but for its case", protocols: ["chat", "cHat"] },
  ...[...'()<>@,;:\\"/[]?={}\t'].map((separator) => ({
    name: `the separator ${JSON.stringify(separator)}`,
    protocols: `a${separator}b`,
  })),
];

const URLS: { given: string; path: string }[] = [
  { given: "", path: "/" },
  { given: "/echo", path: "/echo" },
  { given: "/a b?c d", path: "/a%20b?c%20d" },
  { given: "/echo?foo%20bar/baz", path: "/echo?foo%20bar/baz" },
  { given: "/\u00e5\u{1f600}", path: "/%C3%A5%F0%9F%98%80" },
  { given: "/a/../b", path: "/b" },
];

export const CONSTRUCTOR_CASES: readonly Case[] = [
  ...BAD_URLS.map((url): Case => ({
    name: `the URL "${url}" is a SyntaxError`,
    run: ({ WebSocket }) => throwsDom("SyntaxError", () => new WebSocket(url)),
  })),
  ...BAD_PROTOCOLS.map(({ name, protocols }): Case => ({
    name: `among the subprotocols ${name} is a SyntaxError`,
    run: ({ WebSocket, origin }) =>
      throwsDom("SyntaxError", () => new WebSocket(`${origin}/echo`, protocols)),
  })),
  ...URLS.map(({ given, path }): Case => ({
    name: `"${given}" behind the host is ${path} in url, at once and for good`,
    run: async ({ make, origin }) => {
      const { ws, next } = make(given);
      assert.equal(ws.url, origin + path);
      const closed = next("close");
      ws.close();
      assert.equal(ws.url, origin + path);
      await closed;
      assert.equal(ws.url, origin + path);
    },
  })),
  {
    name: "http: is ws: and https: is wss: in url, and the scheme's own port is not there",
    run: async ({ WebSocket }) => {
      for (
        const [given, url] of [
          ["http://127.0.0.1:1/a", "ws://127.0.0.1:1/a"],
          ["https://127.0.0.1:1/a", "wss://127.0.0.1:1/a"],
          ["HTTP://127.0.0.1:80", "ws://127.0.0.1/"],
          ["WSS://LOCALHOST:443/A", "wss://localhost/A"],
        ]
      ) {
        const ws = new WebSocket(given);
        const closed = new Promise((resolve) => ws.onclose = resolve);
        assert.equal(ws.url, url);
        ws.close();
        await closed;
      }
    },
  },
  {
    name: "a URL may be an object",
    run: async ({ WebSocket, origin }) => {
      const ws = new WebSocket(new URL(`${origin}/echo`));
      const closed = new Promise((resolve) => ws.onclose = resolve);
      assert.equal(ws.url, `${origin}/echo`);
      ws.close();
      await closed;
    },
  },
  {
    name: "without arguments, and without new, it is a TypeError",
    run: ({ WebSocket, origin }) => {
      const untyped = WebSocket as unknown as { new (): unknown; (url: string): unknown };
      assert.throws(() => new untyped(), TypeError);
      assert.throws(() => untyped(`${origin}/echo`), TypeError);
    },
  },
  {
    name: "while it is opened all is empty, and it is a blob",
    run: ({ make }) => {
      const { ws } = make("/hang");
      const { readyState, bufferedAmount, extensions, protocol, binaryType } = ws;
      assert.deepEqual({ readyState, bufferedAmount, extensions, protocol, binaryType }, {
        ...{ readyState: 0, bufferedAmount: 0, extensions: "", protocol: "", binaryType: "blob" },
      });
      const { onopen, onmessage, onerror, onclose } = ws;
      assert.deepEqual([onopen, onmessage, onerror, onclose], [null, null, null, null]);
    },
  },
  {
    name: "a subprotocol by itself is offered, and chosen",
    run: async ({ open }) => assert.equal((await open("/echo", "chat")).ws.protocol, "chat"),
  },
  {
    name: "of several subprotocols the server's choice is told",
    run: async ({ open }) => assert.equal((await open("/echo", ["b", "a"])).ws.protocol, "b"),
  },
  {
    name: "an empty list of subprotocols offers none",
    run: async ({ make }) => {
      const { ws, next } = make("/headers", []);
      const { data } = await next("message");
      assert.equal(JSON.parse(data)["sec-websocket-protocol"], undefined);
      assert.equal(ws.protocol, "");
    },
  },
  {
    name: "null is a subprotocol, as Web IDL has it",
    deno: "takes it for none",
    run: async ({ open }) => {
      const { ws } = await open("/echo", null as unknown as string);
      assert.equal(ws.protocol, "null");
    },
  },
  {
    name: "user and password of the URL go as Basic authorization",
    run: async ({ WebSocket, origin }) => {
      const url = origin.replace("//", "//us%C3%A9r:pass%20word@");
      const ws = new WebSocket(`${url}/headers`);
      const data = await new Promise<string>((resolve) => {
        ws.onmessage = (event) => resolve(event.data);
      });
      const closed = new Promise((resolve) => ws.onclose = resolve);
      ws.close();
      const pair = new TextEncoder().encode("us\u00e9r:pass word").toBase64();
      assert.equal(JSON.parse(data).authorization, `Basic ${pair}`);
      await closed;
    },
  },
];
