// RFC 9113 §5: what streams go through. The numbers of h2spec's cases stand where one is met.
import assert from "node:assert/strict";
import { H2Code } from "../../../src/protocol/http2/codes.ts";
import { answering, type Conversation, type Setup, silent, test, Tester } from "./conversation.ts";
import {
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  GET,
  headers,
  literal,
  ping,
  POST,
  PRIORITY,
  priority,
  rstStream,
  SettingId,
  settings,
  windowUpdate,
} from "./support.ts";

const setup: Setup = { options: { role: "server" }, owner: answering };
const quiet: Setup = { options: { role: "server" }, owner: silent };
const WHOLE = END_HEADERS | END_STREAM;
const HELLO = ["HEADERS 1 :status=200", "DATA 1 hello END"];
const PONG = "PING ACK --pong--";
const TRAILERS = headers(1, literal("x", "1"), WHOLE);

test("streams: RFC 9113 §5.1: idle: any frame but HEADERS and PRIORITY is PROTOCOL_ERROR", setup, [
  ...([
    ["DATA [http2/5.1/1]", data(1, "test", END_STREAM)],
    ["empty DATA", data(1, "")],
    ["RST_STREAM [http2/5.1/2, 6.4/2]", rstStream(1, H2Code.CANCEL)],
    ["WINDOW_UPDATE [http2/5.1/3]", windowUpdate(1, 100)],
    ["WINDOW_UPDATE of 0", windowUpdate(1, 0)],
    ["DATA on a stream of the server's", data(2, "test")],
  ] as [string, Uint8Array][]).map(([name, bytes]): Conversation => ({
    name,
    send: [bytes],
    sent: ["GOAWAY 0 PROTOCOL_ERROR"],
    events: ["! PROTOCOL_ERROR"],
  })),
]);

test("streams: RFC 9113 §5.1: half-closed (remote)", quiet, [
  {
    name: "DATA is a stream error STREAM_CLOSED [http2/5.1/5, 6.1/2]",
    send: [headers(1, GET, WHOLE), data(1, "test", END_STREAM), ping("--pong--")],
    sent: ["RST_STREAM 1 STREAM_CLOSED", PONG],
    events: ["request 1 GET / END", "streamError 1 STREAM_CLOSED"],
  },
  {
    name: "DATA behind DATA with END_STREAM is a stream error STREAM_CLOSED",
    send: [headers(1, POST), data(1, "a", END_STREAM), data(1, "b")],
    sent: ["RST_STREAM 1 STREAM_CLOSED"],
  },
  {
    name: "HEADERS is a stream error STREAM_CLOSED [http2/5.1/6]",
    send: [headers(1, GET, WHOLE), headers(1, GET, WHOLE)],
    sent: ["RST_STREAM 1 STREAM_CLOSED"],
    events: ["request 1 GET / END", "streamError 1 STREAM_CLOSED"],
  },
  {
    name: "WINDOW_UPDATE, PRIORITY and RST_STREAM are not [generic/2/2, 2/4]",
    send: [headers(1, GET, WHOLE), windowUpdate(1, 1), priority(1, 3), rstStream(1, H2Code.CANCEL)],
    sent: [],
    events: ["request 1 GET / END", "reset 1 CANCEL"],
  },
]);

test("streams: RFC 9113 §5.1: closed by the peer's RST_STREAM", quiet, [
  {
    name: "DATA is STREAM_CLOSED [http2/5.1/8]",
    send: [headers(1, POST), rstStream(1, H2Code.CANCEL), data(1, "test", END_STREAM)],
    sent: ["GOAWAY 1 STREAM_CLOSED"],
    events: ["request 1 POST /", "reset 1 CANCEL", "! STREAM_CLOSED"],
  },
  {
    name: "HEADERS is STREAM_CLOSED [http2/5.1/9]",
    send: [headers(1, POST), rstStream(1, H2Code.CANCEL), headers(1, GET, WHOLE)],
    sent: ["GOAWAY 1 STREAM_CLOSED"],
  },
  {
    name: "CONTINUATION is PROTOCOL_ERROR [http2/5.1/10]",
    send: [headers(1, POST), rstStream(1, H2Code.CANCEL), continuation(1, "82", END_HEADERS)],
    sent: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "WINDOW_UPDATE, RST_STREAM and PRIORITY are ignored",
    send: [
      headers(1, POST),
      rstStream(1, H2Code.CANCEL),
      rstStream(1, H2Code.CANCEL),
      windowUpdate(1, 0),
      priority(1, 0),
      ping("--pong--"),
    ],
    sent: [PONG],
    events: ["request 1 POST /", "reset 1 CANCEL"],
  },
]);

test("streams: RFC 9113 §5.1: closed by END_STREAM of both", setup, [
  {
    name: "DATA is STREAM_CLOSED [http2/5.1/11]",
    send: [headers(1, GET, WHOLE), data(1, "test", END_STREAM)],
    sent: [...HELLO, "GOAWAY 1 STREAM_CLOSED"],
  },
  {
    name: "HEADERS is a connection error STREAM_CLOSED [http2/5.1/12]",
    send: [headers(1, GET, WHOLE), headers(1, GET, WHOLE)],
    sent: [...HELLO, "GOAWAY 1 STREAM_CLOSED"],
  },
  {
    name: "CONTINUATION is PROTOCOL_ERROR [http2/5.1/13]",
    send: [headers(1, GET, WHOLE), continuation(1, "82", END_HEADERS)],
    sent: [...HELLO, "GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "WINDOW_UPDATE, RST_STREAM and PRIORITY are ignored",
    send: [
      headers(1, GET, WHOLE),
      windowUpdate(1, 5),
      rstStream(1, H2Code.NO_ERROR),
      priority(1, 0),
      ping("--pong--"),
    ],
    sent: [...HELLO, PONG],
    events: ["request 1 GET / END"],
  },
]);

test("streams: RFC 9113 §5.1: reset by us: what the peer sent before it knew is discarded", quiet, [
  {
    name: "DATA, trailers, WINDOW_UPDATE and RST_STREAM",
    send: [
      headers(1, POST),
      windowUpdate(1, 0),
      data(1, "test"),
      TRAILERS,
      windowUpdate(1, 0),
      rstStream(1, H2Code.CANCEL),
      ping("--pong--"),
    ],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR", PONG],
    events: ["request 1 POST /", "streamError 1 PROTOCOL_ERROR"],
  },
  {
    name: "a field block of it is decoded, so that the next ones can be",
    send: [
      headers(1, POST),
      windowUpdate(1, 0),
      headers(1, "40 01 78 01 31", WHOLE),
      headers(3, `${GET} be`, WHOLE),
    ],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
    events: ["request 1 POST /", "streamError 1 PROTOCOL_ERROR", "request 3 GET / END"],
  },
]);

test("streams: RFC 9113 §5.1.1: stream identifiers", quiet, [
  {
    name: "those of a client MUST be odd [http2/5.1.1/1]",
    send: [headers(2, GET, WHOLE)],
    sent: ["GOAWAY 0 PROTOCOL_ERROR"],
  },
  {
    name: "a new one MUST be greater than all before [http2/5.1.1/2]",
    send: [headers(5, GET, WHOLE), headers(3, GET, WHOLE)],
    sent: ["GOAWAY 5 PROTOCOL_ERROR"],
    events: ["request 5 GET / END", "! PROTOCOL_ERROR"],
  },
  {
    name: "those that are skipped are closed: DATA is a stream error STREAM_CLOSED",
    send: [headers(5, GET, WHOLE), data(3, "test"), windowUpdate(3, 1), rstStream(3, 8)],
    sent: ["RST_STREAM 3 STREAM_CLOSED"],
    events: ["request 5 GET / END", "streamError 3 STREAM_CLOSED"],
  },
  {
    name: "the largest there is",
    send: [headers(0x7fffffff, GET, WHOLE), ping("--pong--")],
    sent: [PONG],
    events: ["request 2147483647 GET / END"],
  },
]);

const two: Setup = { options: { role: "server", settings: { maxConcurrentStreams: 2 } } };

test("streams: RFC 9113 §5.1.2: SETTINGS_MAX_CONCURRENT_STREAMS", two, [
  {
    name: "a stream above it is REFUSED_STREAM [http2/5.1.2/1]",
    send: [headers(1, POST), headers(3, GET, WHOLE), headers(5, GET, WHOLE)],
    sent: ["RST_STREAM 5 REFUSED_STREAM"],
    events: ["request 1 POST /", "request 3 GET / END", "streamError 5 REFUSED_STREAM"],
  },
  {
    name: "the field block of what is refused is decoded",
    send: [
      headers(1, POST),
      headers(3, POST),
      headers(5, `${GET} 40 01 78 01 31`, WHOLE),
      rstStream(1, H2Code.CANCEL),
      headers(7, `${GET} be`, WHOLE),
    ],
    sent: ["RST_STREAM 5 REFUSED_STREAM"],
  },
  {
    name: "what a refused stream sends is discarded",
    send: [headers(1, POST), headers(3, POST), headers(5, POST), data(5, "test", END_STREAM)],
    sent: ["RST_STREAM 5 REFUSED_STREAM"],
  },
  {
    name: "streams that are reset count no more",
    send: [
      headers(1, POST),
      headers(3, POST),
      rstStream(1, 8),
      headers(5, POST),
      windowUpdate(5, 0),
      headers(7, POST),
    ],
    sent: ["RST_STREAM 5 PROTOCOL_ERROR"],
  },
]);

Deno.test("streams: RFC 9113 §5.1.2: streams that ended on both sides count no more", () => {
  const tester = Tester.ready({ ...two.options }, answering);
  for (let id = 1; id < 4000; id += 2) assert.ok(tester.receive(headers(id, GET, WHOLE)));
  assert.equal(tester.events().filter((line) => line.startsWith("request")).length, 2000);
  assert.equal(tester.connection.streams, 0);
  tester.connection.output();
});

test("streams: RFC 7540 §5.3.1: a stream that depends on itself", quiet, [
  {
    name: "HEADERS is a stream error PROTOCOL_ERROR [http2/5.3.1/1]",
    send: [headers(1, `00000001 ff ${GET}`, WHOLE | PRIORITY)],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR"],
  },
  {
    name: "PRIORITY on an idle stream is PROTOCOL_ERROR [http2/5.3.1/2]",
    send: [priority(1, 1)],
    sent: ["GOAWAY 0 PROTOCOL_ERROR"],
  },
  {
    name: "PRIORITY on an open stream is a stream error PROTOCOL_ERROR",
    send: [headers(1, POST), priority(1, 1), ping("--pong--")],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR", PONG],
  },
  {
    name: "PRIORITY on a closed stream is ignored",
    send: [headers(1, POST), rstStream(1, 8), priority(1, 1), ping("--pong--")],
    sent: [PONG],
  },
]);

Deno.test("streams: h2spec http2/5.1.2/1: with windows of 0, so that no stream comes to its end", () => {
  const options = { role: "server", settings: { maxConcurrentStreams: 100 } } as const;
  const tester = Tester.ready(options, answering);
  tester.receive(settings([SettingId.INITIAL_WINDOW_SIZE, 0]));
  for (let i = 0; i <= 100; i++) tester.receive(headers(2 * i + 1, GET, WHOLE));
  assert.equal(tester.sent().at(-1), "RST_STREAM 201 REFUSED_STREAM");
});
