// RFC 9113 §4.3, §6.10: field blocks. The numbers of h2spec's cases stand where one is met.
import assert from "node:assert/strict";
import { answering, type Conversation, type Setup, silent, test, Tester } from "./conversation.ts";
import {
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  headers,
  ping,
  POST,
  priority,
  rstStream,
  SETTINGS_ACK,
  windowUpdate,
} from "./support.ts";

const setup: Setup = { options: { role: "server" }, owner: answering };
const WHOLE = END_HEADERS | END_STREAM;
const HELLO = ["HEADERS 1 :status=200", "DATA 1 hello END"];
const PROTOCOL_ERROR = ["GOAWAY 0 PROTOCOL_ERROR"];

const OPEN = headers(1, "82", END_STREAM);

test("field block: RFC 9113 §4.3, §6.10: a field block is one sequence of frames", setup, [
  {
    name: "CONTINUATION frames are parts of it [http2/6.10/1]",
    send: [OPEN, continuation(1, "86 84"), continuation(1, ""), continuation(1, "010161", 4)],
    sent: HELLO,
  },
  {
    name: "it may be cut inside a field",
    send: [headers(1, "82 86 84 01", END_STREAM), continuation(1, "01 61", END_HEADERS)],
    sent: HELLO,
  },
  ...([
    ["PRIORITY [http2/4.3/2, 6.2/1]", priority(1, 0)],
    ["HEADERS of another stream [http2/4.3/3, 6.2/2]", headers(3, GET)],
    ["HEADERS of the same stream", headers(1, GET)],
    ["DATA [http2/6.10/2]", data(1, "test", END_STREAM)],
    ["PING", ping("--pong--")],
    ["SETTINGS ACK", SETTINGS_ACK],
    ["WINDOW_UPDATE", windowUpdate(0, 1)],
    ["RST_STREAM", rstStream(1, 8)],
    ["a frame of unknown type [http2/5.5/2]", frame([0x16], 1)],
    ["CONTINUATION of another stream", continuation(3, "86", END_HEADERS)],
  ] as [string, Uint8Array][]).map(([name, bytes]): Conversation => ({
    name: `any other frame in it is PROTOCOL_ERROR: ${name}`,
    send: [OPEN, bytes],
    sent: PROTOCOL_ERROR,
  })),
  {
    name: "so it is behind a CONTINUATION",
    send: [OPEN, continuation(1, "86"), data(1, "test")],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "CONTINUATION behind END_HEADERS is PROTOCOL_ERROR [http2/6.10/4, 5.1/7]",
    send: [headers(1, POST), continuation(1, "00", END_HEADERS)],
    sent: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "CONTINUATION behind CONTINUATION with END_HEADERS is PROTOCOL_ERROR [http2/6.10/5]",
    send: [
      headers(1, "83", 0),
      continuation(1, POST.slice(3), END_HEADERS),
      continuation(1, "00", END_HEADERS),
    ],
    sent: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "CONTINUATION behind DATA is PROTOCOL_ERROR [http2/6.10/6]",
    send: [headers(1, POST), data(1, "test"), continuation(1, "00", END_HEADERS)],
    sent: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "CONTINUATION on an idle stream is PROTOCOL_ERROR [http2/5.1/4]",
    send: [continuation(1, GET, END_HEADERS)],
    sent: PROTOCOL_ERROR,
  },
]);

test("field block: RFC 9113 §4.3: what HPACK can't decode is COMPRESSION_ERROR", setup, [
  {
    name: "a field block that is cut [http2/4.3/1]",
    send: [headers(1, "40", WHOLE)],
    sent: ["GOAWAY 0 COMPRESSION_ERROR"],
  },
  {
    name: "an index beyond both tables [hpack/2.3.3/1]",
    send: [headers(1, `${GET} c6`, WHOLE)],
    sent: ["GOAWAY 0 COMPRESSION_ERROR"],
  },
  {
    name: "in trailers",
    send: [headers(1, POST), headers(1, "80", WHOLE)],
    sent: ["GOAWAY 1 COMPRESSION_ERROR"],
  },
  {
    name: "in what is discarded",
    send: [headers(1, POST), windowUpdate(1, 0), headers(1, "80", WHOLE)],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR", "GOAWAY 1 COMPRESSION_ERROR"],
  },
]);

Deno.test("field block: openFieldBlock tells each from the next, from the header of its first frame to its end", () => {
  const { connection } = Tester.ready(setup.options, silent);
  const seen: [open: number, event: string | undefined][] = [];
  const take = (bytes: Uint8Array) => {
    connection.push(bytes);
    let last: string | undefined;
    for (let event = connection.next(); event !== null; event = connection.next()) {
      last = event.type;
    }
    seen.push([connection.openFieldBlock, last]);
  };
  const [first, second] = [headers(1, POST), headers(1, POST, END_HEADERS | END_STREAM)];
  take(first.subarray(0, 8));
  take(first.subarray(8, 9));
  take(first.subarray(9, 12));
  take(first.subarray(12));
  take(data(1, "test"));
  take(headers(3, "83", 0));
  take(continuation(3, "").subarray(0, 5));
  take(continuation(3, "").subarray(5));
  // The last of one and the first of the next, in one chunk.
  const end = continuation(3, POST.slice(3), END_HEADERS);
  take(new Uint8Array([...end, ...second.subarray(0, 11)]));
  assert.deepEqual(seen, [
    ...[[0, undefined], [1, undefined], [1, undefined], [0, "request"], [0, "data"]],
    ...[[2, undefined], [2, undefined], [2, undefined], [3, "request"]],
  ]);
});
