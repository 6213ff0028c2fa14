import assert from "node:assert/strict";
import { parseTyped, type Typed } from "../../src/cli/connect_slash.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

const CASES: [line: string, want: Typed][] = [
  ["hello", { kind: "message", text: "hello" }],
  ["", { kind: "message", text: "" }],
  ["a /ping", { kind: "message", text: "a /ping" }],
  [" /ping", { kind: "message", text: " /ping" }],
  ["//ping", { kind: "message", text: "/ping" }],
  ["///", { kind: "message", text: "//" }],
  ["/ping", { kind: "ping", payload: bytes("") }],
  ["/ping a b", { kind: "ping", payload: bytes("a b") }],
  ["/ping  a", { kind: "ping", payload: bytes(" a") }],
  ["/pong é", { kind: "pong", payload: bytes("é") }],
  [`/ping ${"x".repeat(125)}`, { kind: "ping", payload: bytes("x".repeat(125)) }],
  [`/ping ${"é".repeat(63)}`, { kind: "wrong", problem: "/ping takes 125 bytes, not 126" }],
  ["/close", { kind: "close", code: 1000, reason: "" }],
  ["/close ", { kind: "close", code: 1000, reason: "" }],
  ["/close 4001", { kind: "close", code: 4001, reason: "" }],
  ["/close 1001 going  away", { kind: "close", code: 1001, reason: "going  away" }],
  [`/close 1000 ${"x".repeat(123)}`, { kind: "close", code: 1000, reason: "x".repeat(123) }],
  [`/close 1000 ${"x".repeat(124)}`, {
    kind: "wrong",
    problem: "/close takes a reason of 123 bytes",
  }],
  ...["1005", "1006", "1015", "999", "5000", "bye", "1e3", "-1"].map((code): [string, Typed] => [
    `/close ${code}`,
    {
      kind: "wrong",
      problem: `/close: ${code} can't be sent; 1000-1003, 1007-1014 and 3000-4999 can`,
    },
  ]),
  [
    "/pign x",
    {
      kind: "wrong",
      problem: "/pign is not known; /ping, /pong and /close are, //pign sends it as text",
    },
  ],
  ["/", {
    kind: "wrong",
    problem: "/ is not known; /ping, /pong and /close are, // sends it as text",
  }],
  ["/Ping", {
    kind: "wrong",
    problem: "/Ping is not known; /ping, /pong and /close are, //Ping sends it as text",
  }],
];

Deno.test("connect --slash: what a line says", () => {
  for (const [line, want] of CASES) assert.deepEqual(parseTyped(line), want, line);
});
