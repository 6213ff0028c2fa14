import assert from "node:assert/strict";
import type { Case } from "./websocket3_support.ts";

const CONSTANTS = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
const READ_ONLY = ["url", "readyState", "bufferedAmount", "extensions", "protocol"] as const;
const HANDLERS = ["onopen", "onmessage", "onerror", "onclose"] as const;
const METHODS = ["send", "close"] as const;

export const INTERFACE_CASES: readonly Case[] = [
  ...Object.entries(CONSTANTS).map(([name, value]): Case => ({
    name: `${name} is ${value} on the class, its prototype and its objects, and stays so`,
    deno: "has them as getters",
    run: ({ WebSocket, make }) => {
      const { ws } = make("/echo");
      for (const object of [WebSocket, WebSocket.prototype, ws]) {
        assert.equal(Reflect.get(object, name), value);
        assert.equal(Reflect.set(object, name, 7), false);
        assert.equal(Reflect.get(object, name), value);
      }
      for (let object: object = WebSocket; object !== null; object = WebSocket.prototype) {
        const owner = Object.hasOwn(object, name) ? object : Object.getPrototypeOf(object);
        assert.deepEqual(Object.getOwnPropertyDescriptor(owner, name), {
          ...{ value, writable: false, enumerable: true, configurable: false },
        });
        if (object === WebSocket.prototype) break;
      }
    },
  })),
  {
    name: "it is an EventTarget, says that it is a WebSocket, and its class wants one argument",
    deno: "counts two",
    run: ({ WebSocket, make }) => {
      const { ws } = make("/echo");
      assert.ok(ws instanceof EventTarget && ws instanceof WebSocket);
      assert.equal(String(ws), "[object WebSocket]");
      for (let object = WebSocket;; object = Object.getPrototypeOf(object)) {
        if (!Object.hasOwn(object, "CONNECTING")) continue;
        assert.equal(object.length, 1);
        break;
      }
    },
  },
  {
    name: "its members are found by for-in",
    run: ({ make }) => {
      const found = new Set<string>();
      for (const name in make("/echo").ws) found.add(name);
      const wanted = [...READ_ONLY, ...HANDLERS, ...METHODS, "binaryType", "CONNECTING", "CLOSED"];
      assert.deepEqual(wanted.filter((name) => !found.has(name)), []);
    },
  },
  ...READ_ONLY.map((name): Case => ({
    name: `${name} can't be set, nor deleted`,
    run: ({ make }) => {
      const { ws } = make("/echo");
      const before = ws[name];
      assert.throws(() => Object.assign(ws, { [name]: 7 }), TypeError);
      assert.equal(Reflect.deleteProperty(ws, name), true);
      assert.equal(ws[name], before);
    },
  })),
  {
    name: "binaryType takes its two words and leaves any other alone",
    run: ({ make }) => {
      const { ws } = make("/echo");
      const untyped = ws as unknown as { binaryType: unknown };
      const seen = ["arraybuffer", "Blob", "blob", "", "arraybuffer", null, undefined, 1].map(
        (word) => {
          untyped.binaryType = word;
          return ws.binaryType;
        },
      );
      const [buffer, blob] = ["arraybuffer", "blob"];
      assert.deepEqual(seen, [buffer, buffer, blob, blob, buffer, buffer, buffer, buffer]);
    },
  },
  ...HANDLERS.map((name): Case => ({
    name: `${name} keeps a function; what is no object is null`,
    run: ({ make }) => {
      const { ws } = make("/echo");
      const untyped = ws as unknown as Record<string, unknown>;
      const handler = () => {};
      for (const value of [handler, null, undefined, 1, "a", true, handler, null]) {
        untyped[name] = value;
        assert.equal(untyped[name], value === handler ? handler : null);
      }
    },
  })),
  {
    name: "a handler that is an object without a call is kept, and does nothing",
    deno: "takes it for null",
    run: async ({ make }) => {
      const { ws, next } = make("/echo");
      const object = {};
      const untyped = ws as unknown as { onopen: unknown };
      untyped.onopen = object;
      assert.equal(untyped.onopen, object);
      await next("open");
    },
  },
  {
    name: "one handler takes the other's place among the listeners; null gives it up",
    run: async ({ WebSocket, origin }) => {
      const ws = new WebSocket(`${origin}/echo`);
      const told: string[] = [];
      ws.addEventListener("open", () => told.push("first"));
      ws.onopen = () => told.push("never");
      ws.addEventListener("open", () => told.push("third"));
      ws.onopen = () => told.push("second");
      ws.onclose = () => told.push("never");
      ws.onclose = null;
      const opened = new Promise((resolve) => ws.addEventListener("open", resolve));
      await opened;
      const closed = new Promise((resolve) => ws.addEventListener("close", resolve));
      ws.close();
      await closed;
      assert.deepEqual(told, ["first", "second", "third"]);
    },
  },
  {
    name: "a handler that was given up and set again comes behind the others",
    deno: "leaves it in its place",
    run: async ({ WebSocket, origin }) => {
      const ws = new WebSocket(`${origin}/echo`);
      const told: string[] = [];
      ws.onopen = () => told.push("never");
      ws.addEventListener("open", () => told.push("first"));
      ws.onopen = null;
      ws.onopen = () => told.push("second");
      await new Promise((resolve) => ws.addEventListener("open", resolve));
      const closed = new Promise((resolve) => ws.addEventListener("close", resolve));
      ws.close();
      await closed;
      assert.deepEqual(told, ["first", "second"]);
    },
  },
  {
    name: "a handler is called with the socket as this, and with the event",
    run: async ({ WebSocket, origin }) => {
      const ws = new WebSocket(`${origin}/echo`);
      const seen = await new Promise<unknown[]>((resolve) => {
        ws.onopen = function (...args: unknown[]) {
          resolve([this, ...args]);
        };
      });
      assert.equal(seen.length, 2);
      assert.equal(seen[0], ws);
      const event = seen[1] as Event;
      assert.deepEqual([event.target, event.type, event.isTrusted !== undefined], [
        ...[ws, "open", true],
      ]);
      const closed = new Promise((resolve) => ws.onclose = resolve);
      ws.close();
      await closed;
    },
  },
  {
    name: "events of one's own go through it, once with the option, not when stopped before",
    run: ({ make }) => {
      const { ws } = make("/hang");
      const told: string[] = [];
      ws.addEventListener("message", () => told.push("once"), { once: true });
      ws.addEventListener("message", (event) => {
        told.push("every");
        if (told.length > 2) event.stopImmediatePropagation();
      });
      ws.onmessage = () => told.push("handler");
      ws.dispatchEvent(new MessageEvent("message", { data: "a" }));
      ws.dispatchEvent(new MessageEvent("message", { data: "b" }));
      assert.deepEqual(told, ["once", "every", "handler", "every"]);
    },
  },
];
