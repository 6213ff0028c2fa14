import assert from "node:assert/strict";
import { expectsContinue } from "../../../src/protocol/http1/expect.ts";
import type { RequestHead, ResponseHead } from "../../../src/protocol/http1/head.ts";
import { offersH2c, switchedTo, upgradeOf } from "../../../src/protocol/http1/upgrade.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";

function request(fields: Field[], init: Partial<RequestHead> = {}): RequestHead {
  return { method: "GET", target: "/", version: "1.1", fields, ...init };
}

const CONNECTION: Field = ["connection", "Upgrade"];
const WEBSOCKET: Field = ["upgrade", "websocket"];
const CHUNKED: Field = ["transfer-encoding", "chunked"];

const OFFERS: [name: string, head: RequestHead, want: string[] | null][] = [
  ["websocket", request([CONNECTION, WEBSOCKET]), ["websocket"]],
  ["any case", request([["connection", "UPGRADE"], ["upgrade", "WebSocket"]]), ["WebSocket"]],
  ["among other options", request([["connection", "keep-alive, upgrade"], WEBSOCKET]), [
    "websocket",
  ]],
  ["in the second Connection", request([["connection", "a"], CONNECTION, WEBSOCKET]), [
    "websocket",
  ]],
  ["several protocols", request([CONNECTION, ["upgrade", "TLS/1.0, tcp"], WEBSOCKET]), [
    ...["TLS/1.0", "tcp", "websocket"],
  ]],
  ["none", request([]), null],
  ["Connection without Upgrade", request([CONNECTION]), null],
  ["RFC 9110 §7.8: Upgrade without the option", request([WEBSOCKET]), null],
  ["an option that only looks like it", request([["connection", "upgraded"], WEBSOCKET]), null],
  ["an empty list", request([CONNECTION, ["upgrade", " , "]]), null],
  [
    "RFC 9110 §7.8: Upgrade MUST be ignored in HTTP/1.0",
    request([CONNECTION, WEBSOCKET], { version: "1.0" }),
    null,
  ],
  ["CONNECT", request([CONNECTION, WEBSOCKET], { method: "CONNECT", target: "a:1" }), null],
  ["h2c alone", request([CONNECTION, ["upgrade", "h2c"]]), null],
  ["h2c among others", request([CONNECTION, ["upgrade", "H2C, websocket"]]), ["websocket"]],
  ["a POST with a body, to tcp", request([CONNECTION, ["upgrade", "tcp"], CHUNKED]), ["tcp"]],
  [
    "a WebSocket with a Content-Length of 0",
    request([CONNECTION, WEBSOCKET, ["content-length", "0"]]),
    [
      "websocket",
    ],
  ],
];

for (const [name, head, want] of OFFERS) {
  Deno.test(`RFC 9110 §7.8: what a request offers: ${name}`, () => {
    assert.deepEqual(upgradeOf(head), want);
    assert.equal(offersH2c(head), name.startsWith("h2c"));
  });
}

const MALFORMED: [name: string, fields: Field[]][] = [
  ["no token", [["upgrade", "web socket"]]],
  ["a parameter", [["upgrade", "websocket;v=13"]]],
  ["quotes", [["upgrade", '"websocket"']]],
  ["two versions", [["upgrade", "a/1/2"]]],
  ["an empty version", [["upgrade", "websocket/"]]],
  ["an empty name", [["upgrade", "/13"]]],
  ["WebSocket with Content-Length", [WEBSOCKET, ["content-length", "5"]]],
  ["WebSocket with Transfer-Encoding", [WEBSOCKET, CHUNKED]],
  ["WebSocket with a body among others", [["upgrade", "tcp, WEBSOCKET"], CHUNKED]],
];

for (const [name, fields] of MALFORMED) {
  Deno.test(`an offer that is 400: ${name}`, () => {
    const head = request([CONNECTION, ...fields]);
    assert.throws(() => upgradeOf(head), { name: "HttpError", code: 400 });
  });
}

function answer(fields: Field[], init: Partial<ResponseHead> = {}): ResponseHead {
  return { status: 101, reason: "", version: "1.1", fields, ...init };
}

Deno.test("RFC 9110 §7.8: a 101 switches to a protocol that was offered", () => {
  const head = answer([CONNECTION, ["upgrade", "WebSocket"]]);
  assert.equal(switchedTo(head, ["tcp", "websocket"]), "WebSocket");
});

const REFUSED: [name: string, head: ResponseHead, offered?: string[]][] = [
  ["nobody asked for it", answer([CONNECTION, WEBSOCKET]), []],
  ["another protocol", answer([CONNECTION, ["upgrade", "tcp"]])],
  ["no Upgrade", answer([CONNECTION])],
  ["an empty Upgrade", answer([CONNECTION, ["upgrade", ""]]), ["websocket", ""]],
  ["two protocols", answer([CONNECTION, WEBSOCKET, ["upgrade", "websocket"]])],
  ["no Connection", answer([WEBSOCKET])],
  ["Connection without the option", answer([["connection", "keep-alive"], WEBSOCKET])],
  ["HTTP/1.0", answer([CONNECTION, WEBSOCKET], { version: "1.0" })],
  ["another status", answer([CONNECTION, WEBSOCKET], { status: 200 })],
];

for (const [name, head, offered = ["websocket"]] of REFUSED) {
  Deno.test(`RFC 9110 §15.2.2: a 101 that is 502: ${name}`, () => {
    assert.throws(() => switchedTo(head, offered), { name: "HttpError", code: 502 });
  });
}

const EXPECT: [name: string, values: string[], want: boolean | 417, version?: "1.0"][] = [
  ["none", [], false],
  ["100-continue", ["100-continue"], true],
  ["any case", ["100-Continue"], true],
  ["twice", ["100-continue", "100-continue"], true],
  ["empty", [""], false],
  ["an HTTP/1.0 request, where it MUST be ignored", ["100-continue"], false, "1.0"],
  ["another", ["200-ok"], 417],
  ["another beside it", ["100-continue, x"], 417],
  ["a prefix", ["100"], 417],
  ["something before it", ["y 100-continue"], 417],
  ["a parameter", ["100-continue;a=b"], 417],
  ["quotes", ['"100-continue"'], 417],
  ["8-bit white space", ["100-continue\xa0"], 417],
];

for (const [name, values, want, version = "1.1"] of EXPECT) {
  Deno.test(`RFC 9110 §10.1.1: Expect: ${name}`, () => {
    const head = { version, fields: values.map((value): Field => ["expect", value]) } as const;
    if (want === 417) assert.throws(() => expectsContinue(head), { name: "HttpError", code: 417 });
    else assert.equal(expectsContinue(head), want);
  });
}
