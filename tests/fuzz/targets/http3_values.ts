// HTTP/3 where all bytes are there: headers of frames, SETTINGS, and the fields of messages; and
// that whatever HTTP/3 lets in can be written in HTTP/1.1, and back.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { encodeRequestHead, encodeResponseHead } from "../../../src/protocol/http1/encode.ts";
import { ResponseHeadParser } from "../../../src/protocol/http1/head.ts";
import {
  checkTrailers,
  encodeRequest,
  encodeResponse,
  readRequestHead,
  readResponseHead,
  type RequestHead,
} from "../../../src/protocol/http3/fields.ts";
import {
  FrameHeaderReader,
  frameHeaderSize,
  writeFrameHeader,
} from "../../../src/protocol/http3/frame.ts";
import {
  decodeSettings,
  defaultSettings,
  encodeSettings,
  type Settings,
} from "../../../src/protocol/http3/settings.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Bytes, Codec, Decoder } from "../driver.ts";
import { fromLines, plainFields, toLines } from "../fields.ts";
import { join, latin1 } from "../input.ts";
import { settings } from "./http3.ts";

const authority = fc.constantFrom("a.example", "127.0.0.1:8080", "[::1]:443");
const path = fc.constantFrom("/", "/chat?x=1", '/"|{}', "//a@b:1");

const request: fc.Arbitrary<RequestHead> = fc.oneof(
  fc.record({
    method: fc.constant("CONNECT"),
    scheme: fc.constantFrom("https", "http"),
    authority,
    path,
    protocol: fc.constantFrom("websocket", "connect-udp"),
    fields: plainFields,
  }),
  fc.record({
    method: fc.constantFrom("GET", "POST", "M-SEARCH"),
    scheme: fc.constant("https"),
    authority,
    path,
    protocol: fc.constant(null),
    fields: plainFields,
  }),
  fc.constant<RequestHead>({
    method: "CONNECT",
    scheme: null,
    authority: "a.example:443",
    path: null,
    protocol: null,
    fields: [],
  }),
);
const response = fc.record({
  status: fc.integer({ min: 102, max: 599 }),
  fields: plainFields,
});

const requestLines = request.map((head) => toLines(encodeRequest(head)));
const responseLines = response.map(({ status, fields }) => toLines(encodeResponse(status, fields)));

/** Fields with rules of their own, and such as break them. */
const nastyField = fc.constantFrom<Field>(
  ["host", "a"],
  ["host", "b@a"],
  ["content-length", "5"],
  ["content-length", "6"],
  ["content-length", "0000000000000000000005"],
  ["transfer-encoding", "chunked"],
  ["connection", "a"],
  ["te", "trailers"],
  ["cookie", "a=b"],
  ["cookie", "\x80"],
  ["A", "b"],
  ["a", "b\r\nc: d"],
  ["a", " b"],
  ["", "b"],
);
const nasty = fc.oneof(
  fc.array(nastyField, { maxLength: 3 }),
  nastyField.map((field) => [field, field]),
);
const nastyPseudo = fc.constantFrom<Field>(
  ...["CONNECT", "OPTIONS", "G T", ""].map((value): Field => [":method", value]),
  ...["HTTP", "ws", ""].map((value): Field => [":scheme", value]),
  ...["a:", "%zz", "[:.:]", "a:999999", "", ":80"].map((value): Field => [":authority", value]),
  ...["/a b", "*", "//", "/a#b", "/\xe9", ""].map((value): Field => [":path", value]),
  ...["websocket", "a/b", ""].map((value): Field => [":protocol", value]),
);
const nastyRequest = fc.record({
  isTunnel: fc.boolean(),
  pseudo: fc.array(nastyPseudo, { maxLength: 1 }),
  fields: nasty,
}).map(({ isTunnel, pseudo, fields }) => {
  const head = new Map([[":scheme", "https"], [":authority", "a"], [":path", "/"]]);
  head.set(":method", isTunnel ? "CONNECT" : "GET");
  if (isTunnel) head.set(":protocol", "websocket");
  for (const [name, value] of pseudo) head.set(name, value);
  return toLines([...head, ...fields]);
});
const nastyResponse = nasty.map((fields) => toLines([[":status", "200"], ...fields]));
const nastyHttp1Response = nasty.map((fields) => {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return latin1(`HTTP/1.1 200 x\r\n${lines}\r\n`);
});

/** RFC 9114 §10.3: what is let in must not change its meaning when it is written in HTTP/1.1. */
function toHttp1(section: Field[]): void {
  const head = readRequestHead(section);
  if (head.authority === null || (head.scheme !== null && !/^https?$/i.test(head.scheme))) return;
  const fields = head.fields.filter(([name]) => name !== "host");
  encodeRequestHead({
    method: head.protocol === null ? head.method : "GET",
    target: head.path ?? head.authority,
    fields: [["host", head.authority], ...fields],
  });
}

/** What a backend may answer can be told to a client of HTTP/3. */
function responseToHttp3(bytes: Bytes): void {
  const parser = new ResponseHeadParser();
  parser.push(bytes);
  for (let head = parser.next(); head !== null; head = parser.next()) {
    if (head.status !== 101) encodeResponse(head.status, head.fields);
  }
}

export const decoders: Decoder[] = [
  {
    name: "SETTINGS",
    decode: (bytes) => {
      const read = decodeSettings(bytes);
      const isExact = (value: unknown) => typeof value !== "number" || Number.isSafeInteger(value);
      if (Object.values(read).concat(...read.unknown).every(isExact)) {
        assert.deepEqual(decodeSettings(encodeSettings(read)), read);
      }
    },
    valid: settings.map(encodeSettings),
  },
  {
    name: "fields of a request",
    decode: (bytes) => readRequestHead(fromLines(bytes)),
    valid: requestLines,
    beyond: nastyRequest,
  },
  {
    name: "fields of a response",
    decode: (bytes) => readResponseHead(fromLines(bytes)),
    valid: responseLines,
    beyond: nastyResponse,
  },
  {
    name: "fields of trailers",
    decode: (bytes) => checkTrailers(fromLines(bytes)),
    valid: plainFields.map(toLines),
    beyond: nasty.map(toLines),
  },
  {
    name: "request of HTTP/3 to HTTP/1.1",
    decode: (bytes) => toHttp1(fromLines(bytes)),
    valid: requestLines,
    beyond: nastyRequest,
  },
  {
    name: "response of HTTP/1.1 to HTTP/3",
    decode: responseToHttp3,
    valid: fc.tuple(
      response,
      fc.constantFrom<Field>(["content-length", "7"], ["connection", "x"], ["te", "x"]),
    ).map(([{ status, fields }, special]) =>
      encodeResponseHead({ status, reason: "", fields: [special, ...fields] })
    ),
    beyond: nastyHttp1Response,
  },
];

const headerCodec: Codec<[number, number], Bytes> = {
  name: "HTTP/3 frame header",
  value: fc.tuple(
    fc.oneof(fc.nat(0x41), fc.maxSafeNat()),
    fc.oneof(fc.nat(0x4001), fc.maxSafeNat()),
  ),
  encode: ([type, length]) => {
    const out = new Uint8Array(20);
    const end = writeFrameHeader(out, 3, type, length);
    assert.equal(end - 3, frameHeaderSize(type, length));
    return out.subarray(3, end);
  },
  decode: (bytes) => {
    const reader = new FrameHeaderReader();
    assert.equal(reader.read(join([0xff], bytes), 1), bytes.length + 1);
    return [reader.type, reader.length];
  },
};
const settingsCodec: Codec<Partial<Settings>, Bytes> = {
  name: "SETTINGS",
  value: settings,
  encode: encodeSettings,
  decode: decodeSettings,
  want: (given) => ({ ...defaultSettings(), ...given }),
};
const requestCodec: Codec<RequestHead, Field[]> = {
  name: "fields of a request",
  value: request,
  encode: encodeRequest,
  decode: readRequestHead,
};
const responseCodec: Codec<{ status: number; fields: Field[] }, Field[]> = {
  name: "fields of a response",
  value: response,
  encode: ({ status, fields }) => encodeResponse(status, fields),
  decode: readResponseHead,
};

export const codecs: Codec[] = [
  headerCodec,
  settingsCodec,
  requestCodec,
  responseCodec,
] as Codec[];
