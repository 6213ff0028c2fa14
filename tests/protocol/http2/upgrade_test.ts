// RFC 7540 §3.2: a connection that began as HTTP/1.1.
import assert from "node:assert/strict";
import type { RequestHead } from "../../../src/protocol/http2/fields.ts";
import { readHttp2Settings } from "../../../src/protocol/http2/upgrade.ts";
import { answering, type Owner, silent, Tester } from "./conversation.ts";
import {
  data,
  END_HEADERS,
  END_STREAM,
  GET,
  headers,
  PREFACE,
  rstStream,
  SettingId,
  settings,
  SETTINGS_ACK,
  toHex,
  windowUpdate,
} from "./support.ts";

const ONE = "AAMAAABk";
const ONE_HEX = "000300000064";

const VALUES: [name: string, value: string, want: string | null][] = [
  ["one setting", ONE, ONE_HEX],
  ["what curl says", "AAMAAABkAAQCAAAAAAIAAAAA", "000300000064000402000000000200000000"],
  ["the digits of base64url alone", "-_-_____", "fbffbfffffff"],
  ["an unknown setting", "Dw8AAAAA", "0f0f00000000"],
  ["64 settings", ONE.repeat(64), ONE_HEX.repeat(64)],
  ["65 settings", ONE.repeat(65), null],
  ["nothing (RFC 9110 §11.2: a token68 is not empty)", "", null],
  ["part of a setting", "AAMAAAA", null],
  ["a setting and a digit", `${ONE}A`, null],
  ["a setting and four digits", `${ONE}AAAA`, null],
  ['"=" at its end', `${ONE}AAMAAAA=`, null],
  ["digits of base64", "+/+/+/+/", null],
  ["white space in it", "AAMA ABk", null],
  ["two values in a list", "AAMA,ABk", null],
  ["a letter that is none", "AAMAAAB\u00e9", null],
  ["ENABLE_PUSH of 2", "AAIAAAAC", null],
  ["INITIAL_WINDOW_SIZE of 2^31", "AASAAAAA", null],
  ["MAX_FRAME_SIZE of 16383", "AAUAAD__", null],
];

for (const [name, value, want] of VALUES) {
  Deno.test(`upgrade: RFC 7540 §3.2.1: HTTP2-Settings is the payload of SETTINGS in base64url: ${name}`, () => {
    const payload = readHttp2Settings(value);
    assert.equal(payload && toHex(payload), want);
  });
}

function request(method = "GET"): RequestHead {
  const fields: RequestHead["fields"] = [["x", "y"]];
  return { method, scheme: "http", authority: "a", path: "/", protocol: null, fields };
}

/** A server behind its 101, whose client said these settings. */
function upgraded(said: Uint8Array = settings(), owner: Owner = answering, method = "GET") {
  const upgrade = { settings: said.subarray(9), request: request(method) };
  const tester = new Tester({ role: "server", upgrade }, owner);
  // Nothing has come yet.
  tester.receive(new Uint8Array(0));
  return tester;
}

Deno.test("upgrade: RFC 7540 §3.2: SETTINGS come first, and the answer on stream 1 before any word of the client's", () => {
  const tester = upgraded();
  const [first, window, ...answer] = tester.sent();
  assert.ok(first.startsWith("SETTINGS ") && !first.includes("ACK"), first);
  assert.ok(window.startsWith("WINDOW_UPDATE 0 "), window);
  assert.deepEqual(answer, ["HEADERS 1 :status=200", "DATA 1 hello END"]);
  assert.deepEqual(tester.events().length, 1);
  assert.equal(tester.connection.settingsReceived, false);
  assert.ok(tester.receive(PREFACE, settings(), SETTINGS_ACK));
  assert.equal(tester.connection.settingsReceived, true);
  assert.deepEqual(tester.sent(), ["SETTINGS ACK"]);
  assert.ok(tester.receive(headers(3, GET, END_HEADERS | END_STREAM)));
  assert.deepEqual(tester.sent(), ["HEADERS 3 :status=200", "DATA 3 hello END"]);
  assert.equal(tester.connection.streams, 0);
});

Deno.test("upgrade: RFC 7540 §3.2: stream 1 is half-closed (remote)", () => {
  const tester = upgraded(settings(), silent);
  assert.equal(tester.connection.stateOf(1), "half-closed (remote)");
  assert.equal(tester.connection.streams, 1);
  tester.receive(PREFACE, settings());
  tester.sent();
  // RFC 9113 §5.1: DATA and HEADERS behind END_STREAM are stream errors STREAM_CLOSED.
  tester.receive(data(1, "more"));
  assert.deepEqual(tester.sent().filter((line) => line.startsWith("RST")), [
    "RST_STREAM 1 STREAM_CLOSED",
  ]);
});

Deno.test("upgrade: RFC 7540 §3.2: stream 1 can be reset, and is not opened again", () => {
  const tester = upgraded(settings(), silent);
  tester.receive(PREFACE, settings(), rstStream(1, 8));
  assert.equal(tester.connection.streams, 0);
  tester.sent();
  assert.equal(tester.receive(headers(1, GET, END_HEADERS | END_STREAM)), false);
  assert.deepEqual(tester.sent(), ["GOAWAY 1 STREAM_CLOSED"]);
});

Deno.test("upgrade: RFC 7540 §3.2.1: what HTTP2-Settings says holds from the first frame on", () => {
  const tester = upgraded(settings([SettingId.INITIAL_WINDOW_SIZE, 2]));
  assert.equal(tester.connection.peerSettings.initialWindowSize, 2);
  assert.deepEqual(tester.sent().slice(2), ["HEADERS 1 :status=200", "DATA 1 he"]);
  tester.receive(PREFACE, settings([SettingId.INITIAL_WINDOW_SIZE, 2]), windowUpdate(1, 10));
  assert.equal(tester.connection.sendable(1), 10);
});

Deno.test("upgrade: RFC 9113 §3.4: what is no preface behind the 101 is PROTOCOL_ERROR, and so is one without SETTINGS", () => {
  for (const bytes of [new TextEncoder().encode("GET /"), [...PREFACE, ...windowUpdate(0, 1)]]) {
    const tester = upgraded(settings(), silent);
    tester.sent();
    assert.equal(tester.receive(Uint8Array.from(bytes)), false);
    assert.deepEqual(tester.sent(), ["GOAWAY 1 PROTOCOL_ERROR"]);
  }
});

Deno.test("upgrade: the request counts as a stream, and is the last that GOAWAY names", () => {
  const tester = upgraded(settings(), silent, "HEAD");
  tester.sent();
  tester.connection.drain();
  tester.connection.goaway();
  assert.deepEqual(tester.sent().map((line) => line.split(" ").slice(0, 2).join(" ")), [
    "GOAWAY 2147483647",
    "GOAWAY 1",
  ]);
  assert.equal(tester.connection.isDone, false);
});
