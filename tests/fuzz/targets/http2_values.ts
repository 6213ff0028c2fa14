import * as fc from "fast-check";
import {
  checkTrailers,
  encodeRequest,
  encodeResponse,
  readRequestHead,
  readResponseHead,
  type RequestHead,
} from "../../../src/protocol/http2/fields.ts";
import {
  applySettings,
  defaultSettings,
  type Settings,
} from "../../../src/protocol/http2/settings.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Bytes, Codec, Decoder } from "../driver.ts";
import { fieldValue, fromLines, plainFields, plainName, toLines } from "../fields.ts";
import { settingsFrame, settingsRows } from "./http2_bytes.ts";

const head: fc.Arbitrary<RequestHead> = fc.record({
  method: fc.constantFrom("GET", "POST", "OPTIONS"),
  scheme: fc.constantFrom("https", "http"),
  authority: fc.constantFrom("a.example", "[::1]:8443"),
  path: fc.constantFrom("/", "/chat?x=%20"),
  protocol: fc.constant(null),
  fields: plainFields,
});
const requestFields = head.map(encodeRequest);
const responseFields = fc.tuple(fc.constantFrom(200, 404, 103), plainFields)
  .map(([status, fields]) => encodeResponse(status, fields));
const someFields = fc.array(fc.tuple(plainName, fieldValue), { maxLength: 5 });

export const decoders: Decoder[] = [
  {
    name: "request head of HTTP/2",
    decode: (bytes) => readRequestHead(fromLines(bytes)),
    valid: requestFields.map(toLines),
  },
  {
    name: "response head of HTTP/2",
    decode: (bytes) => readResponseHead(fromLines(bytes)),
    valid: responseFields.map(toLines),
  },
  {
    name: "trailers of HTTP/2",
    decode: (bytes) => checkTrailers(fromLines(bytes)),
    valid: someFields.map(toLines),
  },
  {
    name: "SETTINGS of HTTP/2",
    decode: (bytes) => {
      const whole = bytes.subarray(0, bytes.length - bytes.length % 6);
      applySettings(defaultSettings(), whole, { role: "server" });
    },
    valid: settingsRows.map((rows) => settingsFrame(rows).subarray(9)),
  },
];

const headCodec: Codec<RequestHead, Field[]> = {
  name: "request head of HTTP/2",
  value: head,
  encode: encodeRequest,
  decode: readRequestHead,
};

/** RFC 9113 §6.5.3: the last value of each setting is what counts. */
const settingsCodec: Codec<[number, number][], Bytes> = {
  name: "SETTINGS of HTTP/2",
  value: settingsRows,
  encode: (rows) => settingsFrame(rows).subarray(9),
  decode: (bytes) => {
    const settings = defaultSettings();
    applySettings(settings, bytes, { role: "server" });
    return settings;
  },
  want: (rows) => {
    const last = new Map(rows);
    const want: Settings = defaultSettings();
    want.headerTableSize = last.get(0x1) ?? want.headerTableSize;
    want.enablePush = !last.has(0x2);
    want.maxConcurrentStreams = last.get(0x3) ?? null;
    want.initialWindowSize = last.get(0x4) ?? want.initialWindowSize;
    want.maxFrameSize = last.get(0x5) ?? want.maxFrameSize;
    want.maxHeaderListSize = last.get(0x6) ?? null;
    want.enableConnectProtocol = last.has(0x8);
    return want;
  },
};

export const codecs: Codec[] = [headCodec, settingsCodec] as Codec[];
