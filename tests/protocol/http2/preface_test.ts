// RFC 9113 §3.4: how a connection begins, and where it may end. The numbers of h2spec's cases
// stand where one is met.
import { Tester } from "./conversation.ts";
import {
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  FrameType,
  GET,
  headers,
  hex,
  PADDED,
  ping,
  POST,
  PREFACE,
  settings,
  SETTINGS_ACK,
} from "./support.ts";
import assert from "node:assert/strict";

const WHOLE = END_HEADERS | END_STREAM;
const PROTOCOL_ERROR = ["GOAWAY 0 PROTOCOL_ERROR"];

/** Before anything was said. */
const first: [name: string, send: Uint8Array[], sent: string[]][] = [
  ["the preface and SETTINGS [http2/3.5/1]", [PREFACE, settings()], ["SETTINGS ACK"]],
  [
    "an invalid preface is PROTOCOL_ERROR [http2/3.5/2]",
    [hex("494e56414c494420434f4e4e454354494f4e20505245464143450d0a0d0a")],
    PROTOCOL_ERROR,
  ],
  ["a request of HTTP/1.1 is PROTOCOL_ERROR", [hex("474554202f")], PROTOCOL_ERROR],
  ["the first byte tells", [hex("16")], PROTOCOL_ERROR],
  ["SETTINGS MUST be first: HEADERS", [PREFACE, headers(1, GET, WHOLE)], PROTOCOL_ERROR],
  ["SETTINGS MUST be first: PING", [PREFACE, ping("--pong--")], PROTOCOL_ERROR],
  ["SETTINGS MUST be first: unknown", [PREFACE, frame([0x16], 0)], PROTOCOL_ERROR],
  ["SETTINGS MUST be first: not their ACK", [PREFACE, SETTINGS_ACK], PROTOCOL_ERROR],
];

for (const [name, send, sent] of first) {
  Deno.test(`preface: RFC 9113 §3.4: ${name}`, () => {
    for (const isBytewise of [false, true]) {
      const tester = new Tester({ role: "server" });
      const [own, ...rest] = tester.sent();
      assert.match(
        own,
        /^SETTINGS .*ENABLE_CONNECT_PROTOCOL=1$/,
        "SETTINGS MUST be the first frame",
      );
      assert.deepEqual(rest, ["WINDOW_UPDATE 0 983041"]);
      const chunks = isBytewise
        ? send.flatMap((part) => [...part].map((b) => hex(toByte(b))))
        : send;
      tester.receive(...chunks);
      assert.deepEqual(tester.sent(), sent);
    }
  });
}

function toByte(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

const cut: [name: string, bytes: Uint8Array | null][] = [
  ["in the preface", null],
  ["in a frame header", ping("--pong--").subarray(0, 8)],
  ["in a payload that is needed whole", ping("--pong--").subarray(0, 12)],
  ["in DATA", data(1, "test").subarray(0, 11)],
  ["in padding", data(1, hex("02 61 0000"), PADDED).subarray(0, 12)],
  ["before all of DATA", data(1, "test").subarray(0, 9)],
  ["in what is skipped", frame([0x16], 0, new Uint8Array(9)).subarray(0, 12)],
  ["in a field block", headers(1, "82", END_STREAM)],
];

for (const [name, bytes] of cut) {
  Deno.test(`preface: a connection that ends ${name} was cut`, () => {
    const tester = bytes === null
      ? new Tester({ role: "server" })
      : Tester.ready({ role: "server" });
    if (bytes === null) tester.connection.output();
    if (bytes?.[3] === FrameType.DATA) tester.receive(headers(1, POST));
    tester.receive(bytes ?? PREFACE.subarray(0, 5));
    assert.throws(() => tester.connection.end(), { name: "H2Error", code: 1 });
    assert.match(tester.sent().at(-1) ?? "", /^GOAWAY . PROTOCOL_ERROR$/);
  });
}

Deno.test("preface: a connection may end between two frames, or before its first byte", () => {
  new Tester({ role: "server" }).connection.end();
  const tester = Tester.ready({ role: "server" });
  tester.receive(headers(1, POST), data(1, "test"));
  tester.connection.end();
});
