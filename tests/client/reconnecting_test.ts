import assert from "node:assert/strict";
import { UpgradeRefused } from "../../src/client/connect.ts";
import { reconnecting, type ReconnectingEnd } from "../../src/client/reconnecting.ts";
import { NetError } from "../../src/net/error.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { within } from "../support/within.ts";
import { settled, World } from "./reconnecting_support.ts";

const REFUSED = { code: 1006, reason: "refused", wasClean: false, by: "lost" };

Deno.test("reconnecting: it connects at once, and tells which attempt it was", async () => {
  const world = new World({ protocols: ["chat"] });
  const { url, options, open } = await world.attempt();
  assert.deepEqual([url, options.protocols], ["ws://host.example/", ["chat"]]);
  assert.equal(world.socket.open, false);
  await open();
  assert.equal(world.socket.open, true);
  assert.deepEqual(world.told, ["open 1.1 1"]);
  await world.socket.close();
});

Deno.test("reconnecting: the wait doubles from 500 ms to 30 s, and is drawn by lot below that", async () => {
  const lots = [1, 1, 1, 1, 1, 1, 1, 0.5, 0];
  const world = new World({ random: () => lots.shift()! });
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    await (await world.attempt()).fail();
    waits.push(...world.clock.waits);
    await world.clock.pass(world.clock.waits[0]);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 15000, 0]);
  await world.socket.close();
});

Deno.test("reconnecting: minDelayMs, maxDelayMs and factor say otherwise", async () => {
  const world = new World({ minDelayMs: 10, maxDelayMs: 200, factor: 3 });
  const waits: number[] = [];
  for (let i = 0; i < 5; i++) {
    await (await world.attempt()).fail();
    waits.push(...world.clock.waits);
    await world.clock.pass(world.clock.waits[0]);
  }
  assert.deepEqual(waits, [10, 30, 90, 200, 200]);
  await world.socket.close();
});

Deno.test("reconnecting: a wait of 0 stays one, however often it fails", async () => {
  const world = new World({ minDelayMs: 0, factor: 1e300 });
  for (let i = 0; i < 5; i++) {
    await (await world.attempt()).fail();
    assert.deepEqual(world.clock.waits, [0]);
    await world.clock.pass(0);
  }
  await world.socket.close();
});

Deno.test("reconnecting: no attempt comes before the wait is over", async () => {
  const world = new World();
  await (await world.attempt()).fail();
  await world.clock.pass(499);
  assert.equal(world.count, 1);
  await world.clock.pass(1);
  assert.equal(world.count, 2);
  await world.socket.close();
});

for (
  const { livedMs, told } of [
    { livedMs: 59_999, told: ["open 1.1 3", "close 1006 2000"] },
    { livedMs: 60_000, told: ["open 1.1 3", "close 1006 500"] },
  ]
) {
  Deno.test(`reconnecting: a connection that lived ${livedMs} ms: the next wait`, async () => {
    const world = new World();
    for (let i = 0; i < 2; i++) {
      await (await world.attempt()).fail();
      await world.clock.pass(world.clock.waits[0]);
    }
    const server = await world.open();
    await world.clock.pass(livedMs);
    server.abort();
    await settled();
    assert.deepEqual(world.told.slice(2), told);
    await world.socket.close();
  });
}

Deno.test("reconnecting: maxRetries: so many come in a row, then iteration tells why", async () => {
  const world = new World({ maxRetries: 2 });
  const waiting = world.socket.send("never").catch((error: unknown) => error);
  const reading = world.socket.receive().catch((error: unknown) => error);
  const error = new NetError("refused", "refused");
  for (let i = 0; i < 3; i++) {
    await (await world.attempt()).fail(error);
    for (const ms of world.clock.waits.slice(0, -1)) await world.clock.pass(ms);
  }
  assert.deepEqual(await within("the end", world.socket.closed), { ...REFUSED, error });
  assert.deepEqual(world.told, ["close 1006 500", "close 1006 1000", "close 1006 null"]);
  assert.equal(await reading, error);
  await assert.rejects(world.socket.receive(), error);
  const told = await waiting;
  assert.ok(told instanceof NetError);
  assert.deepEqual([told.kind, told.cause], ["aborted", error]);
  await assert.rejects(world.socket.send("late"), { name: "NetError", kind: "aborted" });
  assert.deepEqual([world.count, world.clock.waits], [3, []]);
  assert.deepEqual(await world.socket.close(), { ...REFUSED, error });
});

const ENDS: { code: number; comesBack: boolean }[] = [
  ...[1000, 1008, 4000, 4999].map((code) => ({ code, comesBack: false })),
  ...[1001, 1002, 1005, 1009, 1011, 1012, 1013, 3000, 3999].map((code) => ({
    ...{ code, comesBack: true },
  })),
];

for (const { code, comesBack } of ENDS) {
  Deno.test(`reconnecting: after the server's ${code} it ${comesBack ? "comes back" : "does not come back"}`, async () => {
    const world = new World();
    const server = await world.open();
    await server.close(code, code === 1005 ? "" : "why");
    await settled();
    assert.deepEqual(world.told[1], `close ${code} ${comesBack ? 500 : null}`);
    if (!comesBack) {
      const end = { code, reason: "why", wasClean: true, by: "peer" };
      assert.deepEqual(await within("the end", world.socket.closed), end);
      assert.equal(await world.socket.receive(), null);
      assert.deepEqual(world.clock.waits, []);
    }
    await world.socket.close();
  });
}

function refusal(status: number, fields: readonly Field[] = []): UpgradeRefused {
  return new UpgradeRefused("ws://a", { status, fields, body: new Uint8Array(0) });
}

const FAILURES: { name: string; error: unknown; comesBack: boolean }[] = [
  ...[200, 302, 408, 421, 425, 429, 500, 502, 503].map((status) => ({
    ...{ name: `a ${status}`, error: refusal(status), comesBack: true },
  })),
  ...[400, 401, 403, 404, 426, 451].map((status) => ({
    ...{ name: `a ${status}`, error: refusal(status), comesBack: false },
  })),
  { name: "an option that is none", error: new TypeError("no"), comesBack: false },
  { name: "a fault of TLS", error: new NetError("tls", "expired"), comesBack: true },
];

for (const { name, error, comesBack } of FAILURES) {
  Deno.test(`reconnecting: after ${name} it ${comesBack ? "comes back" : "does not come back"}`, async () => {
    const world = new World();
    await (await world.attempt()).fail(error);
    assert.deepEqual(world.told, [`close 1006 ${comesBack ? 500 : null}`]);
    if (!comesBack) await assert.rejects(world.socket.receive(), error as Error);
    await world.socket.close();
  });
}

const AFTER: { name: string; status?: number; value: string; maxMs?: number; want: number }[] = [
  { name: "seconds of a 503, and the lot behind them", value: "7", want: 7_500 },
  { name: "seconds of a 429", status: 429, value: "7", want: 7_500 },
  { name: "a date", value: "Fri, 31 Dec 1999 23:59:59 GMT", want: 9_500 },
  { name: "more than 5 min", value: "86400", want: 300_500 },
  { name: "more than maxRetryAfterMs", value: "7", maxMs: 1_000, want: 1_500 },
  { name: "nothing, where maxRetryAfterMs says so", value: "7", maxMs: 0, want: 500 },
  { name: "nothing that can be read", value: "soon", want: 500 },
  { name: "nothing of a 500", status: 500, value: "7", want: 500 },
];

for (const { name, status = 503, value, maxMs, want } of AFTER) {
  Deno.test(`reconnecting: RFC 9110 §10.2.3: Retry-After: it waits for ${name}`, async () => {
    const world = new World(maxMs === undefined ? {} : { maxRetryAfterMs: maxMs });
    const date = "Fri, 31 Dec 1999 23:59:50 GMT";
    await (await world.attempt()).fail(refusal(status, [["retry-after", value], ["date", date]]));
    assert.deepEqual(world.told, [`close 1006 ${want}`]);
    assert.deepEqual(world.clock.waits, [want]);
    await world.socket.close();
  });
}

Deno.test("reconnecting: endsOn says which end is the last, and is told the default", async () => {
  const asked: [ReconnectingEnd, boolean][] = [];
  const endsOn = (end: ReconnectingEnd, byDefault: boolean) => {
    asked.push([end, byDefault]);
    return end.code === 1001;
  };
  const world = new World({ endsOn });
  await (await world.open()).close(1000, "again");
  await settled();
  await (await world.reopen()).close(1001);
  assert.equal((await within("the end", world.socket.closed)).code, 1001);
  assert.deepEqual(asked, [
    [{ code: 1000, reason: "again", wasClean: true, by: "peer" }, true],
    [{ code: 1001, reason: "", wasClean: true, by: "peer" }, false],
  ]);
});

Deno.test("reconnecting: a URL and delays that are none throw at once", () => {
  for (const url of ["ftp://a.example", "", "ws://a.example/#a"]) {
    assert.throws(() => reconnecting(url), TypeError);
  }
  for (
    const options of [
      { minDelayMs: -1 },
      { minDelayMs: NaN },
      { minDelayMs: 2, maxDelayMs: 1 },
      { factor: 0.5 },
    ]
  ) assert.throws(() => reconnecting("ws://127.0.0.1:1", options), RangeError);
});
