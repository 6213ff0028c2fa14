// WebSocket where all bytes are there: payloads of Close, headers of frames, fields of the handshake.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { encodeClosePayload, parseClosePayload } from "../../../src/protocol/websocket/close.ts";
import { MessageDecoder } from "../../../src/protocol/websocket/decoder.ts";
import { encodeFrame } from "../../../src/protocol/websocket/encoder.ts";
import {
  allowedRsvOf,
  encodeKey,
  parseExtensions,
  parseTokenList,
} from "../../../src/protocol/websocket/handshake.ts";
import { readHeader, writeHeader } from "../../../src/protocol/websocket/header.ts";
import { applyMask } from "../../../src/protocol/websocket/mask.ts";
import { Opcode } from "../../../src/protocol/websocket/opcode.ts";
import { type Bytes, type Codec, type Decoder, plain } from "../driver.ts";
import { join, latin1, latin1Text } from "../input.ts";
import { closeInfo, maskKey, message, type Part, utf8 } from "./websocket.ts";

const extensions = fc.constantFrom(
  "permessage-deflate",
  'permessage-deflate; client_max_window_bits="15"; server_no_context_takeover, x-own; a=b',
  "a,,b ; c",
).map(latin1);

export const decoders: Decoder[] = [
  {
    name: "Close payload",
    decode: parseClosePayload,
    valid: closeInfo.map(({ code, reason }) => encodeClosePayload(code, reason)),
  },
  {
    name: "Sec-WebSocket-Extensions",
    decode: (bytes) => [parseExtensions(latin1Text(bytes)), allowedRsvOf(latin1Text(bytes))],
    valid: extensions,
  },
  {
    name: "token list",
    decode: (bytes) => parseTokenList(latin1Text(bytes)),
    valid: fc.constantFrom("", "a", "keep-alive, Upgrade", "chat.v1,,chat.v2").map(latin1),
  },
];

const header = fc.record({
  fin: fc.boolean(),
  rsv: fc.nat(7),
  opcode: fc.nat(15),
  length: fc.oneof(fc.nat(130), fc.nat(70000), fc.maxSafeNat()),
  maskKey: fc.option(maskKey, { nil: undefined }),
});
const headerCodec: Codec<Parameters<typeof writeHeader>[2], Bytes> = {
  name: "frame header",
  value: header,
  encode: (header) => {
    const out = new Uint8Array(20);
    return out.subarray(3, writeHeader(out, 3, header));
  },
  decode: (bytes) => {
    const { fin, rsv, opcode, length, masked, size } = readHeader(bytes, 0);
    assert.equal(size, bytes.length);
    return { fin, rsv, opcode, length, maskKey: masked ? bytes.subarray(size - 4) : undefined };
  },
};
const closeCodec: Codec<{ code: number; reason: string }, Bytes> = {
  name: "Close payload",
  value: closeInfo,
  encode: ({ code, reason }) => encodeClosePayload(code, reason),
  decode: parseClosePayload,
  want: ({ code, reason }) => ({ code, reason: code === 1005 ? "" : reason.toWellFormed() }),
};
const messageCodec: Codec<Part, Bytes> = {
  name: "frames and messages",
  value: message(0),
  encode: ({ frames }) => join(...frames.map((frame) => encodeFrame(frame))),
  decode: (bytes) => {
    const decoder = new MessageDecoder({
      masked: false,
      maxFrameBytes: Infinity,
      maxMessageBytes: Infinity,
    });
    decoder.push(bytes);
    const payloads: unknown[] = [];
    for (let event = decoder.next(); event !== null; event = decoder.next()) {
      if (event.type === "text") payloads.push(plain(utf8.encode(event.data)));
      else if (event.type === "binary") payloads.push(plain(event.data));
    }
    return payloads;
  },
  want: ({ frames }) => {
    const data = frames.filter(({ opcode }) => opcode <= Opcode.BINARY);
    return [plain(join(...data.map((frame) => frame.payload)))];
  },
};
const maskCodec: Codec<[Bytes, Bytes, number], Bytes> = {
  name: "mask",
  value: fc.tuple(fc.uint8Array({ maxLength: 300 }), maskKey, fc.nat(9)),
  encode: ([bytes, key, at]) => {
    const out = bytes.slice();
    applyMask(out.subarray(0, at), key);
    applyMask(out.subarray(at), key, Math.min(at, out.length));
    return join(key, out);
  },
  decode: (bytes) => {
    const key = bytes.subarray(0, 4);
    return bytes.slice(4).map((byte, i) => byte ^ key[i & 3]);
  },
  want: ([bytes]) => bytes,
};
const keyCodec: Codec<Bytes, string> = {
  name: "Sec-WebSocket-Key",
  value: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  encode: encodeKey,
  decode: (key) => latin1(atob(key)),
};

export const codecs: Codec[] = [
  headerCodec,
  closeCodec,
  messageCodec,
  maskCodec,
  keyCodec,
] as Codec[];
