import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeFrame } from "../../../src/protocol/http3/frame.ts";
import {
  type ControlStreamEvent,
  ControlStreamParser,
} from "../../../src/protocol/http3/control_stream.ts";
import { feedAllWays, hex } from "./feed.ts";

interface Case {
  name: string;
  role?: "server" | "client";
  pushIds?: number;
  hex: string;
  /** Without the H3_CLOSED_CRITICAL_STREAM that ends every control stream. */
  want: string[];
}

function show(event: ControlStreamEvent): string {
  if (event.type !== "settings") return `${event.type} ${event.id}`;
  const { enableConnectProtocol, unknown } = event.settings;
  return `settings${enableConnectProtocol ? " connect" : ""}${unknown.map(([id]) => ` ${id}`)}`;
}

const CLOSED = "H3_CLOSED_CRITICAL_STREAM connection";
const UNEXPECTED = "H3_FRAME_UNEXPECTED connection";
const ID_ERROR = "H3_ID_ERROR connection";
const long = "2100".repeat(33);

const cases: Case[] = [
  { name: "empty SETTINGS", hex: "04 00", want: ["settings"] },
  { name: "SETTINGS", hex: "04 04 0801 2100", want: ["settings connect 33"] },
  {
    name: "RFC 9114 §9: unknown frame types MUST be ignored",
    hex: "04 00 21 03 010203 800f0700 01 00 07 01 00 4040 00",
    want: ["settings", "goaway 0"],
  },
  {
    name: "RFC 9114 §5.2: GOAWAY that falls, and that stays",
    role: "client",
    hex: "04 00 07 08 fffffffffffffffc 07 01 08 07 02 4008 07 01 04",
    want: ["settings", `goaway ${2 ** 62}`, "goaway 8", "goaway 8", "goaway 4"],
  },
  {
    name: "a server takes a GOAWAY of any push ID",
    hex: "04 00 07 01 03",
    want: ["settings", "goaway 3"],
  },
  {
    name: "MAX_PUSH_ID that rises",
    hex: "04 00 0d 01 00 0d 01 00 0d 02 4100",
    want: ["settings", "max_push_id 0", "max_push_id 0", "max_push_id 256"],
  },
  {
    name: "CANCEL_PUSH of a push ID that exists",
    pushIds: 2,
    hex: "04 00 03 01 01 03 01 02",
    want: ["settings", "cancel_push 1", ID_ERROR],
  },
  ...["00 01 61", "01 00", "07 01 00", "0d 01 00", "21 00", "02 00", "05 01 00"].map((
    bytes,
  ): Case => ({
    name: `RFC 9114 §6.2.1: a control stream that does not begin with SETTINGS: ${bytes}`,
    hex: bytes,
    want: ["H3_MISSING_SETTINGS connection"],
  })),
  {
    name: "RFC 9114 §7.2.4: a second SETTINGS is H3_FRAME_UNEXPECTED",
    hex: "04 00 04 00",
    want: ["settings", UNEXPECTED],
  },
  {
    name: "RFC 9114 §7.2.1: DATA on the control stream is H3_FRAME_UNEXPECTED",
    hex: "04 00 00 00",
    want: ["settings", UNEXPECTED],
  },
  {
    name: "RFC 9114 §7.2.2: HEADERS on the control stream is H3_FRAME_UNEXPECTED",
    hex: "04 00 01 01 d1",
    want: ["settings", UNEXPECTED],
  },
  ...["server", "client"].map((role): Case => ({
    name: `RFC 9114 §7.2.5: PUSH_PROMISE on the control stream is H3_FRAME_UNEXPECTED: ${role}`,
    role: role as "server" | "client",
    hex: "04 00 05 02 00d1",
    want: ["settings", UNEXPECTED],
  })),
  ...["02", "06", "08", "09"].map((type): Case => ({
    name: `RFC 9114 §7.2.8: frame type 0x${type} of HTTP/2 is H3_FRAME_UNEXPECTED`,
    hex: `04 00 ${type} 00`,
    want: ["settings", UNEXPECTED],
  })),
  {
    name: "RFC 9114 §7.2.7: a client MUST treat MAX_PUSH_ID as H3_FRAME_UNEXPECTED",
    role: "client",
    hex: "04 00 0d 01 00",
    want: ["settings", UNEXPECTED],
  },
  {
    name: "RFC 9114 §7.2.7: a MAX_PUSH_ID below one that came before is H3_ID_ERROR",
    hex: "04 00 0d 01 05 0d 01 04",
    want: ["settings", "max_push_id 5", ID_ERROR],
  },
  {
    name: "RFC 9114 §5.2: a GOAWAY with an ID above that of one before is H3_ID_ERROR",
    role: "client",
    hex: "04 00 07 01 04 07 01 08",
    want: ["settings", "goaway 4", ID_ERROR],
  },
  ...["01 01", "01 02", "01 03", "08 ffffffffffffffff"].map((bytes): Case => ({
    name: `RFC 9114 §7.2.6: a GOAWAY with an ID that is not a request's is H3_ID_ERROR: ${bytes}`,
    role: "client",
    hex: `04 00 07 ${bytes}`,
    want: ["settings", ID_ERROR],
  })),
  ...["server", "client"].map((role): Case => ({
    name: `RFC 9114 §7.2.3: CANCEL_PUSH of an ID that was not promised, not allowed: ${role}`,
    role: role as "server" | "client",
    hex: "04 00 03 01 00",
    want: ["settings", ID_ERROR],
  })),
  ...["07 00", "07 02 0000", "07 01 40", "07 09 c00000000000000000", "0d 00", "0d 02 0100", "03 00"]
    .map((bytes): Case => ({
      name: `RFC 9114 §7.1: a payload with more or less than its fields: ${bytes}`,
      hex: `04 00 ${bytes}`,
      want: ["settings", "H3_FRAME_ERROR connection"],
    })),
  {
    name: "RFC 9114 §7.1: SETTINGS that ends before its fields is H3_FRAME_ERROR",
    hex: "04 01 08",
    want: ["H3_FRAME_ERROR connection"],
  },
  {
    name: "RFC 9114 §7.2.4: the same setting MUST NOT occur more than once",
    hex: "04 04 0801 0801",
    want: ["H3_SETTINGS_ERROR connection"],
  },
  {
    name: "RFC 9114 §10.5: SETTINGS longer than the limit is H3_EXCESSIVE_LOAD",
    hex: `04 4042 ${long}`,
    want: ["H3_EXCESSIVE_LOAD connection"],
  },
  { name: "RFC 9114 §6.2.1: closed before SETTINGS", hex: "", want: [] },
  { name: "RFC 9114 §6.2.1: closed inside a frame", hex: "04 02 08", want: [] },
];

for (const test of cases) {
  Deno.test(`control stream: ${test.name}`, () => {
    const { role = "server", pushIds } = test;
    const make = () => ({
      parser: new ControlStreamParser({ role, pushIds, maxSettingsBytes: 64 }),
      show,
    });
    const failed = test.want.some((line) => line.includes("H3_"));
    const want = failed ? test.want : [...test.want, CLOSED];
    assert.deepEqual(feedAllWays(make, hex(test.hex)), want);
  });
}

Deno.test("control stream: any bytes give events or a PeerError, the same however they are cut", () => {
  const frame = fc.tuple(
    fc.constantFrom(7, 7, 13, 33, 3, 4, 0x40),
    fc.oneof(fc.constantFrom(hex("00"), hex("04"), hex("4008")), fc.uint8Array({ maxLength: 9 })),
  ).map(([type, payload]) => encodeFrame(type, payload));
  const input = fc.array(fc.oneof({ weight: 9, arbitrary: frame }, fc.uint8Array()), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(input, fc.constantFrom("server" as const, "client" as const), (parts, role) => {
      const bytes = Uint8Array.from([4, 0, ...parts.flatMap((part) => [...part])]);
      feedAllWays(() => ({ parser: new ControlStreamParser({ role }), show }), bytes);
    }),
    { numRuns: 150 },
  );
});
