import assert from "node:assert/strict";
import { KNOB_ROWS, KnobError, readKnobs } from "../../src/cli/echo_knobs.ts";

/** What was given, without what was not. */
function read(query: string): Record<string, unknown> {
  return JSON.parse(JSON.stringify(readKnobs(query)));
}

const READ: [query: string, want: Record<string, unknown>][] = [
  ["", {}],
  ["delay=250ms", { delayMs: 250 }],
  ["handshake-delay=2s&stall=10s&ping=1s", {
    handshakeDelayMs: 2000,
    stallMs: 10_000,
    pingIntervalMs: 1000,
  }],
  ["close=4001", { end: { after: 0, close: { code: 4001, reason: "" } } }],
  ["close=4001&reason=so%20long&after=3", {
    end: { after: 3, close: { code: 4001, reason: "so long" } },
  }],
  ["close=1005", { end: { after: 0, close: { code: 1005, reason: "" } } }],
  ["drop=1", { end: { after: 1, close: null } }],
  ["status=403", { refusal: { status: 403, body: "refused with 403, as the query says\n" } }],
  ["status=503&body=&retry-after=7", {
    refusal: { status: 503, body: "", retryAfterSeconds: 7 },
  }],
  ["size=64KiB&text", { sizeBytes: 65_536, type: "text" }],
  ["size=0&binary=1", { sizeBytes: 0, type: "binary" }],
  ["count=100&interval=10ms", { push: { count: 100, intervalMs: 10 } }],
  ["count=2", { push: { count: 2, intervalMs: 0 } }],
  ["protocol=chat", { protocol: "chat" }],
  ["protocol=", { protocol: "" }],
];

for (const [query, want] of READ) {
  Deno.test(`echo knobs: ?${query}`, () => assert.deepEqual(read(query), want));
}

const REFUSED: [query: string, problem: string][] = [
  ["dealy=1s", '"dealy" is not known'],
  ["__proto__=1", '"__proto__" is not known'],
  ["token=secret%0a", '"token" is not known'],
  ["delay=1s&delay=2s", "delay is there twice"],
  [
    "delay=5",
    'delay: "5" is not a duration; allowed: 0, or numbers with h, m, s, ms (120s, 1m30s, 500ms)',
  ],
  ["delay=2h", 'delay: "2h" is out of range; allowed: 0 to 1h'],
  ["status=200", 'status: "200" is out of range; allowed: 300 to 599'],
  ["size=1GiB", 'size: "1GiB" is out of range; allowed: 0 to 16MiB'],
  [
    "close=1006",
    "close: Cannot send close code 1006: allowed are 1000-1003, 1007-1014, " +
    "3000-4999, and 1005 for no code",
  ],
  ["close=4001&reason=" + "é".repeat(62), "reason is longer than 123 bytes"],
  [
    "protocol=a%20b",
    'protocol: "a b" is no token; allowed: the name of a subprotocol, or ' +
    "nothing for none",
  ],
  ["body=x", "body goes with status alone"],
  ["retry-after=1", "retry-after goes with status alone"],
  ["interval=1s", "interval goes with count alone"],
  ["reason=x", "reason goes with close alone"],
  ["after=1", "after goes with close alone"],
  ["text&binary", "text and binary don't go together"],
  ["close=4001&drop=1", "close and drop don't go together"],
  ["text=maybe", 'text: "maybe" is neither true nor false; allowed: true or false'],
];

for (const [query, problem] of REFUSED) {
  Deno.test(`echo knobs: ?${query.slice(0, 40)} is refused, and all are told`, () => {
    assert.throws(() => readKnobs(query), (error) => {
      assert.ok(error instanceof KnobError);
      const [, told, all] = /^Knob (.*)\. There are (.*); GET \/ tells .*\.$/.exec(error.message)!;
      assert.equal(told, problem);
      assert.deepEqual(
        all.split(", "),
        KNOB_ROWS.map(({ example }) => example.replace(/=.*/, "")),
      );
      return true;
    });
  });
}

Deno.test("echo knobs: each example that is told can be used", () => {
  const with_: Record<string, string> = {
    body: "status=403",
    "retry-after": "status=503",
    interval: "count=1",
    reason: "close=4001",
    after: "close=4001",
  };
  for (const { example } of KNOB_ROWS) {
    const needs = with_[example.replace(/=.*/, "")];
    readKnobs(needs === undefined ? example : `${needs}&${example}`);
  }
});

Deno.test("echo knobs: what is not known may be somebody else's, and all of it", () => {
  assert.equal(readKnobs("token=x&delay=1s", "known").delayMs, 1000);
  assert.throws(() => readKnobs("token=x&delay=1", "known"), KnobError);
  assert.deepEqual(readKnobs("token=x&delay=1", "off"), {});
});
