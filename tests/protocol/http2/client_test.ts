// RFC 9113, RFC 8441: the client's end.
import assert from "node:assert/strict";
import { H2Code } from "../../../src/protocol/http2/codes.ts";
import { encodeRequest, type RequestHead } from "../../../src/protocol/http2/fields.ts";
import { silent, Tester } from "./conversation.ts";
import {
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  FrameType,
  headers,
  hex,
  literal,
  ping,
  rstStream,
  SettingId,
  settings,
  SETTINGS_ACK,
} from "./support.ts";

const WHOLE = END_HEADERS | END_STREAM;
const OK = "88";
const PONG = "PING ACK --pong--";
const PROTOCOL_ERROR = ["GOAWAY 0 PROTOCOL_ERROR"];

const get: RequestHead = {
  method: "GET",
  scheme: "https",
  authority: "a.example",
  path: "/",
  protocol: null,
  fields: [],
};
const GET = encodeRequest(get);
const HEAD = encodeRequest({ ...get, method: "HEAD" });
const CONNECT = encodeRequest({ ...get, method: "CONNECT", protocol: "websocket" });

/** A client with requests on streams 1, 3, and so on. */
function client(...sections: (typeof GET)[]): Tester {
  const tester = Tester.ready({ role: "client" }, silent);
  for (const section of sections) tester.connection.openStream(section, section !== CONNECT);
  tester.sent();
  return tester;
}

Deno.test("client: RFC 9113 §3.4: the preface comes first, and SETTINGS behind it", () => {
  const tester = new Tester({ role: "client" });
  const bytes = tester.connection.output();
  const preface = "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a";
  assert.deepEqual(bytes.slice(0, 24), hex(preface));
  assert.deepEqual(bytes.slice(24, 33), hex("00000c 04 00 00000000"));
  // RFC 9113 §6.5.2: ENABLE_PUSH of 0, and the largest header list.
  assert.deepEqual(bytes.slice(33, 45), hex("0002 00000000 0006 00010000"));
});

/** HEADERS and CONTINUATION frames of 16384 bytes. */
function inFrames(streamId: number, block: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < block.length; at += 16384) {
    const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    const flags = at + 16384 < block.length ? 0 : END_HEADERS;
    frames.push(frame([type, flags], streamId, block.subarray(at, at + 16384)));
  }
  return frames;
}

interface Row {
  name: string;
  requests?: (typeof GET)[];
  send: Uint8Array[];
  sent?: string[];
  events?: string[];
}

const rows: Row[] = [
  {
    name: "RFC 9113 §8.1: interim responses, the final one, content and trailers",
    send: [
      headers(1, literal(":status", "103")),
      headers(1, literal(":status", "100")),
      headers(1, OK),
      data(1, "hello"),
      headers(1, literal("x", "1"), WHOLE),
    ],
    events: [
      "informational 1 103",
      "informational 1 100",
      "response 1 200",
      "data 1 hello",
      "trailers 1 x=1",
    ],
  },
  {
    name: "RFC 9113 §8.1: a response without content",
    send: [headers(1, "89", WHOLE)],
    events: ["response 1 204 END"],
  },
  {
    name: "RFC 9113 §8.1: an interim response with END_STREAM is malformed",
    send: [headers(1, literal(":status", "103"), WHOLE)],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
    events: ["streamError 1 PROTOCOL_ERROR"],
  },
  {
    name: "RFC 9113 §8.1: DATA before a head is malformed",
    send: [headers(1, literal(":status", "103")), data(1, "hello")],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "RFC 9113 §8.3.2: a response without :status is malformed",
    send: [headers(1, literal("x", "1")), ping("--pong--")],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR", PONG],
  },
  {
    name: "RFC 9113 §8.6: 101 is malformed",
    send: [headers(1, literal(":status", "101"))],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "RFC 9113 §8.1: a second final response is malformed",
    send: [headers(1, OK), headers(1, OK)],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "RFC 9113 §8.1.1: Content-Length that is not the sum of all DATA is malformed",
    requests: [GET, GET, GET],
    send: [
      headers(1, OK + literal("content-length", "5")),
      data(1, "hello", END_STREAM),
      headers(3, OK + literal("content-length", "4")),
      data(3, "hello", END_STREAM),
      headers(5, OK + literal("content-length", "5"), WHOLE),
    ],
    sent: ["RST_STREAM 3 PROTOCOL_ERROR", "RST_STREAM 5 PROTOCOL_ERROR"],
  },
  {
    name: "RFC 9113 §8.1.1: a response without content may say a Content-Length",
    requests: [HEAD, GET, GET],
    send: [
      headers(1, OK + literal("content-length", "5"), WHOLE),
      headers(3, "8b" + literal("content-length", "5"), WHOLE),
      headers(5, "8b" + literal("content-length", "5")),
      data(5, "", END_STREAM),
    ],
    events: ["response 1 200 END", "response 3 304 END", "response 5 304", "data 5  END"],
  },
  {
    name: "RFC 9113 §8.1.1: but no content",
    requests: [HEAD, GET],
    send: [headers(1, OK), data(1, "h"), headers(3, "89"), data(3, "h")],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR", "RST_STREAM 3 PROTOCOL_ERROR"],
  },
  {
    name: "RFC 9113 §8.5: 2xx to CONNECT makes a tunnel, whatever its Content-Length says",
    requests: [CONNECT],
    send: [
      headers(1, OK + literal("content-length", "1")),
      data(1, "hello"),
      headers(1, literal("x", "1"), WHOLE),
    ],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
    events: ["response 1 200", "data 1 hello", "streamError 1 PROTOCOL_ERROR"],
  },
  {
    name: "RFC 9113 §8.5: another status to CONNECT does not",
    requests: [CONNECT],
    send: [headers(1, "8d"), data(1, "hello"), headers(1, literal("x", "1"), WHOLE)],
    events: ["response 1 404", "data 1 hello", "trailers 1 x=1"],
  },
  {
    name: "RFC 9113 §5.1.1: a stream of the server's is PROTOCOL_ERROR",
    send: [headers(2, OK)],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "RFC 9113 §5.1: HEADERS on a stream that we did not open is PROTOCOL_ERROR",
    send: [headers(3, OK)],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "RFC 9113 §5.1: DATA on a stream that we did not open is PROTOCOL_ERROR",
    send: [data(3, "hello")],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "RFC 9113 §6.6: PUSH_PROMISE is PROTOCOL_ERROR",
    send: [frame([FrameType.PUSH_PROMISE, END_HEADERS], 1, hex("00000002 82868401 0161"))],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "RFC 9113 §6.5.2: ENABLE_PUSH of 1 is PROTOCOL_ERROR",
    send: [settings([SettingId.ENABLE_PUSH, 1])],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "RFC 9113 §8.1: RST_STREAM of NO_ERROR behind a whole response takes nothing of it",
    requests: [CONNECT],
    send: [headers(1, "8d"), data(1, "hello", END_STREAM), rstStream(1, H2Code.NO_ERROR)],
    events: ["response 1 404", "data 1 hello END", "reset 1 NO_ERROR"],
  },
  {
    name: "too many interim responses are a stream error ENHANCE_YOUR_CALM",
    send: [...Array(33).fill(headers(1, literal(":status", "103"))), ping("--pong--")],
    sent: ["RST_STREAM 1 ENHANCE_YOUR_CALM", PONG],
  },
  {
    name: "RFC 9113 §10.5.1: a head that is too large is told of as such",
    send: inFrames(1, hex(OK + `00 01 78 7f 81 1f ${"61".repeat(4096)}`.repeat(17))),
    events: ["oversize 1"],
  },
];

for (const { name, requests = [GET], send, sent = [], events } of rows) {
  Deno.test(`client: ${name}`, () => {
    for (const isBytewise of [false, true]) {
      const tester = client(...requests);
      const bytes = Uint8Array.from(send.flatMap((part) => [...part]));
      if (isBytewise) tester.receive(...Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)));
      else tester.receive(bytes);
      assert.deepEqual(tester.sent(), sent);
      if (events !== undefined) assert.deepEqual(tester.events(), events);
    }
  });
}

Deno.test("client: RFC 9113 §3.4: SETTINGS MUST be the first frame of a server", () => {
  const tester = new Tester({ role: "client" });
  tester.connection.output();
  assert.equal(tester.receive(SETTINGS_ACK), false);
  assert.deepEqual(tester.sent(), PROTOCOL_ERROR);
});
