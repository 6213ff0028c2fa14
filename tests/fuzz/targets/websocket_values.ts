// WebSocket where all bytes are there: payloads of Close, headers of frames, fields of the handshake.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { encodeClosePayload, parseClosePayload } from "../../../src/protocol/websocket/close.ts";
import { MessageDecoder } from "../../../src/protocol/websocket/decoder.ts";
import { encodeFrame } from "../../../src/protocol/websocket/encoder.ts";
import {
  allowedRsvOf,
  encodeExtensions,
  type Extension,
  parseExtensions,
} from "../../../src/protocol/websocket/extensions.ts";
import { encodeKey, parseTokenList } from "../../../src/protocol/websocket/handshake.ts";
import {
  acceptDeflate,
  type DeflateWishes,
  offerDeflate,
  readDeflateAnswer,
} from "../../../src/protocol/websocket/permessage_deflate.ts";
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
    name: "permessage-deflate, offered and answered",
    decode: (bytes) => {
      const elements = parseExtensions(latin1Text(bytes));
      return [acceptDeflate(elements), readDeflateAnswer(elements)];
    },
    valid: fc.constantFrom(
      "permessage-deflate; server_no_context_takeover",
      "permessage-deflate; server_no_context_takeover; server_max_window_bits=8",
      'permessage-deflate; client_max_window_bits="15"; server_no_context_takeover, x-own; a=b',
    ).map(latin1),
    beyond: fc.constantFrom(
      "permessage-deflate; client_max_window_bits",
      "permessage-deflate; server_max_window_bits=16; server_max_window_bits=7",
    ).map(latin1),
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

const token = fc.stringMatching(/^[a-z0-9_-]{1,9}$/);
const extensionsCodec: Codec<Extension[], string> = {
  name: "Sec-WebSocket-Extensions",
  value: fc.array(fc.record({
    name: token,
    params: fc.array(fc.tuple(token, fc.option(token)), { maxLength: 3 }),
  })),
  encode: encodeExtensions,
  decode: parseExtensions,
};
const windowBits = fc.integer({ min: 8, max: 15 });
const wishes: fc.Arbitrary<DeflateWishes> = fc.record({
  serverNoContextTakeover: fc.boolean(),
  clientNoContextTakeover: fc.boolean(),
  serverMaxWindowBits: windowBits,
  clientMaxWindowBits: windowBits,
}, { requiredKeys: [] });
/** Both sides of a handshake have the same parameters, whatever they wish. */
const deflateCodec: Codec<[DeflateWishes, DeflateWishes], [DeflateWishes, unknown, string]> = {
  name: "permessage-deflate",
  value: fc.tuple(wishes, wishes),
  encode: ([client, server]) => {
    const { answer, parameters } = acceptDeflate(parseExtensions(offerDeflate(client)), server)!;
    return [client, parameters, answer];
  },
  decode: ([client, parameters, answer]) => {
    assert.deepEqual(readDeflateAnswer(parseExtensions(answer), client), parameters);
    return null;
  },
  want: () => null,
};

export const codecs: Codec[] = [
  extensionsCodec,
  deflateCodec,
  headerCodec,
  closeCodec,
  messageCodec,
  maskCodec,
  keyCodec,
] as Codec[];
