import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { ABNORMAL, type Case, closeOf, type WebSocketClass } from "./websocket3_support.ts";

/** RFC 6455 §5.2: where the length takes more bytes. */
const LENGTHS = [124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537];

/** What is behind the host, and how a server is asked for it. */
const TARGETS: { given: string; sent: string }[] = [
  { given: "/url?x\u0000y", sent: "/url?x%00y" },
  { given: "/url?\u00e5", sent: "/url?%C3%A5" },
  { given: "/url?%20 a", sent: "/url?%20%20a" },
  { given: "/url?a?b&c=/", sent: "/url?a?b&c=/" },
];

/** Handshakes that RFC 6455 §4.1, or the standard, has a client fail. */
const FAILURES: { path: string; protocols?: string[]; name: string; deno?: string }[] = [
  { path: "/bad-accept", name: "Sec-WebSocket-Accept is wrong" },
  { path: "/unchosen", protocols: ["a", "b"], name: "of several subprotocols none is chosen" },
  {
    path: "/other-protocol",
    protocols: ["a"],
    name: "a subprotocol is chosen that was not offered",
  },
];

/** Cases of web-platform-tests that fit in no other table. */
export const WPT_CASES: readonly Case[] = [
  ...LENGTHS.map((length): Case => ({
    name: `${length} bytes of text go there and back`,
    run: async ({ open }) => {
      const { ws, next } = await open("/echo");
      const coming = next("message");
      ws.send("a".repeat(length));
      assert.equal((await coming).data, "a".repeat(length));
    },
  })),
  ...TARGETS.map(({ given, sent }): Case => ({
    name: `${JSON.stringify(given)} is asked for as ${sent}`,
    run: async ({ make }) => {
      const { data } = await make(given).next("message");
      assert.equal(data, sent);
    },
  })),
  ...FAILURES.map(({ path, protocols, name }): Case => ({
    name: `where ${name} it is an error, then close 1006, and it never was open`,
    deno: "says 0 for 1006",
    run: async ({ make }) => {
      const { ws, told, next } = make(path, protocols ?? []);
      assert.deepEqual(closeOf(await next("close")), ABNORMAL);
      assert.deepEqual([told, ws.readyState, ws.protocol], [["error", "close"], 3, ""]);
    },
  })),
  {
    name: "a scheme in capitals",
    run: async ({ WebSocket, origin }) => {
      const ws = new WebSocket(origin.replace(/^wss?/, (scheme) => scheme.toUpperCase()) + "/echo");
      await new Promise((resolve) => ws.onopen = resolve);
      const closed = new Promise((resolve) => ws.onclose = resolve);
      ws.close();
      await closed;
    },
  },
  {
    name: "no Referer is sent, and no Origin where there is no page",
    run: async ({ make }) => {
      const { referer, origin } = JSON.parse((await make("/headers").next("message")).data);
      assert.deepEqual([referer, origin], [undefined, undefined]);
    },
  },
  {
    name: "25 at once are all opened, and closed",
    run: async ({ make }) => {
      const all = Array.from({ length: 25 }, () => make("/echo"));
      await Promise.all(all.map(({ next }) => next("open")));
      const closed = all.map(({ next }) => next("close"));
      for (const { ws } of all) ws.close();
      for (const event of await Promise.all(closed)) assert.equal(event.wasClean, true);
    },
  },
  {
    name: "50 messages of 64 KiB to a server that is slow to read them are all sent, and answered",
    run: async ({ open }) => {
      const { ws, next } = await open("/slow-sizes");
      const sizes: string[] = [];
      ws.onmessage = ({ data }) => {
        sizes.push(data);
        if (sizes.length === 50) ws.close();
      };
      for (let i = 0; i < 50; i++) ws.send("x".repeat(65_536));
      assert.equal(ws.bufferedAmount, 50 * 65_536);
      const { wasClean } = await next("close");
      assert.deepEqual([wasClean, sizes], [true, Array.from({ length: 50 }, () => "65536")]);
      await until("all of it to be sent", () => ws.bufferedAmount === 0);
    },
  },
  {
    name: "what a server sends behind its Close is not told",
    direct: true,
    run: async ({ open }) => {
      const { ws, told, next } = await open("/close-data");
      const closed = next("close");
      ws.send("Goodbye");
      const { code, wasClean } = await closed;
      assert.deepEqual([code, wasClean, told], [1000, true, ["open", "close"]]);
    },
  },
  {
    name: "a listener that was taken away is not called",
    run: async ({ make }) => {
      const { ws, next } = make("/text");
      const told: string[] = [];
      const listener = (event: { type: string }) => void told.push(event.type);
      for (const type of ["open", "message", "close"]) {
        ws.addEventListener(type, listener);
        ws.removeEventListener(type, listener);
      }
      await next("message");
      ws.close();
      await next("close");
      assert.deepEqual(told, []);
    },
  },
  {
    name: "Web IDL: it inherits from EventTarget, and its operations have their lengths",
    deno: "counts otherwise",
    run: ({ WebSocket }) => {
      const { prototype } = WebSocket;
      assert.equal(Object.getPrototypeOf(prototype), EventTarget.prototype);
      assert.equal(Object.getPrototypeOf(WebSocket), EventTarget);
      assert.deepEqual([prototype.send.length, prototype.close.length], [1, 0]);
      assert.equal(Object.getOwnPropertyDescriptor(WebSocket, "prototype")!.writable, false);
    },
  },
  ...["url", "readyState", "bufferedAmount", "onopen", "extensions", "protocol", "binaryType"].map(
    (name): Case => ({
      deno: name === "onopen" ? "gives undefined" : undefined,
      name: `Web IDL: ${name} of what is no WebSocket is a TypeError`,
      run: ({ WebSocket }) => {
        for (const other of [WebSocket.prototype, {}, new EventTarget()]) {
          assert.throws(() => Reflect.get(WebSocket.prototype, name, other), TypeError);
        }
      },
    }),
  ),
  {
    name: "Web IDL: send and close of what is no WebSocket are a TypeError",
    run: ({ WebSocket }) => {
      const { send, close } = WebSocket.prototype;
      for (const other of [WebSocket.prototype, {}, undefined] as WebSocketClass["prototype"][]) {
        assert.throws(() => send.call(other, "a"), TypeError);
        assert.throws(() => close.call(other), TypeError);
      }
    },
  },
];
