import assert from "node:assert/strict";
import { ABNORMAL, type Case, closeOf } from "./websocket3_support.ts";

export const EVENT_CASES: readonly Case[] = [
  {
    name: "open is an Event that neither bubbles nor can be cancelled, and comes when it is open",
    run: async ({ make }) => {
      const { ws, next } = make("/echo");
      const event = await next("open");
      assert.equal(event.constructor, Event);
      assert.deepEqual([event.bubbles, event.cancelable, ws.readyState], [false, false, 1]);
    },
  },
  {
    name: "no event comes in the turn of the constructor",
    run: async ({ make }) => {
      const { told, next } = make("/echo");
      await Promise.resolve();
      assert.deepEqual(told, []);
      await next("open");
    },
  },
  {
    name: "text is a MessageEvent with a string, and the origin of the URL",
    deno: "gives the URL as origin",
    run: async ({ make, origin }) => {
      const { next } = make("/text");
      const event = await next("message");
      assert.ok(event instanceof MessageEvent);
      const { data, lastEventId, source, ports, bubbles, cancelable } = event;
      assert.deepEqual({ data, origin: event.origin, lastEventId, bubbles, cancelable }, {
        ...{ data: "text", origin, lastEventId: "", bubbles: false, cancelable: false },
      });
      assert.deepEqual([source, ports.length], [null, 0]);
    },
  },
  {
    name: "a binary message is a Blob without a type",
    run: async ({ make }) => {
      const { data } = await make("/binary").next("message");
      assert.ok(data instanceof Blob);
      assert.deepEqual([data.size, data.type], [3, ""]);
      assert.deepEqual(await data.bytes(), Uint8Array.of(0, 1, 255));
    },
  },
  {
    name: "a binary message is an ArrayBuffer of its size where binaryType says so",
    run: async ({ make }) => {
      const { ws, next } = make("/binary");
      ws.binaryType = "arraybuffer";
      const { data } = await next("message");
      assert.ok(data instanceof ArrayBuffer);
      assert.deepEqual(new Uint8Array(data), Uint8Array.of(0, 1, 255));
    },
  },
  {
    name: "binaryType counts as it is when the message comes",
    run: async ({ open }) => {
      const { ws, next } = await open("/echo");
      const kinds: string[] = [];
      ws.onmessage = ({ data }) => {
        kinds.push(data instanceof Blob ? "blob" : "arraybuffer");
        ws.binaryType = ws.binaryType === "blob" ? "arraybuffer" : "blob";
        if (kinds.length === 3) ws.close();
      };
      for (let i = 0; i < 3; i++) ws.send(new Uint8Array(3));
      await next("close");
      assert.deepEqual(kinds, ["blob", "arraybuffer", "blob"]);
    },
  },
  {
    name: "messages come in order, all before close, and none after it",
    run: async ({ make }) => {
      const { ws, told, next } = make("/hundred");
      const data: string[] = [];
      ws.onmessage = (event) => data.push(event.data);
      await next("close");
      assert.deepEqual(data, Array.from({ length: 100 }, (_, i) => String(i)));
      assert.deepEqual([told[0], told.at(-1), told.length], ["open", "close", 102]);
    },
  },
  {
    name: "a listener that throws is told to the program, and stops nothing",
    run: async ({ open }) => {
      const { ws, told, next } = await open("/echo");
      const thrown: unknown[] = [];
      const onError = (event: ErrorEvent) => {
        event.preventDefault();
        thrown.push(event.error);
      };
      globalThis.addEventListener("error", onError);
      ws.onmessage = () => {
        throw "thrown";
      };
      ws.send("a");
      ws.send("b");
      await next("message");
      if (told.length < 3) await next("message");
      globalThis.removeEventListener("error", onError);
      assert.deepEqual([thrown, ws.readyState], [["thrown", "thrown"], 1]);
    },
  },
  {
    name: "the server's close is a CloseEvent with its code and reason, and clean",
    run: async ({ make }) => {
      const { ws, told, next } = make("/close-4001");
      const event = await next("close");
      assert.equal(event.constructor, CloseEvent);
      const reason = "so lang, und \u{1f41f}";
      assert.deepEqual(closeOf(event), { code: 4001, reason, wasClean: true });
      assert.deepEqual([event.bubbles, event.cancelable], [false, false]);
      assert.deepEqual([ws.readyState, told], [3, ["open", "close"]]);
    },
  },
  {
    name: "a server's Close without a code is 1005",
    run: async ({ make }) => {
      const { told, next } = make("/close");
      assert.deepEqual(closeOf(await next("close")), { code: 1005, reason: "", wasClean: true });
      assert.deepEqual(told, ["open", "close"]);
    },
  },
  ...[
    { path: "/refuse", name: "a server that refuses", opens: false },
    { path: "/drop", name: "a server that ends the stream without Close", opens: true },
    { path: "/masked", name: "a server that masks its frames", opens: true },
    { path: "/utf8", name: "text that is not UTF-8", opens: true },
  ].map(({ path, name, opens }): Case => ({
    name: `${name} is an error, then close 1006 without a reason; each finds it closed`,
    deno: path === "/masked" ? "takes what is masked" : "says 0 for 1006",
    direct: path === "/drop" || path === "/masked",
    run: async ({ make }) => {
      const { ws, told, next } = make(path);
      const states: number[] = [];
      ws.onerror = () => states.push(ws.readyState);
      const close = await next("close");
      assert.deepEqual(told, [...opens ? ["open"] : [], "error", "close"]);
      assert.deepEqual([states, ws.readyState], [[3], 3]);
      assert.deepEqual(closeOf(close), ABNORMAL);
    },
  })),
  {
    name: "where nobody listens it is an error, then close 1006; never in the same turn",
    deno: "says 0 for 1006",
    run: async ({ WebSocket }) => {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      listener.close();
      const ws = new WebSocket(`ws://127.0.0.1:${port}/`);
      await Promise.resolve();
      assert.equal(ws.readyState, 0);
      const told: string[] = [];
      ws.onerror = (event) => told.push(event.type);
      const closed = await new Promise<CloseEvent>((resolve) => ws.onclose = resolve);
      assert.deepEqual([told, closeOf(closed)], [["error"], ABNORMAL]);
    },
  },
];
