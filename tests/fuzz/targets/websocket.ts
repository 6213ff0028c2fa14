import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  CloseCode,
  encodeClosePayload,
  isCloseCodeOnWire,
} from "../../../src/protocol/websocket/close.ts";
import { MessageDecoder, type MessageEvent } from "../../../src/protocol/websocket/decoder.ts";
import { encodeFrame, type Frame } from "../../../src/protocol/websocket/encoder.ts";
import { Meter, type MeterEvent } from "../../../src/protocol/websocket/meter.ts";
import { Opcode } from "../../../src/protocol/websocket/opcode.ts";
import { Traffic } from "../../../src/protocol/websocket/traffic.ts";
import { type Bytes, hex, type Outcome, type Target } from "../driver.ts";
import { join } from "../input.ts";

const MAX_FRAME_BYTES = 128;
const MAX_MESSAGE_BYTES = 140;

export const utf8 = new TextEncoder();
export const maskKey = fc.uint8Array({ minLength: 4, maxLength: 4 });
// At both sides of the 16-bit length.
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.constantFrom(124, 125, 126, 127, 128).map((size) => new Uint8Array(size).fill(0x61)),
);
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("", "\ufeffb", "\u{10ffff}\ud7ff\ue000", "a".repeat(126)),
);

export interface Part {
  frames: Frame[];
}

/** A message of one to three frames, with control frames between them. */
export function message(rsv: number): fc.Arbitrary<Part> {
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

export const closeInfo = fc.record({
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
