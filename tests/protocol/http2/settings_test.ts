// RFC 9113 §6.5, RFC 8441 §3. The numbers of h2spec's cases stand where one is met.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { FrameType } from "../../../src/protocol/http2/frame.ts";
import {
  applySettings,
  defaultSettings,
  settingName,
  settingRows,
  type Settings,
} from "../../../src/protocol/http2/settings.ts";
import { test, Tester } from "./conversation.ts";
import { errorText, frame, headers, hex, ping, SettingId, settings } from "./support.ts";

const {
  HEADER_TABLE_SIZE,
  ENABLE_PUSH,
  MAX_CONCURRENT_STREAMS,
  INITIAL_WINDOW_SIZE,
  MAX_FRAME_SIZE,
  MAX_HEADER_LIST_SIZE,
  ENABLE_CONNECT_PROTOCOL,
} = SettingId;

type Rows = [id: number, value: number][];

const PROTOCOL_ERROR = "PROTOCOL_ERROR connection";
const cases: { name: string; rows: Rows; want: Partial<Settings> | string; at?: "client" }[] = [
  { name: "none", rows: [], want: {} },
  {
    name: "all that there are",
    rows: [
      [HEADER_TABLE_SIZE, 0],
      [ENABLE_PUSH, 0],
      [MAX_CONCURRENT_STREAMS, 0],
      [INITIAL_WINDOW_SIZE, 0x7fffffff],
      [MAX_FRAME_SIZE, 0xffffff],
      [MAX_HEADER_LIST_SIZE, 0xffffffff],
      [ENABLE_CONNECT_PROTOCOL, 1],
    ],
    want: {
      headerTableSize: 0,
      enablePush: false,
      maxConcurrentStreams: 0,
      initialWindowSize: 0x7fffffff,
      maxFrameSize: 0xffffff,
      maxHeaderListSize: 0xffffffff,
      enableConnectProtocol: true,
    },
  },
  {
    name: "§6.5.2: unknown settings MUST be ignored [http2/6.5.2/5]",
    rows: [[0xff, 1], [0x7, 1], [0xffff, 0xffffffff]],
    want: {},
  },
  {
    name: "§6.5.3: values MUST be processed in the order they appear",
    rows: [[MAX_FRAME_SIZE, 20000], [HEADER_TABLE_SIZE, 5], [MAX_FRAME_SIZE, 30000]],
    want: { maxFrameSize: 30000, headerTableSize: 5 },
  },
  {
    name: "§6.5.2: ENABLE_PUSH other than 0 or 1 is PROTOCOL_ERROR [http2/6.5.2/1]",
    rows: [[ENABLE_PUSH, 2]],
    want: PROTOCOL_ERROR,
  },
  { name: "§6.5.2: ENABLE_PUSH of 1 from a client", rows: [[ENABLE_PUSH, 1]], want: {} },
  {
    name: "§6.5.2: ENABLE_PUSH of 1 from a server is PROTOCOL_ERROR",
    rows: [[ENABLE_PUSH, 1]],
    at: "client",
    want: PROTOCOL_ERROR,
  },
  {
    name: "§6.5.2: ENABLE_PUSH of 0 from a server",
    rows: [[ENABLE_PUSH, 0]],
    at: "client",
    want: { enablePush: false },
  },
  {
    name: "§6.5.2: INITIAL_WINDOW_SIZE above 2^31-1 is FLOW_CONTROL_ERROR [http2/6.5.2/2]",
    rows: [[INITIAL_WINDOW_SIZE, 0x80000000]],
    want: "FLOW_CONTROL_ERROR connection",
  },
  {
    name: "§6.5.2: MAX_FRAME_SIZE below 2^14 is PROTOCOL_ERROR [http2/6.5.2/3]",
    rows: [[MAX_FRAME_SIZE, 16383]],
    want: PROTOCOL_ERROR,
  },
  {
    name: "§6.5.2: MAX_FRAME_SIZE above 2^24-1 is PROTOCOL_ERROR [http2/6.5.2/4]",
    rows: [[MAX_FRAME_SIZE, 0x1000000]],
    want: PROTOCOL_ERROR,
  },
  {
    name: "RFC 8441 §3: ENABLE_CONNECT_PROTOCOL MUST be 0 or 1",
    rows: [[ENABLE_CONNECT_PROTOCOL, 2]],
    want: PROTOCOL_ERROR,
  },
  {
    name: "RFC 8441 §3: ENABLE_CONNECT_PROTOCOL MUST NOT be 0 after it was 1",
    rows: [[ENABLE_CONNECT_PROTOCOL, 1], [ENABLE_CONNECT_PROTOCOL, 0]],
    want: PROTOCOL_ERROR,
  },
  {
    name: "RFC 8441 §3: ENABLE_CONNECT_PROTOCOL may be 0, then 1",
    rows: [[ENABLE_CONNECT_PROTOCOL, 0], [ENABLE_CONNECT_PROTOCOL, 1]],
    want: { enableConnectProtocol: true },
  },
];

for (const { name, rows, want, at = "server" } of cases) {
  Deno.test(`settings: RFC 9113 ${name}`, () => {
    let got: Settings | string = defaultSettings();
    const told: Rows = [];
    try {
      const changed = (id: number, value: number) => told.push([id, value]);
      applySettings(got, settings(...rows).subarray(9), { role: at, changed });
      assert.deepEqual(told, rows);
    } catch (error) {
      got = errorText(error);
    }
    assert.deepEqual(got, typeof want === "string" ? want : { ...defaultSettings(), ...want });
  });
}

test("settings: RFC 8441 §3", { options: { role: "server" } }, [{
  name: "ENABLE_CONNECT_PROTOCOL MUST NOT be 0 after it was 1, be it in another frame",
  send: [settings([ENABLE_CONNECT_PROTOCOL, 1]), settings([ENABLE_CONNECT_PROTOCOL, 0])],
  sent: ["SETTINGS ACK", "GOAWAY 0 PROTOCOL_ERROR"],
}]);

test("settings: RFC 9113 §10.5", { options: { role: "server" } }, [
  {
    name: "64 settings in a frame are many",
    send: [frame([FrameType.SETTINGS], 0, new Uint8Array(64 * 6)), ping("--pong--")],
    sent: ["SETTINGS ACK", "PING ACK --pong--"],
  },
  {
    name: "more are ENHANCE_YOUR_CALM, before they have come",
    send: [frame([FrameType.SETTINGS], 0, new Uint8Array(65 * 6)).subarray(0, 9)],
    sent: ["GOAWAY 0 ENHANCE_YOUR_CALM"],
  },
]);

Deno.test("settings: what is said is what is not the default", () => {
  assert.deepEqual(settingRows(defaultSettings(), "server"), []);
  const own = { ...defaultSettings(), enablePush: false, maxHeaderListSize: 5 };
  assert.deepEqual(settingRows(own, "server"), [[MAX_HEADER_LIST_SIZE, 5]]);
  assert.deepEqual(settingRows(own, "client"), [[ENABLE_PUSH, 0], [MAX_HEADER_LIST_SIZE, 5]]);
  assert.equal(settingName(0x8), "ENABLE_CONNECT_PROTOCOL");
  assert.equal(settingName(0x33), "0x33");
});

Deno.test("settings: what is said is what is read", () => {
  const value = (max: number) => fc.integer({ min: 0, max });
  const all = fc.record({
    headerTableSize: value(0xffffffff),
    enablePush: fc.boolean(),
    maxConcurrentStreams: fc.option(value(0xffffffff)),
    initialWindowSize: value(0x7fffffff),
    maxFrameSize: fc.integer({ min: 16384, max: 0xffffff }),
    maxHeaderListSize: fc.option(value(0xffffffff)),
    enableConnectProtocol: fc.boolean(),
  });
  fc.assert(fc.property(all, (settingsSent) => {
    const got = defaultSettings();
    const payload = settings(...settingRows(settingsSent, "client")).subarray(9);
    applySettings(got, payload, { role: "server" });
    assert.deepEqual(got, { ...settingsSent });
  }));
});

Deno.test("settings: what an end says of itself, and the room its encoder has", () => {
  const server = new Tester({
    role: "server",
    settings: { maxConcurrentStreams: 7, initialWindowBytes: 1 << 20, headerTableBytes: 0 },
  });
  assert.deepEqual(server.sent(), [
    "SETTINGS HEADER_TABLE_SIZE=0 MAX_CONCURRENT_STREAMS=7 INITIAL_WINDOW_SIZE=1048576 " +
    "MAX_HEADER_LIST_SIZE=65536 ENABLE_CONNECT_PROTOCOL=1",
    "WINDOW_UPDATE 0 983041",
  ]);
});

Deno.test("settings: ours are brought within what the RFC allows", () => {
  const least = { connectionWindowBytes: 1, maxFrameBytes: 1, initialWindowBytes: 0 };
  const most = {
    connectionWindowBytes: 2 ** 40,
    maxFrameBytes: 2 ** 40,
    initialWindowBytes: 2 ** 40,
  };
  const common = " MAX_CONCURRENT_STREAMS=128 INITIAL_WINDOW_SIZE=";
  const sent = [least, most].map((settings) => new Tester({ role: "server", settings }).sent());
  assert.ok(sent[0][0].includes(`${common}0 MAX_HEADER`));
  assert.ok(sent[1][0].includes(`${common}2147483647 MAX_FRAME_SIZE=16777215`));
  assert.deepEqual([sent[0].slice(1), sent[1].slice(1)], [[], ["WINDOW_UPDATE 0 2147418112"]]);
});

Deno.test("settings: RFC 9113 §4.3.1: a smaller table of ours is in force when acknowledged", () => {
  const tester = new Tester({ role: "server", settings: { headerTableBytes: 0 } });
  tester.sent();
  const preface = hex("505249202a20485454502f322e300d0a0d0a534d0d0a0d0a");
  const indexing = "82 86 84 41 01 61";
  tester.receive(preface, settings(), headers(1, indexing), headers(3, "82 86 84 be"));
  assert.equal(tester.connection.settingsAcknowledged, false);
  tester.receive(frame([FrameType.SETTINGS, 1], 0));
  assert.equal(tester.connection.settingsAcknowledged, true);
  assert.equal(tester.receive(headers(5, indexing)), false);
  assert.deepEqual(tester.sent(), ["SETTINGS ACK", "GOAWAY 3 COMPRESSION_ERROR"]);
});

Deno.test("settings: RFC 9113 §4.3.1: our encoder heeds a smaller table of the peer's", () => {
  const tester = Tester.ready({ role: "server" });
  tester.receive(settings([HEADER_TABLE_SIZE, 0]), headers(1, "82 86 84 01 01 61"));
  tester.connection.output();
  tester.connection.sendHeaders(1, [[":status", "200"], ["x", "1"]], true);
  const bytes = tester.connection.output();
  assert.equal(bytes[9], 0x20, "a size update to 0 begins the block");
});
