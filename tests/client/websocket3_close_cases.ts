import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { ABNORMAL, type Case, closeOf, throwsDom } from "./websocket3_support.ts";

const LONG = "\u00e5".repeat(61) + "a";

/** What `close` is given; what goes on the wire, and comes back. */
const CLOSES: { args: unknown[]; code: number; reason?: string; deno?: string }[] = [
  { args: [], code: 1005 },
  { args: [undefined], code: 1005 },
  { args: [undefined, undefined], code: 1005 },
  { args: [1000], code: 1000 },
  { args: [1000, "reason"], code: 1000, reason: "reason" },
  { args: [3000], code: 3000 },
  { args: [4999, "reason"], code: 4999, reason: "reason" },
  { args: ["3001"], code: 3001 },
  { args: [999.5], code: 1000 },
  { args: [3000.5], code: 3000 },
  { args: [3001.5], code: 3002 },
  { args: [1000, LONG], code: 1000, reason: LONG },
  { args: [1000, "\ud807a"], code: 1000, reason: "\ufffda" },
  { args: [1000, null], code: 1000, reason: "null" },
  { args: [1000, 12], code: 1000, reason: "12" },
];

const REFUSED_CODES = [
  0,
  999,
  1001,
  1005,
  1006,
  2999,
  5000,
  65536 + 1000,
  -1,
  NaN,
  null,
  "a",
  999.4,
];

function close(ws: WebSocket, ...args: unknown[]): void {
  (ws.close as (...args: unknown[]) => void)(...args);
}

export const CLOSE_CASES: readonly Case[] = [
  ...CLOSES.map(({ args, code, reason = "", deno }): Case => ({
    name: `close(${args.map((arg) => JSON.stringify(arg)).join(", ")}) is ${code} "${reason}"`,
    deno,
    run: async ({ open, server }) => {
      const { ws, told, next } = await open("/echo");
      const before = server.closes.length;
      const closed = next("close");
      assert.equal(close(ws, ...args), undefined);
      assert.equal(ws.readyState, 2);
      assert.deepEqual(closeOf(await closed), { code, reason, wasClean: true });
      assert.deepEqual([ws.readyState, told], [3, ["open", "close"]]);
      await until("the Close at the server", () => server.closes.length > before);
      assert.deepEqual(server.closes.at(-1), { code, reason });
    },
  })),
  ...REFUSED_CODES.map((code): Case => ({
    name: `close(${JSON.stringify(code) ?? code}) is an InvalidAccessError, and it stays open`,
    run: async ({ open }) => {
      const { ws } = await open("/echo");
      throwsDom("InvalidAccessError", () => close(ws, code));
      throwsDom("InvalidAccessError", () => close(ws, code, LONG));
      assert.equal(ws.readyState, 1);
    },
  })),
  {
    name: "a reason of more than 123 bytes is a SyntaxError, in any state, and it stays open",
    run: async ({ make }) => {
      const { ws, next } = make("/echo");
      throwsDom("SyntaxError", () => ws.close(1000, `${LONG}b`));
      await next("open");
      throwsDom("SyntaxError", () => ws.close(1000, `${LONG}b`));
      throwsDom("SyntaxError", () => ws.close(3000, "a".repeat(124)));
      assert.equal(ws.readyState, 1);
      const closed = next("close");
      ws.close();
      throwsDom("SyntaxError", () => ws.close(1000, `${LONG}b`));
      throwsDom("InvalidAccessError", () => ws.close(1001));
      await closed;
      throwsDom("SyntaxError", () => ws.close(1000, `${LONG}b`));
    },
  },
  {
    name: "a reason alone goes with 1000",
    deno: "sends neither",
    run: async ({ open }) => {
      const { ws, next } = await open("/echo");
      const closed = next("close");
      close(ws, undefined, "why");
      assert.deepEqual(closeOf(await closed), { code: 1000, reason: "why", wasClean: true });
    },
  },
  {
    name: "while it is opened: closing at once, then error and close 1006, and never open",
    deno: "says 0 for 1006",
    run: async ({ make }) => {
      const { ws, told, next } = make("/hang");
      const closed = next("close");
      assert.equal(ws.readyState, 0);
      ws.close(4000, "why");
      assert.equal(ws.readyState, 2);
      await Promise.resolve();
      assert.deepEqual(told, []);
      assert.deepEqual(closeOf(await closed), ABNORMAL);
      assert.deepEqual([told, ws.readyState], [["error", "close"], 3]);
    },
  },
  {
    name: "no event comes in the turn of close",
    run: async ({ open }) => {
      const { ws, told, next } = await open("/echo");
      const closed = next("close");
      ws.close();
      assert.deepEqual(told, ["open"]);
      await closed;
    },
  },
  {
    name: "twice, and once more in each event, is once",
    run: async ({ open }) => {
      const { ws, told, next } = await open("/echo");
      const before = told.length;
      const closed = next("close");
      ws.onclose = () => ws.close(3002);
      ws.close(3000);
      ws.close(3001);
      assert.equal((await closed).code, 3000);
      await new Promise((resolve) => setTimeout(resolve));
      assert.deepEqual(told.slice(before), ["close"]);
    },
  },
  {
    name: "in a message: what comes behind it is not told",
    deno: "tells messages while it is closing",
    run: async ({ make }) => {
      const { ws, told, next } = make("/hundred");
      ws.onmessage = () => ws.close();
      await next("close");
      assert.deepEqual(told, ["open", "message", "close"]);
    },
  },
  {
    name: "in a message, behind a Blob that is still read: what comes meanwhile is not told",
    deno: "tells messages while it is closing",
    run: async ({ make }) => {
      const { ws, told, next } = make("/hundred");
      ws.onmessage = () => {
        ws.send(new Blob(["a"]));
        ws.close();
      };
      await next("close");
      assert.deepEqual(told, ["open", "message", "close"]);
    },
  },
  {
    name: "a server that leaves it without an answer: close 1006, and no error",
    deno: "says 0 for 1006",
    direct: true,
    run: async ({ make, server }) => {
      const { ws, told, next } = make("/deaf");
      await next("message");
      const closed = next("close");
      ws.close();
      server.drop();
      assert.deepEqual(closeOf(await closed), ABNORMAL);
      assert.deepEqual(told, ["open", "message", "close"]);
    },
  },
  {
    name: "messages that come between the two Closes are not told",
    run: async ({ open }) => {
      const { ws, told, next } = await open("/late");
      const closed = next("close");
      ws.close();
      await closed;
      assert.deepEqual(told, ["open", "close"]);
    },
  },
  {
    name: "in open, before anything came",
    deno: "tells messages while it is closing",
    run: async ({ make }) => {
      const { ws, told, next } = make("/text");
      ws.onopen = () => ws.close(3000);
      assert.equal((await next("close")).code, 3000);
      assert.deepEqual(told, ["open", "close"]);
    },
  },
];
