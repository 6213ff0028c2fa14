import * as fc from "fast-check";
import { H3Code } from "../../../src/protocol/http3/codes.ts";
import { ConnectionState } from "../../../src/protocol/http3/connection.ts";
import { ControlStreamParser } from "../../../src/protocol/http3/control_stream.ts";
import { encodeFrame, FrameType, type Role } from "../../../src/protocol/http3/frame.ts";
import {
  type RequestStreamEvent,
  RequestStreamParser,
} from "../../../src/protocol/http3/request_stream.ts";
import { encodeSettings, type Settings } from "../../../src/protocol/http3/settings.ts";
import { UniStreamParser, UniStreamType } from "../../../src/protocol/http3/uni_stream.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";
import { varintSize, writeVarint } from "../../../src/protocol/wire/varint.ts";
import type { Bytes, Run, Target } from "../driver.ts";
import { join } from "../input.ts";
import { decoderStream, encoderStream } from "./qpack.ts";

const MAX_HEADER_BYTES = 64;

export function varint(value: number): Bytes {
  const out = new Uint8Array(varintSize(value));
  writeVarint(out, 0, value);
  return out;
}

// RFC 9114 §7.2.8: types of the form 0x1f * N + 0x21 mean nothing.
const grease = fc.tuple(fc.nat(0xffffff), fc.uint8Array({ maxLength: 70 })).map(
  ([n, payload]) => encodeFrame(0x1f * n + 0x21, payload),
);
/** RFC 9000 §16: a length needn't take its shortest form. */
function longVarint(value: number, size: number): Bytes {
  const bytes = new Uint8Array(size);
  bytes[0] = size === 2 ? 0x40 : size === 4 ? 0x80 : 0xc0;
  bytes[size - 1] = value;
  return bytes;
}

const data = fc.tuple(fc.uint8Array({ maxLength: 63 }), fc.constantFrom(1, 2, 4, 8)).map(
  ([bytes, size]) =>
    size === 1
      ? encodeFrame(FrameType.DATA, bytes)
      : join([FrameType.DATA], longVarint(bytes.length, size), bytes),
);
const body = fc.array(fc.oneof({ weight: 4, arbitrary: data }, { weight: 1, arbitrary: grease }), {
  maxLength: 5,
}).map((frames) => join(...frames));
const greases = fc.array(grease, { maxLength: 2 }).map((frames) => join(...frames));

/** A field section that the adapters take for an interim one if it begins with 1. */
function headers(first: number): fc.Arbitrary<Bytes> {
  return fc.uint8Array({ maxLength: MAX_HEADER_BYTES - 1 }).map((rest) =>
    encodeFrame(FrameType.HEADERS, join([first], rest))
  );
}

const trailers = fc.option(
  fc.uint8Array({ maxLength: MAX_HEADER_BYTES + 20 }).map((block) =>
    encodeFrame(FrameType.HEADERS, block)
  ),
).map((frame) => frame ?? new Uint8Array(0));

function whole(...parts: fc.Arbitrary<Bytes>[]): fc.Arbitrary<Bytes> {
  return fc.tuple(...parts).map((all) => join(...all));
}

const request = whole(greases, headers(0), body, trailers, greases);
const interim = fc.array(headers(1), { maxLength: 2 }).map((frames) => join(...frames));
const response = whole(interim, headers(0), body, trailers);
const tunnel = whole(greases, headers(0), body);

/** What an owner of the parser does when it is told of headers. */
type OnHeaders = (parser: RequestStreamParser, block: Bytes) => void;

/** A request stream with its owner. */
class OwnedStream implements Parser<RequestStreamEvent | Run> {
  readonly #parser: RequestStreamParser;
  readonly #onHeaders: OnHeaders;

  constructor(role: Role, onHeaders: OnHeaders) {
    this.#parser = new RequestStreamParser({ role, maxHeaderBytes: MAX_HEADER_BYTES });
    this.#onHeaders = onHeaders;
  }

  get limit(): number {
    return this.#parser.limit;
  }

  get buffered(): number {
    return this.#parser.buffered;
  }

  push(chunk: Bytes): void {
    this.#parser.push(chunk);
  }

  next(): RequestStreamEvent | Run | null {
    const event = this.#parser.next();
    if (event?.type === "headers") this.#onHeaders(this.#parser, event.block);
    return event?.type === "data" ? { run: "data", bytes: event.bytes } : event;
  }

  end(): void {
    this.#parser.end();
  }
}

/** The same for a tunnel that is read by `readTunnel` from the first chunk behind CONNECT on. */
class TunnelStream implements Parser<RequestStreamEvent | Run> {
  readonly #parser = new RequestStreamParser({ role: "server", maxHeaderBytes: MAX_HEADER_BYTES });
  #isOpen = false;
  #chunk: Bytes | null = null;

  get limit(): number {
    return this.#parser.limit;
  }

  get buffered(): number {
    return this.#parser.buffered;
  }

  push(chunk: Bytes): void {
    if (this.#isOpen) this.#chunk = chunk;
    else this.#parser.push(chunk);
  }

  next(): RequestStreamEvent | Run | null {
    const chunk = this.#chunk;
    this.#chunk = null;
    if (chunk === null) {
      const event = this.#parser.next();
      if (event?.type === "headers") {
        this.#parser.tunnel();
        this.#isOpen = true;
      }
      return event?.type === "data" ? { run: "data", bytes: event.bytes } : event;
    }
    const length = this.#parser.readTunnel(chunk);
    const start = this.#parser.tunnelStart;
    if (length === 0) return null;
    return { run: "data", bytes: chunk.subarray(start, start + length) };
  }

  end(): void {
    this.#parser.end();
  }
}

const byNext: Target = {
  name: "request stream, tunnel by next",
  make: () => new OwnedStream("server", (parser) => parser.tunnel()),
  valid: tunnel,
};
const byReadTunnel: Target = {
  name: "request stream, tunnel by readTunnel",
  make: () => new TunnelStream(),
  valid: tunnel,
  losesEvents: true,
};

export const settings: fc.Arbitrary<Partial<Settings>> = fc.record({
  maxFieldSectionSize: fc.option(fc.maxSafeNat()),
  enableConnectProtocol: fc.boolean(),
  qpackMaxTableCapacity: fc.nat(5000),
  qpackBlockedStreams: fc.nat(100),
  h3Datagram: fc.boolean(),
  unknown: fc.uniqueArray(fc.tuple(fc.nat(0xffff), fc.maxSafeNat()), {
    maxLength: 3,
    selector: ([id]) => id,
  }).map((rows) => rows.map(([id, value]): [number, number] => [0x1f * id + 0x40, value])),
});

const settingsFrame = settings.map((value) =>
  encodeFrame(FrameType.SETTINGS, encodeSettings(value))
);

/** A control stream that begins with SETTINGS; its GOAWAYs fall, its MAX_PUSH_IDs rise. */
function control(from: Role): fc.Arbitrary<Bytes> {
  const ids = fc.array(fc.oneof(fc.nat(20), fc.maxSafeNat()), { maxLength: 3 });
  const sorted = ids.map((all) => all.sort((a, b) => a - b));
  return fc.tuple(settingsFrame, sorted, greases).map(([first, ids, between]) => {
    const goaway = ids.toReversed().map((id) => encodeFrame(FrameType.GOAWAY, varint(id - id % 4)));
    const push = ids.map((id) => encodeFrame(FrameType.MAX_PUSH_ID, varint(id)));
    return join(first, ...goaway, between, ...(from === "client" ? push : []));
  });
}

function controlTarget(role: Role, maxSettingsBytes?: number): Target {
  return {
    name: `control stream at a ${role}, SETTINGS up to ${maxSettingsBytes ?? "default"}`,
    make: () => new ControlStreamParser({ role, maxSettingsBytes }),
    valid: control(role === "server" ? "client" : "server"),
    endCode: H3Code.H3_CLOSED_CRITICAL_STREAM,
  };
}

function uniTarget(role: Role): Target {
  const from = role === "server" ? "client" : "server";
  const unknown = fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 20 }));
  return {
    name: `unidirectional stream at a ${role}`,
    make: () => new UniStreamParser(new ConnectionState(role)),
    valid: fc.oneof(
      control(from).map((bytes) => join(varint(UniStreamType.CONTROL), bytes)),
      encoderStream.map((bytes) => join(varint(UniStreamType.QPACK_ENCODER), bytes)),
      decoderStream.map((bytes) => join(varint(UniStreamType.QPACK_DECODER), bytes)),
      unknown.map(([n, bytes]) => join(varint(0x1f * n + 0x21), bytes)),
    ),
    endCode: H3Code.H3_CLOSED_CRITICAL_STREAM,
    state: (parser) => (parser as UniStreamParser).kind,
  };
}

export const targets: Target[] = [
  {
    name: "request stream at a server",
    make: () => new OwnedStream("server", () => {}),
    valid: request,
  },
  {
    name: "request stream at a client",
    make: () =>
      new OwnedStream("client", (parser, block) => {
        if (block[0] !== 1) parser.finalHeaders();
      }),
    valid: response,
  },
  {
    name: "request stream with Content-Length",
    make: () => new OwnedStream("server", (parser) => parser.expectContent(9)),
    valid: headers(0).map((frame) => join(frame, encodeFrame(FrameType.DATA, new Uint8Array(9)))),
  },
  byNext,
  byReadTunnel,
  controlTarget("server"),
  controlTarget("server", 64),
  controlTarget("client"),
  uniTarget("server"),
  uniTarget("client"),
];

export const twins: [Target, Target][] = [[byNext, byReadTunnel]];
