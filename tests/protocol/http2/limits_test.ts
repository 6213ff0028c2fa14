// RFC 9113 §10.5: what a peer may do too often; fair_test.ts has who does it for good reason.
import assert from "node:assert/strict";
import { H2Code } from "../../../src/protocol/http2/codes.ts";
import { encodeResponse } from "../../../src/protocol/http2/fields.ts";
import type { Http2Options } from "../../../src/protocol/http2/options.ts";
import { Tester } from "./conversation.ts";
import { id, quick, steps } from "./floods.ts";
import {
  ACK,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  goaway,
  headers,
  ping,
  POST,
  priority,
  rstStream,
  settings,
  windowUpdate,
} from "./support.ts";

const WHOLE = END_HEADERS | END_STREAM;
const server: Http2Options = { role: "server" };

interface Flood {
  name: string;
  /** How many steps are borne at once. */
  burst: number;
  /** How many a second for good. */
  perSecond: number;
  /** Before the first one. */
  first?: Uint8Array[];
  step: (i: number) => Uint8Array[];
}

const OPEN = [headers(1, POST)];

const floods: Flood[] = [
  {
    name: "CVE-2023-44487: streams that the peer opens and resets",
    burst: 1000,
    perSecond: 33,
    step: (i) => [headers(id(i), POST), rstStream(id(i), H2Code.CANCEL)],
  },
  {
    name: "CVE-2025-8671: streams that we reset, for WINDOW_UPDATE of 0",
    burst: 1000,
    perSecond: 33,
    step: (i) => [headers(id(i), POST), windowUpdate(id(i), 0)],
  },
  {
    name: "CVE-2025-8671: streams that we reset, for a window that is too large",
    burst: 1000,
    perSecond: 33,
    step: (i) => [headers(id(i), POST), windowUpdate(id(i), 0x7fffffff)],
  },
  {
    name: "CVE-2025-8671: streams that we reset, for DATA behind END_STREAM",
    burst: 1000,
    perSecond: 33,
    step: (i) => [headers(id(i), POST), data(id(i), "", END_STREAM), data(id(i), "x")],
  },
  {
    name: "CVE-2025-8671: streams that we reset, for a malformed head",
    burst: 1000,
    perSecond: 33,
    step: (i) => [headers(id(i), "86 84", WHOLE)],
  },
  {
    name: "CVE-2025-8671: streams that we reset, for PRIORITY",
    burst: 1000,
    perSecond: 33,
    step: (i) => [headers(id(i), POST), priority(id(i), id(i))],
  },
  {
    name: "streams that we refuse",
    burst: 1000,
    perSecond: 33,
    first: Array.from({ length: 128 }, (_, i) => headers(id(i), POST)),
    step: (i) => [headers(id(i + 128), POST)],
  },
  {
    name: "CVE-2019-9512: PING",
    burst: 500,
    perSecond: 50,
    step: () => [ping("12345678")],
  },
  {
    name: "CVE-2019-9515: SETTINGS",
    burst: 100,
    perSecond: 2,
    step: () => [settings()],
  },
  {
    name: "CVE-2019-9518: empty DATA",
    burst: 1000,
    perSecond: 100,
    first: OPEN,
    step: () => [data(1, "")],
  },
  {
    name: "CVE-2019-9518: DATA of padding alone",
    burst: 1000,
    perSecond: 100,
    first: OPEN,
    step: () => [data(1, "\x01\x00", 0x8)],
  },
  {
    name: "CVE-2019-9513: PRIORITY",
    burst: 10_000,
    perSecond: 1000,
    step: (i) => [priority(id(i), 0)],
  },
  {
    name: "WINDOW_UPDATE of the connection",
    burst: 10_000,
    perSecond: 1000,
    step: () => [windowUpdate(0, 1)],
  },
  {
    name: "WINDOW_UPDATE of a stream",
    burst: 10_000,
    perSecond: 1000,
    first: OPEN,
    step: () => [windowUpdate(1, 1)],
  },
  {
    name: "frames on closed streams",
    burst: 10_000,
    perSecond: 1000,
    first: [headers(3, GET, WHOLE)],
    step: () => [windowUpdate(1, 1)],
  },
  {
    name: "frames of unknown type",
    burst: 10_000,
    perSecond: 1000,
    step: () => [frame([0x16], 1)],
  },
  {
    name: "DATA on a stream that we reset",
    burst: 10_000,
    perSecond: 1000,
    first: [...OPEN, windowUpdate(1, 0x7fffffff)],
    step: () => [data(1, "x")],
  },
  {
    name: "GOAWAY",
    burst: 10_000,
    perSecond: 1000,
    step: () => [goaway(0, 0)],
  },
];

for (const { name, burst, perSecond, first = [], step } of floods) {
  Deno.test(`limits: a flood is ENHANCE_YOUR_CALM: ${name}`, () => {
    const tester = Tester.ready(server, quick);
    tester.receive(...first);
    tester.connection.tick(0);
    const borne = steps(tester, 2 * burst, step);
    assert.ok(borne >= burst - 10 && borne <= burst + 10, `${borne} steps were borne`);
  });

  Deno.test(`limits: so many a second are none: ${name}`, () => {
    const tester = Tester.ready(server, quick);
    tester.receive(...first);
    tester.connection.tick(0);
    let i = 0;
    const bytes = () => step(i++);
    const twoSecondsLong = Math.ceil(burst / perSecond) * 3;
    for (let second = 1; second <= twoSecondsLong; second++) {
      assert.equal(steps(tester, perSecond, bytes), perSecond, `in second ${second}`);
      tester.connection.tick(1000 * second);
    }
    assert.ok(i > 2 * burst);
    // And what was not done is no credit without end.
    tester.connection.tick(1e9);
    assert.ok(steps(tester, 2 * burst + 10, bytes) <= burst + 10);
  });
}

Deno.test("limits: CVE-2024-27316: more than 64 CONTINUATION frames are ENHANCE_YOUR_CALM", () => {
  const tester = Tester.ready(server, quick);
  tester.receive(headers(1, GET, END_STREAM));
  for (let i = 0; i < 63; i++) assert.ok(tester.receive(continuation(1, "")));
  assert.ok(tester.receive(continuation(1, "", END_HEADERS)));
  assert.deepEqual(tester.sent(), ["HEADERS 1 :status=200 END"]);
  tester.receive(headers(3, GET, END_STREAM));
  for (let i = 0; i < 64; i++) assert.ok(tester.receive(continuation(3, "")));
  assert.equal(tester.receive(continuation(3, "", END_HEADERS)), false);
  assert.deepEqual(tester.sent(), ["GOAWAY 1 ENHANCE_YOUR_CALM"]);
});

Deno.test("limits: answers that nobody reads are ENHANCE_YOUR_CALM", () => {
  const limits = { maxReplyBytes: 170 };
  const tester = Tester.ready({ ...server, limits });
  for (let i = 0; i < 10; i++) assert.ok(tester.receive(ping("12345678")));
  assert.equal(tester.connection.outputBytes, 170);
  assert.equal(tester.receive(ping("12345678")), false);

  const reading = Tester.ready({ ...server, limits });
  for (let i = 0; i < 100; i++) {
    assert.ok(reading.receive(ping("12345678")));
    reading.connection.output();
  }
});

Deno.test("limits: what we send of our own is no answer", () => {
  const tester = Tester.ready({ ...server, limits: { maxReplyBytes: 20 } }, () => {});
  tester.receive(headers(1, POST), data(1, new Uint8Array(16384)), data(1, new Uint8Array(16384)));
  tester.connection.sendHeaders(1, encodeResponse(200, [["x", "1".repeat(100)]]), false);
  tester.connection.sendData(1, new Uint8Array(1000), false);
  tester.connection.consumed(1, 32768);
  for (let i = 0; i < 10; i++) tester.connection.ping(new Uint8Array(8));
  assert.ok(tester.receive(ping("12345678", ACK)));
});
