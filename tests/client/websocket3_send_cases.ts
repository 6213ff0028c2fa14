import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { type Case, type Given, throwsDom } from "./websocket3_support.ts";

const BYTES = Uint8Array.from({ length: 64 }, (_, i) => i);

const { buffer } = BYTES.slice();
const VIEWS: readonly ArrayBufferView[] = [
  new Int8Array(buffer, 8, 3),
  new Uint8ClampedArray(buffer, 8, 3),
  new Int16Array(buffer, 8, 3),
  new Uint32Array(buffer, 8, 3),
  new Float32Array(buffer, 8, 3),
  new Float64Array(buffer, 8, 3),
  new DataView(buffer, 8, 5),
];

/** What is sent, and what comes back from an echo. */
const DATA: { name: string; data: unknown; want: string | Uint8Array; size: number }[] = [
  { name: "an empty string", data: "", want: "", size: 0 },
  { name: "text", data: "hello", want: "hello", size: 5 },
  { name: "text beyond ASCII", data: "\u00e5\u{1f600}", want: "\u00e5\u{1f600}", size: 6 },
  { name: "NUL in text", data: "a\0b", want: "a\0b", size: 3 },
  { name: "a lone surrogate", data: "\ud800a", want: "\ufffda", size: 4 },
  { name: "null", data: null, want: "null", size: 4 },
  { name: "undefined", data: undefined, want: "undefined", size: 9 },
  { name: "a number", data: 12, want: "12", size: 2 },
  { name: "an object with toString", data: { toString: () => "o" }, want: "o", size: 1 },
  { name: "65536 characters", data: "c".repeat(65536), want: "c".repeat(65536), size: 65536 },
  { name: "an ArrayBuffer", data: BYTES.slice().buffer, want: BYTES, size: 64 },
  { name: "an empty ArrayBuffer", data: new ArrayBuffer(0), want: new Uint8Array(0), size: 0 },
  { name: "a large ArrayBuffer", data: new ArrayBuffer(2e5), want: new Uint8Array(2e5), size: 2e5 },
  { name: "a Blob", data: new Blob([BYTES], { type: "a/b" }), want: BYTES, size: 64 },
  { name: "an empty Blob", data: new Blob([]), want: new Uint8Array(0), size: 0 },
  ...VIEWS.map((view) => ({
    name: `a part of a buffer as ${view.constructor.name}`,
    data: view,
    want: BYTES.subarray(8, 8 + view.byteLength),
    size: view.byteLength,
  })),
];

function send(ws: WebSocket, data: unknown): void {
  ws.send(data as string);
}

async function echoed({ open }: Given, data: unknown) {
  const { ws, next } = await open("/echo");
  ws.binaryType = "arraybuffer";
  const coming = next("message");
  send(ws, data);
  const { bufferedAmount } = ws;
  const { data: got } = await coming;
  const read = typeof got === "string" ? got : new Uint8Array(got);
  return { ws, bufferedAmount, got: read };
}

export const SEND_CASES: readonly Case[] = [
  ...DATA.map(({ name, data, want, size }): Case => ({
    name: `${name}: goes there and back, and counts ${size} bytes until it is sent`,
    deno: name === "a Blob" ? "does not count it" : undefined,
    run: async (given) => {
      const { ws, bufferedAmount, got } = await echoed(given, data);
      assert.deepEqual(got, want);
      assert.equal(bufferedAmount, size);
      await until("what was sent to be sent", () => ws.bufferedAmount === 0);
    },
  })),
  {
    name: "before it is open it is an InvalidStateError, and nothing is counted",
    run: ({ make }) => {
      const { ws } = make("/hang");
      for (const data of ["a", "\ud800", new Blob(["a"]), new ArrayBuffer(1)]) {
        throwsDom("InvalidStateError", () => ws.send(data));
      }
      assert.equal(ws.bufferedAmount, 0);
    },
  },
  {
    name: "without an argument it is a TypeError",
    run: async ({ open }) => {
      const { ws } = await open("/echo");
      assert.throws(() => (ws.send as () => void)(), TypeError);
      assert.throws(() => (ws.send.bind(ws) as () => void)(), TypeError);
    },
  },
  {
    name: "it gives undefined, and grows bufferedAmount at once, message by message",
    deno: "counts no Blob",
    run: async ({ open }) => {
      const { ws } = await open("/echo");
      assert.equal(ws.send("abc"), undefined);
      assert.equal(ws.bufferedAmount, 3);
      ws.send(new Blob(["defg"]));
      ws.send("\u00e5");
      ws.send(new Uint8Array(5));
      assert.equal(ws.bufferedAmount, 14);
    },
  },
  {
    name: "it sends the bytes that were there at the call",
    deno: "sends a buffer as it is later",
    run: async ({ open }) => {
      const { ws, next } = await open("/echo");
      ws.binaryType = "arraybuffer";
      const bytes = Uint8Array.of(1, 2, 3);
      const seen: string[] = [];
      ws.onmessage = ({ data }) => {
        seen.push(String(new Uint8Array(data)));
        if (seen.length === 3) ws.close();
      };
      ws.send(bytes);
      ws.send(new Blob(["a"]));
      ws.send(bytes.buffer);
      bytes.fill(9);
      await next("close");
      assert.deepEqual(seen, ["1,2,3", "97", "1,2,3"]);
    },
  },
  {
    name: "Blobs, text and bytes keep the order of the calls, and Close comes behind them",
    deno: "tells messages while it is closing",
    run: async ({ open, server }) => {
      const { ws, next } = await open("/echo");
      const before = server.closes.length;
      ws.binaryType = "arraybuffer";
      const got: string[] = [];
      ws.onmessage = ({ data }) => {
        got.push(typeof data === "string" ? data : new TextDecoder().decode(data));
        if (got.length < 5) return;
        for (const data of ["6", new Blob(["7"])]) ws.send(data);
        ws.close(3000, "last");
      };
      for (const data of ["1", new Blob(["2"]), "3", new Blob(["4", ""]), "5"]) ws.send(data);
      const { code, reason, wasClean } = await next("close");
      assert.deepEqual(got, ["1", "2", "3", "4", "5"]);
      assert.deepEqual([code, reason, wasClean], [3000, "last", true]);
      await until("the Close at the server", () => server.closes.length > before);
      assert.deepEqual(server.closes.at(-1), { code: 3000, reason: "last" });
    },
  },
  {
    name: "Close waits for a Blob that is sent before it",
    run: async ({ open, server }) => {
      const { ws, next } = await open("/echo");
      const before = server.messages.length;
      const closed = next("close");
      ws.send(new Blob(["a".repeat(100_000)]));
      ws.close();
      await closed;
      assert.deepEqual(server.messages.slice(before), [100_000]);
    },
  },
  {
    name: "what is sent where the server has closed already is counted",
    run: async ({ make }) => {
      const { ws, next } = make("/hundred");
      const counts: number[] = [];
      ws.onmessage = ({ data }) => {
        if (data !== "99") return;
        ws.send("abc");
        counts.push(ws.bufferedAmount);
      };
      await next("close");
      assert.deepEqual(counts, [3]);
    },
  },
  {
    name: "once it is closing, messages are counted for ever and not sent, nor is anything thrown",
    deno: "counts nothing then",
    run: async ({ open }) => {
      const { ws, told, next } = await open("/echo");
      ws.close();
      ws.send("ab");
      assert.equal(ws.bufferedAmount, 2);
      ws.send(new Blob(["cde"]));
      assert.equal(ws.bufferedAmount, 5);
      await next("close");
      assert.equal(ws.bufferedAmount, 5);
      ws.send(new Uint8Array(2));
      ws.send("\u00e5");
      assert.equal(ws.bufferedAmount, 9);
      assert.deepEqual(told, ["open", "close"]);
    },
  },
  {
    name: "one that was never open counts them too",
    deno: "counts nothing then",
    run: async ({ make }) => {
      const { ws, next } = make("/refuse");
      await next("close");
      ws.send("abc");
      assert.equal(ws.bufferedAmount, 3);
    },
  },
  {
    name: "what a peer does not take stays counted, before and after the end",
    deno: "counts it as sent",
    direct: true,
    run: async ({ make, server }) => {
      const { ws, next } = make("/deaf");
      await next("message");
      const piece = new Uint8Array(1024 * 1024);
      for (let i = 0; i < 64; i++) ws.send(piece);
      assert.equal(ws.bufferedAmount, 64 * piece.length);
      const closed = next("close");
      server.drop();
      const { wasClean } = await closed;
      assert.equal(wasClean, false);
      assert.ok(ws.bufferedAmount > 0, "not reset");
    },
  },
];
