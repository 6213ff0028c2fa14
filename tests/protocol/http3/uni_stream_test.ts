import assert from "node:assert/strict";
import fc from "fast-check";
import { ConnectionState } from "../../../src/protocol/http3/connection.ts";
import type { Role } from "../../../src/protocol/http3/frame.ts";
import {
  type UniStreamEvent,
  UniStreamParser,
  UniStreamType,
} from "../../../src/protocol/http3/uni_stream.ts";
import { feed, feedAllWays, hex } from "./feed.ts";

function show(event: UniStreamEvent): string {
  switch (event.type) {
    case "settings":
      return `settings${event.settings.enableConnectProtocol ? " connect" : ""}`;
    case "ignore":
      return "ignore";
    default:
      return `${event.type} ${event.id}`;
  }
}

const CLOSED = "H3_CLOSED_CRITICAL_STREAM connection";

const cases: { name: string; role?: Role; hex: string; want: string[] }[] = [
  {
    name: "control",
    hex: "00 04 02 0801 07 01 00",
    want: ["settings connect", "goaway 0", CLOSED],
  },
  { name: "a type in a long form", hex: "c000000000000000 04 00", want: ["settings", CLOSED] },
  {
    name: "control that begins with another frame",
    hex: "00 07 01 00",
    want: ["H3_MISSING_SETTINGS connection"],
  },
  {
    name: "the role is handed on",
    role: "client",
    hex: "00 04 00 0d 01 00",
    want: ["settings", "H3_FRAME_UNEXPECTED connection"],
  },
  { name: "encoder", hex: "02 20", want: [CLOSED] },
  { name: "decoder", hex: "03 44", want: [CLOSED] },
  {
    name: "RFC 9204 §3.2.2: an insert on the encoder stream",
    hex: "02 4161 00",
    want: ["0x201 connection"],
  },
  {
    name: "RFC 9204 §4.4.1: an acknowledgment on the decoder stream",
    hex: "03 84",
    want: ["0x202 connection"],
  },
  {
    name: "RFC 9114 §6.2: streams of unknown type MUST NOT be an error",
    hex: "21 00 01 02 03",
    want: ["ignore", "end"],
  },
  { name: "an unknown type above 2^53-1", hex: "ffffffffffffffff 00", want: ["ignore", "end"] },
  {
    name: "RFC 9114 §6.2.2: only servers can push",
    hex: "01 00",
    want: ["H3_STREAM_CREATION_ERROR connection"],
  },
  {
    name: "RFC 9114 §4.6: a push that MAX_PUSH_ID did not allow",
    role: "client",
    hex: "01 00",
    want: ["H3_ID_ERROR connection"],
  },
  {
    name: "RFC 9114 §6.2: a stream that ends before its type MUST be tolerated",
    hex: "",
    want: ["end"],
  },
  {
    name: "RFC 9114 §6.2: a stream that ends inside its type MUST be tolerated",
    hex: "40",
    want: ["end"],
  },
];

for (const test of cases) {
  Deno.test(`uni stream: ${test.name}`, () => {
    const make = () => ({
      parser: new UniStreamParser(new ConnectionState(test.role ?? "server")),
      show,
    });
    assert.deepEqual(feedAllWays(make, hex(test.hex)), test.want);
  });
}

Deno.test("uni stream: SETTINGS and GOAWAY are put down in the connection's state", () => {
  const state = new ConnectionState("client");
  const parser = new UniStreamParser(state);
  assert.equal(parser.kind, null);
  parser.push(hex("00 04 02 0801 07 01 08"));
  assert.equal(parser.next()?.type, "settings");
  assert.equal(parser.kind, "control");
  assert.equal(state.peerSettings?.enableConnectProtocol, true);
  assert.equal(state.peerGoaway, null);
  assert.equal(parser.next()?.type, "goaway");
  assert.equal(state.peerGoaway, 8);
});

Deno.test("uni stream: RFC 9114 §6.2.1, RFC 9204 §4.2: only one stream of each", () => {
  for (const type of [UniStreamType.CONTROL, UniStreamType.QPACK_ENCODER, 3]) {
    const state = new ConnectionState("server");
    const bytes = Uint8Array.of(type);
    assert.deepEqual(feed({ parser: new UniStreamParser(state), show }, [bytes]), [CLOSED]);
    const second = feed({ parser: new UniStreamParser(state), show }, [bytes]);
    assert.deepEqual(second, ["H3_STREAM_CREATION_ERROR connection"]);
  }
});

Deno.test("uni stream: a type that is cut is held back", () => {
  const parser = new UniStreamParser(new ConnectionState("server"));
  parser.push(hex("c00000"));
  assert.equal(parser.next(), null);
  assert.deepEqual([parser.buffered, parser.limit], [3, 8]);
});

Deno.test("uni stream: any bytes give events or a PeerError, the same however they are cut", () => {
  const start = fc.constantFrom("00 04 00", "00", "02", "03", "01", "40", "").map(hex);
  const role = fc.constantFrom("server" as const, "client" as const);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 30 }), role, (head, tail, role) => {
      const make = () => ({ parser: new UniStreamParser(new ConnectionState(role)), show });
      feedAllWays(make, Uint8Array.from([...head, ...tail]));
    }),
    { numRuns: 200 },
  );
});
