import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Auth, Authed, Login } from "../../../src/protocol/tunnel/auth.ts";
import { TunnelCode } from "../../../src/protocol/tunnel/code.ts";
import { decodeFrame } from "../../../src/protocol/tunnel/decode.ts";
import { encodeFrame, encodePrefixed } from "../../../src/protocol/tunnel/encode.ts";
import type { Frame } from "../../../src/protocol/tunnel/frame.ts";
import { FrameDecoder } from "../../../src/protocol/tunnel/frame_decoder.ts";
import { Mux } from "../../../src/protocol/tunnel/mux.ts";
import type { MuxEvent } from "../../../src/protocol/tunnel/mux_receive.ts";
import type { MuxRole } from "../../../src/protocol/tunnel/mux_state.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";
import type { Bytes, Codec, Decoder, Target } from "../driver.ts";
import { join } from "../input.ts";

const text = (maxLength: number) => fc.string({ unit: "binary", maxLength });
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 9 });
const absent = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const code = fc.constantFrom(...Object.values(TunnelCode));
const port = fc.constantFrom(1, 80, 255, 256, 65_535);
const host = fc.constantFrom(
  "a",
  "a.example",
  "2001:db8::1",
  "192.0.2.1",
  "é.test",
  "h".repeat(255),
);
const protocol = fc.constantFrom("tcp" as const, "udp" as const);
const id = fc.oneof(
  fc.integer({ min: 1, max: 70 }),
  fc.constantFrom(0x3fff, 0x4000, 0x40000000, Number.MAX_SAFE_INTEGER),
);
const windowBytes = fc.oneof(fc.nat(20), fc.constantFrom(0x4000, 0x40000, 0x7fffffff));

const login: fc.Arbitrary<Login> = fc.oneof(
  fc.record({ username: name, password: text(20) }),
  fc.record({ token: name }),
);
const auth: fc.Arbitrary<Auth> = fc.record({
  version: fc.integer({ min: 1, max: 9 }),
  clientId: name,
  login: absent(login),
  group: absent(name),
  agent: absent(name),
  openPorts: fc.array(
    fc.record({ protocol, remotePort: port, localHost: host, localPort: port }),
    { maxLength: 3 },
  ),
  maxConns: absent(fc.integer({ min: 1, max: 1000 })),
});
const authed: fc.Arbitrary<Authed> = fc.record({
  success: fc.boolean(),
  message: text(20),
  code,
  session: absent(name),
  heartbeatMs: absent(fc.integer({ min: 1, max: 60_000 })),
  refusedPorts: fc.array(
    fc.record({ protocol, remotePort: port, message: text(20) }),
    { maxLength: 3 },
  ),
}).map((value) => ({ ...value, code: value.success ? null : value.code }));

/** A kind of frame, and what else is in it. */
function of(type: Frame["type"], rest: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Frame> {
  return fc.record({ type: fc.constant(type), ...rest }) as fc.Arbitrary<Frame>;
}

const payload = fc.uint8Array({ minLength: 8, maxLength: 8 });
const frame: fc.Arbitrary<Frame> = fc.oneof(
  of("auth", { auth }),
  of("authed", { authed }),
  of("open", { id, windowBytes, protocol, host, port }),
  of("opened", { id, windowBytes }),
  of("refused", { id, code, message: text(200) }),
  of("data", { id, bytes: fc.uint8Array({ maxLength: 200 }) }),
  of("credit", { id, bytes: fc.integer({ min: 1, max: 0x7fffffff }) }),
  of("fin", { id }),
  of("reset", { id, code, message: text(200) }),
  of("ping", { payload }),
  of("pong", { payload }),
  of("drain", { ms: fc.oneof(fc.nat(100), fc.nat(0x7fffffff)) }),
);

const prefixed = fc.array(frame, { maxLength: 6 }).map((all) => join(...all.map(encodePrefixed)));

const frameDecoder: Target<Frame> = {
  name: "FrameDecoder",
  make: () => new FrameDecoder(),
  valid: prefixed,
};

const WINDOW = 40;
const MAX_STREAMS = 4;
/** So many streams the gateway has asked for before anything comes. */
const ASKED = 3;

/** A link whose messages come with their length; its owner takes all, and keeps some of it. */
class Link implements Parser<MuxEvent> {
  readonly #decoder = new FrameDecoder();
  readonly mux: Mux;
  readonly limit = this.#decoder.limit;
  /** What came of each stream and was not consumed. */
  readonly #kept = new Map<number, number>();

  constructor(role: MuxRole) {
    this.mux = new Mux({ role, windowBytes: WINDOW, maxStreams: MAX_STREAMS });
    for (let i = 0; i < ASKED && role === "gateway"; i++) {
      this.mux.open({ protocol: i === 1 ? "udp" : "tcp", host: "a", port: 1 });
    }
  }

  get buffered(): number {
    return this.#decoder.buffered;
  }

  push(chunk: Bytes): void {
    this.#decoder.push(chunk);
  }

  next(): MuxEvent | null {
    for (;;) {
      const frame = this.#decoder.next();
      if (frame === null) return null;
      const event = this.mux.receive(encodeFrame(frame));
      assert.ok(this.mux.streams <= MAX_STREAMS);
      if (event !== null) this.#serve(event);
      this.mux.output();
      if (event !== null) return event;
    }
  }

  end(): void {
    this.#decoder.end();
  }

  #serve(event: MuxEvent): void {
    if (event.type === "open") assert.ok(this.mux.accept(event.id));
    if (event.type === "fin" && event.id % 2 === 0) this.mux.fin(event.id);
    if (event.type === "data") this.#keep(event.id, event.bytes.length);
  }

  /** Keeps what comes until it is most of a window. */
  #keep(id: number, credit: number): void {
    const kept = (this.#kept.get(id) ?? 0) + credit;
    assert.ok(kept <= WINDOW, "more came than the window has");
    const isMuch = 2 * kept > WINDOW;
    this.#kept.set(id, isMuch ? 0 : kept);
    if (isMuch) this.mux.consumed(id, kept);
  }
}

/** So that CREDIT doesn't bring it above what a window may be. */
const usualWindow = fc.nat(0x40000);

/** What a peer sends on a stream after it is open. */
const talk = fc.record({
  data: fc.array(fc.uint8Array({ minLength: 1, maxLength: WINDOW / 2 }), { maxLength: 5 }),
  credit: fc.nat(100),
  end: fc.constantFrom("fin" as const, "reset" as const),
  code,
});

type Talk = typeof talk extends fc.Arbitrary<infer T> ? T : never;

function framesOf(id: number, { data, credit, end, code }: Talk): Frame[] {
  return [
    ...data.map((bytes): Frame => ({ type: "data", id, bytes })),
    ...(credit === 0 ? [] : [{ type: "credit", id, bytes: credit } as const]),
    end === "fin" ? { type: end, id } : { type: end, id, code, message: end },
  ];
}

const toAgent = fc.array(fc.tuple(talk, protocol, usualWindow), { maxLength: 4 }).map((talks) =>
  talks.flatMap(([talk, protocol, windowBytes], i): Frame[] => {
    const open = { type: "open", id: i + 1, protocol, host: "a", port: 1, windowBytes } as const;
    return [open, ...framesOf(i + 1, talk)];
  })
);
const toGateway = fc.array(fc.tuple(talk, usualWindow), { maxLength: ASKED }).map((talks) =>
  talks.flatMap(([talk, windowBytes], i): Frame[] => [
    { type: "opened", id: i + 1, windowBytes },
    ...framesOf(i + 1, talk),
  ])
);
/** PING and the like may stand between any two frames; so may what belongs elsewhere, beyond. */
function spread(frames: fc.Arbitrary<Frame[]>, more: fc.Arbitrary<Frame>): fc.Arbitrary<Bytes> {
  return fc.tuple(frames, fc.array(fc.tuple(fc.nat(20), more), { maxLength: 4 })).map(
    ([frames, more]) => {
      const all = [...frames];
      for (const [at, frame] of more) all.splice(at % (all.length + 1), 0, frame);
      return join(...all.map(encodePrefixed));
    },
  );
}

const calm = fc.oneof(
  of("ping", { payload }),
  of("pong", { payload }),
  of("drain", { ms: fc.nat(9) }),
);
const small = fc.integer({ min: 1, max: 5 });
const wild = fc.oneof(
  of("open", { id: small, windowBytes, protocol, host, port }),
  of("opened", { id: small, windowBytes }),
  of("refused", { id: small, code, message: text(5) }),
  of("data", { id: small, bytes: fc.uint8Array({ maxLength: 2 * WINDOW }) }),
  of("credit", { id: small, bytes: fc.integer({ min: 1, max: 0x7fffffff }) }),
  of("fin", { id: small }),
  of("reset", { id: small, code, message: text(5) }),
);

function link(role: MuxRole, frames: fc.Arbitrary<Frame[]>): Target<MuxEvent, Link> {
  return {
    name: `Mux of the ${role}`,
    make: () => new Link(role),
    valid: spread(frames, calm),
    beyond: spread(frames, wild),
    state: ({ mux }) => [mux.streams, mux.isDone],
  };
}

export const targets: Target[] = [
  frameDecoder,
  link("agent", toAgent),
  link("gateway", toGateway),
] as unknown as Target[];

export const decoders: Decoder[] = [
  { name: "frame of the tunnel", decode: decodeFrame, valid: frame.map(encodeFrame) },
];

const whole: Codec<Frame, Bytes> = {
  name: "frame of the tunnel",
  value: frame,
  encode: encodeFrame,
  decode: decodeFrame,
};

export const codecs: Codec[] = [whole] as Codec[];
