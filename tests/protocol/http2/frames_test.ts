// RFC 9113 §3.4, §4, §6: what holds for frames, whatever their streams do. The numbers of h2spec's
// cases stand where one is met.
import { answering, type Conversation, type Setup, test } from "./conversation.ts";
import {
  ACK,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  FrameType,
  GET,
  goaway,
  headers,
  hex,
  literal,
  PADDED,
  ping,
  POST,
  PRIORITY,
  priority,
  rstStream,
  SettingId,
  settings,
  SETTINGS_ACK,
  windowUpdate,
} from "./support.ts";

const setup: Setup = { options: { role: "server" }, owner: answering };
const WHOLE = END_HEADERS | END_STREAM;
const HELLO = ["HEADERS 1 :status=200", "DATA 1 hello END"];
const PONG = "PING ACK --pong--";
const PROTOCOL_ERROR = ["GOAWAY 0 PROTOCOL_ERROR"];
const SIZE_ERROR = ["GOAWAY 0 FRAME_SIZE_ERROR"];

test("frames: RFC 9113 §4.1", setup, [
  {
    name: "frames of unknown type MUST be ignored [http2/4.1/1, 5.5/1]",
    send: [frame([0x16], 0, new Uint8Array(8)), frame([0xff, 0xff], 7), ping("--pong--")],
    sent: [PONG],
  },
  {
    name: "unused flags MUST be ignored [http2/4.1/2]",
    send: [ping("--pong--", 0xfe), headers(1, GET, WHOLE | 0xd2)],
    sent: [PONG, ...HELLO],
  },
  {
    name: "the reserved bit MUST be ignored [http2/4.1/3]",
    send: [
      frame([FrameType.PING], 0x80000000, hex("2d2d706f6e672d2d")),
      headers(0x80000001, GET, WHOLE),
      windowUpdate(1, 0x80000001),
    ],
    sent: [PONG, ...HELLO],
  },
]);

test("frames: RFC 9113 §4.2", setup, [
  {
    name: "frames of 2^14 bytes MUST be taken [http2/4.2/1]",
    send: [headers(1, POST), data(1, new Uint8Array(16384), END_STREAM)],
    sent: HELLO,
  },
  {
    name: "a frame that exceeds SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR: DATA [http2/4.2/2]",
    send: [headers(1, POST), data(1, new Uint8Array(16385), END_STREAM)],
    sent: ["GOAWAY 1 FRAME_SIZE_ERROR"],
  },
  {
    name: "a frame that exceeds SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR: HEADERS [http2/4.2/3]",
    send: [headers(1, new Uint8Array(16385), WHOLE)],
    sent: SIZE_ERROR,
  },
  {
    name: "a frame that exceeds SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR: unknown",
    send: [frame([0x16], 0, new Uint8Array(16385))],
    sent: SIZE_ERROR,
  },
  ...([
    ["DATA without Pad Length", frame([FrameType.DATA, PADDED], 1)],
    ["HEADERS without Pad Length", headers(1, "", PADDED | END_HEADERS)],
    ["HEADERS without a priority", headers(1, "00000000", PRIORITY | END_HEADERS)],
    ["HEADERS without Pad Length and priority", headers(1, "0000000000", PADDED | PRIORITY)],
    ["PRIORITY of 4 bytes [http2/6.3/2]", frame([FrameType.PRIORITY], 1, new Uint8Array(4))],
    ["PRIORITY of 6 bytes", frame([FrameType.PRIORITY], 1, new Uint8Array(6))],
    ["RST_STREAM of 3 bytes [http2/6.4/3]", frame([FrameType.RST_STREAM], 1, new Uint8Array(3))],
    ["RST_STREAM of 5 bytes", frame([FrameType.RST_STREAM], 1, new Uint8Array(5))],
    ["SETTINGS of 3 bytes [http2/6.5/3]", frame([FrameType.SETTINGS], 0, new Uint8Array(3))],
    ["SETTINGS ACK of 1 byte [http2/6.5/1]", frame([FrameType.SETTINGS, ACK], 0, [0])],
    ["SETTINGS ACK of 6 bytes", frame([FrameType.SETTINGS, ACK], 0, new Uint8Array(6))],
    ["PING of 6 bytes [http2/6.7/4]", frame([FrameType.PING], 0, new Uint8Array(6))],
    ["PING ACK of 9 bytes", frame([FrameType.PING, ACK], 0, new Uint8Array(9))],
    ["GOAWAY of 7 bytes", frame([FrameType.GOAWAY], 0, new Uint8Array(7))],
    ["WINDOW_UPDATE of 3 bytes [http2/6.9/3]", frame([FrameType.WINDOW_UPDATE], 0, [0, 0, 1])],
    ["WINDOW_UPDATE of 5 bytes", frame([FrameType.WINDOW_UPDATE], 0, [0, 0, 0, 1, 0])],
  ] as [string, Uint8Array][]).map(([name, bytes]): Conversation => ({
    name: `a frame that is too small or too long is FRAME_SIZE_ERROR: ${name}`,
    send: [bytes],
    sent: SIZE_ERROR,
  })),
]);

test("frames: RFC 9113 §6: a frame on stream 0 that needs a stream is PROTOCOL_ERROR", setup, [
  { name: "DATA [http2/6.1/1]", send: [data(0, "x", END_STREAM)], sent: PROTOCOL_ERROR },
  { name: "HEADERS [http2/6.2/3]", send: [headers(0, GET, WHOLE)], sent: PROTOCOL_ERROR },
  { name: "PRIORITY [http2/6.3/1]", send: [priority(0, 1)], sent: PROTOCOL_ERROR },
  { name: "RST_STREAM [http2/6.4/1]", send: [rstStream(0, 8)], sent: PROTOCOL_ERROR },
  {
    name: "CONTINUATION [http2/6.10/3]",
    send: [headers(1, GET, END_STREAM), continuation(0, "", END_HEADERS)],
    sent: PROTOCOL_ERROR,
  },
]);

test("frames: RFC 9113 §6: a frame of the connection on a stream is PROTOCOL_ERROR", setup, [
  {
    name: "SETTINGS [http2/6.5/2]",
    send: [frame([FrameType.SETTINGS], 1, hex("000300000064"))],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "PING [http2/6.7/3, 5.4.1/1, 5.4.1/2]",
    send: [frame([FrameType.PING], 3, new Uint8Array(8))],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "GOAWAY [http2/6.8/1]",
    send: [frame([FrameType.GOAWAY], 1, new Uint8Array(8))],
    sent: PROTOCOL_ERROR,
  },
]);

test("frames: RFC 9113 §6.1, §6.2: padding", setup, [
  {
    name: "it is no part of the data",
    send: [
      headers(1, POST),
      data(1, hex("03 (ab) 6162 (padding) 000000"), PADDED),
      data(1, hex("00 (c) 63"), PADDED),
      data(1, hex("02 (none) 0000"), PADDED | END_STREAM),
    ],
    sent: HELLO,
  },
  {
    name: "it is no part of the field block",
    send: [headers(1, `05 ${GET} 0000000000`, PADDED | WHOLE)],
    sent: HELLO,
  },
  {
    name: "HEADERS with padding and priority",
    send: [headers(1, `02 00000003 0f ${GET} 0000`, PADDED | PRIORITY | WHOLE)],
    sent: HELLO,
  },
  {
    name: "padding of HEADERS that CONTINUATION follows",
    send: [
      headers(1, "02 82 0000", PADDED | END_STREAM),
      continuation(1, GET.slice(3), END_HEADERS),
    ],
    sent: HELLO,
  },
  {
    name: "padding of the payload's length or more is PROTOCOL_ERROR: DATA [http2/6.1/3]",
    send: [headers(1, POST), data(1, hex("06 54657374"), PADDED)],
    sent: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "padding of the payload's length or more is PROTOCOL_ERROR: by one byte",
    send: [headers(1, POST), data(1, hex("05 54657374"), PADDED)],
    sent: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "padding of all that is behind Pad Length is none too much",
    send: [headers(1, POST), data(1, hex("04 00000000"), PADDED | END_STREAM)],
    sent: HELLO,
  },
  {
    name: "padding of the payload's length or more is PROTOCOL_ERROR: HEADERS [http2/6.2/4]",
    send: [headers(1, `08 ${GET}`, PADDED | WHOLE)],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "padding that reaches into the priority is PROTOCOL_ERROR",
    send: [headers(1, "01 00000003 0f", PADDED | PRIORITY | WHOLE)],
    sent: PROTOCOL_ERROR,
  },
]);

test("frames: RFC 9113 §6.5, §6.7, §6.8, §7", setup, [
  {
    name: "SETTINGS MUST be acknowledged [http2/6.5.3/2]",
    send: [settings([SettingId.ENABLE_PUSH, 0]), settings()],
    sent: ["SETTINGS ACK", "SETTINGS ACK"],
    events: ["settings", "settings"],
  },
  {
    name: "SETTINGS that were not sent can't be acknowledged",
    send: [SETTINGS_ACK],
    sent: PROTOCOL_ERROR,
  },
  {
    name: "PING MUST be answered with the same payload [http2/6.7/1]",
    send: [ping("12345678"), ping("--pong--")],
    sent: ["PING ACK 12345678", PONG],
    events: [],
  },
  {
    name: "PING ACK MUST NOT be answered [http2/6.7/2]",
    send: [ping("12345678", ACK), ping("--pong--")],
    sent: [PONG],
    events: ["pong 12345678"],
  },
  {
    name: "GOAWAY with debug data, and an unknown code [http2/7/1]",
    send: [goaway(0, 0xff, "debug"), ping("--pong--")],
    sent: [PONG],
    events: ["goaway 0 0xff"],
  },
  {
    name: "RST_STREAM with an unknown code [http2/7/2]",
    send: [headers(1, POST), rstStream(1, 0xff), ping("--pong--")],
    sent: [PONG],
    events: ["request 1 POST /", "reset 1 0xff"],
  },
  {
    name: "§8.4: a server MUST treat PUSH_PROMISE as PROTOCOL_ERROR [http2/8.2/1]",
    send: [headers(1, GET), frame([FrameType.PUSH_PROMISE, END_HEADERS], 1, hex(`00000002${GET}`))],
    sent: ["GOAWAY 1 PROTOCOL_ERROR"],
  },
  {
    name: "PRIORITY in any state does nothing [generic/2/1, 2/3, 2/5]",
    send: [
      priority(1, 0),
      priority(5, 3),
      headers(1, `80000003 0f ${POST}`, END_HEADERS | PRIORITY),
      priority(1, 3),
      headers(1, literal("x", "1"), WHOLE),
      priority(1, 5),
      ping("--pong--"),
    ],
    sent: [...HELLO, PONG],
  },
]);
