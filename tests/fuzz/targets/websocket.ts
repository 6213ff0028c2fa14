import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  CloseCode,
  encodeClosePayload,
  isCloseCodeOnWire,
  parseClosePayload,
} from "../../../src/protocol/websocket/close.ts";
import { MessageDecoder, type MessageEvent } from "../../../src/protocol/websocket/decoder.ts";
import { encodeFrame, type Frame } from "../../../src/protocol/websocket/encoder.ts";
import {
  allowedRsvOf,
  encodeKey,
  parseExtensions,
  parseTokenList,
} from "../../../src/protocol/websocket/handshake.ts";
import { readHeader, writeHeader } from "../../../src/protocol/websocket/header.ts";
import { applyMask } from "../../../src/protocol/websocket/mask.ts";
import { Meter, type MeterEvent } from "../../../src/protocol/websocket/meter.ts";
import { Opcode } from "../../../src/protocol/websocket/opcode.ts";
import { Traffic } from "../../../src/protocol/websocket/traffic.ts";
import {
  type Bytes,
  type Codec,
  type Decoder,
  hex,
  type Outcome,
  plain,
  type Target,
} from "../driver.ts";
import { join, latin1, latin1Text } from "../input.ts";

const MAX_FRAME_BYTES = 128;
const MAX_MESSAGE_BYTES = 140;

const utf8 = new TextEncoder();
const maskKey = fc.uint8Array({ minLength: 4, maxLength: 4 });
// At both sides of the 16-bit length.
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.constantFrom(124, 125, 126, 127, 128).map((size) => new Uint8Array(size).fill(0x61)),
);
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("", "\ufeffb", "\u{10ffff}\ud7ff\ue000", "a".repeat(126)),
);

interface Part {
  frames: Frame[];
}

/** A message of one to three frames, with control frames between them. */
function message(rsv: number): fc.Arbitrary<Part> {
  const body = fc.oneof(
    fc.tuple(fc.constant(Opcode.TEXT), text.map((text) => utf8.encode(text))),
    fc.tuple(fc.constant(Opcode.BINARY), payload),
  );
  return fc.record({ body, cuts: fc.array(fc.nat(200), { maxLength: 2 }), between: control }).map(
    ({ body: [opcode, bytes], cuts, between }) => {
      const places = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
      const ends = [...places, bytes.length];
      const frames = ends.map((end, i): Frame => ({
        fin: i === ends.length - 1,
        rsv: i === 0 ? rsv : 0,
        opcode: i === 0 ? opcode : Opcode.CONTINUATION,
        payload: bytes.slice(i === 0 ? 0 : ends[i - 1], end),
      }));
      return { frames: [frames[0], ...between, ...frames.slice(1)] };
    },
  );
}

const control: fc.Arbitrary<Frame[]> = fc.array(
  fc.record({
    opcode: fc.constantFrom(Opcode.PING, Opcode.PONG),
    payload: fc.uint8Array({ maxLength: 8 }),
  }),
  { maxLength: 2 },
);

const closeInfo = fc.record({
  code: fc.oneof(
    fc.constantFrom(...Object.values(CloseCode)),
    fc.integer({ min: 3000, max: 4999 }),
  ).filter((code) => isCloseCodeOnWire(code) || code === CloseCode.NO_STATUS_RECEIVED),
  reason: fc.string({ unit: "binary", maxLength: 20 }),
});
const close = closeInfo.map(({ code, reason }): Frame => ({
  opcode: Opcode.CLOSE,
  payload: encodeClosePayload(code, reason),
}));

/** What one end sends. */
function conversation(masked: boolean, rsv = 0): fc.Arbitrary<Bytes> {
  return fc.tuple(
    fc.array(fc.oneof(message(rsv), control.map((frames) => ({ frames }))), { maxLength: 4 }),
    fc.option(close),
    maskKey,
  ).map(([parts, last, key]) => {
    const frames = [...parts.flatMap((part) => part.frames), ...(last === null ? [] : [last])];
    const masking = masked ? { maskKey: key } : {};
    return join(...frames.map((frame) => encodeFrame({ ...frame, ...masking })));
  });
}

/** Fragments that pass the limits of frames and messages, or nearly. */
function longMessage(masked: boolean): fc.Arbitrary<Bytes> {
  const sizes = fc.array(fc.constantFrom(1, 12, 13, 70, 127, 128, 129), {
    minLength: 1,
    maxLength: 4,
  });
  return fc.tuple(sizes, maskKey, fc.boolean()).map(([sizes, key, ends]) =>
    join(...sizes.map((size, i) =>
      encodeFrame({
        fin: ends && i === sizes.length - 1,
        opcode: i === 0 ? Opcode.BINARY : Opcode.CONTINUATION,
        payload: new Uint8Array(size),
        ...(masked ? { maskKey: key } : {}),
      })
    ))
  );
}

interface MeterCase {
  name: string;
  masked: boolean;
  allowedRsv?: number;
  watchPong?: boolean;
}

function meterTarget({ name, ...options }: MeterCase): Target<MeterEvent, CountingMeter> {
  return {
    name: `meter, ${name}`,
    make: () => new CountingMeter(options),
    valid: conversation(options.masked, options.allowedRsv ?? 0),
    beyond: longMessage(options.masked),
    normalise: (event) => event.type === "pass" ? { run: "pass", bytes: event.bytes } : event,
    state: (meter) => meter.state,
    check: bytesPassUnchanged,
  };
}

class CountingMeter extends Meter {
  readonly #traffic: Traffic;

  constructor(options: Omit<MeterCase, "name">) {
    const traffic = new Traffic();
    super({
      ...options,
      maxFrameBytes: MAX_FRAME_BYTES,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      traffic,
    });
    this.#traffic = traffic;
  }

  get state(): unknown {
    const { bytes, messages, frames, atBoundary, inMessage, closed } = this;
    const traffic = this.#traffic;
    assert.equal(traffic.bytes, bytes);
    return { bytes, messages, frames, atBoundary, inMessage, closed, traffic };
  }
}

/** What the meter tells is what came, and all of it where nothing is wrong. */
function bytesPassUnchanged(input: Bytes, { events, error }: Outcome): void {
  let told = "";
  let closed = false;
  for (const event of events as { pass?: string; bytes?: string; type?: string }[]) {
    told += event.pass ?? event.bytes;
    closed = event.type === "close";
  }
  const came = hex(input);
  assert.ok(came.startsWith(told), "the meter changed bytes");
  if (error === null && !closed) assert.equal(told.length, came.length);
}

function decoderTarget(masked: boolean, allowedRsv: number): Target<MessageEvent> {
  return {
    name: `message decoder, ${masked ? "masked" : "not masked"}, RSV ${allowedRsv}`,
    make: () =>
      new MessageDecoder({
        masked,
        allowedRsv,
        maxFrameBytes: MAX_FRAME_BYTES,
        maxMessageBytes: MAX_MESSAGE_BYTES,
      }),
    valid: conversation(masked, allowedRsv),
    beyond: longMessage(masked),
  };
}

const meters = [
  meterTarget({ name: "from a client", masked: true }),
  meterTarget({ name: "from a server", masked: false }),
  meterTarget({ name: "watching Pong", masked: true, watchPong: true }),
  meterTarget({ name: "permessage-deflate", masked: false, allowedRsv: 4 }),
  meterTarget({ name: "unknown extension", masked: true, allowedRsv: 7 }),
];

export const targets: Target[] = [
  ...meters as Target[],
  decoderTarget(true, 0) as Target,
  decoderTarget(false, 0) as Target,
  decoderTarget(false, 4) as Target,
];

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
