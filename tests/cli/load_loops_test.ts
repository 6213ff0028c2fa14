// Coordinated omission, in a time of the tests' own: a server answers in 1 ms, but for one second
// of ten in which it answers nothing. Who sends 100 messages a second meets it a hundred times.
import assert from "node:assert/strict";
import { closedLoop, type EchoSocket, openLoop, type Work } from "../../src/cli/load_loops.ts";
import { Recorder } from "../../src/cli/load_recorder.ts";
import type { Message } from "../../src/endpoint/message.ts";
import { FakeClock, stallingEcho } from "./load_support.ts";

const SECONDS = 10;
const RATE = 100;
const STALL = { serviceMs: 1, fromMs: 4_000, toMs: 5_000 };

function workOf(clock: FakeClock, recorder: Recorder, durationMs = SECONDS * 1000): Work {
  recorder.begin(0);
  return {
    ...{ clock, recorder, payloads: ["ping"], beginMs: 0, endMs: durationMs },
    stop: new AbortController().signal,
    take: () => true,
  };
}

function recorderOf(expectedIntervalMs = 0): Recorder {
  return new Recorder({ intervalMs: 1000, expectedIntervalMs });
}

async function openRun(): Promise<Recorder> {
  const clock = new FakeClock();
  const recorder = recorderOf();
  const turn = { schedule: { ratePerSecond: RATE, rampMs: 0 }, next: 0, step: 1 };
  await clock.run(openLoop(stallingEcho(clock, STALL), workOf(clock, recorder), turn));
  return recorder;
}

async function closedRun(expectedIntervalMs: number): Promise<Recorder> {
  const clock = new FakeClock();
  const recorder = recorderOf(expectedIntervalMs);
  // Each 10 ms as well, as long as echoes come.
  const thinkMs = 1000 / RATE - STALL.serviceMs;
  await clock.run(closedLoop(stallingEcho(clock, STALL), workOf(clock, recorder), thinkMs));
  return recorder;
}

function near(got: number, want: number, slack = 0.01): void {
  assert.ok(Math.abs(got - want) <= want * slack, `${got}, not about ${want}`);
}

Deno.test("bench: at a rate each message is measured from when it was due, stalled server or not", async () => {
  const { latency, counts } = await openRun();
  assert.equal(counts.sent, SECONDS * RATE);
  assert.equal(counts.roundTrips, SECONDS * RATE);
  // A tenth of the messages was due while nothing was answered, each 10 ms shorter than the one
  // before: a twentieth waited for more than half of the stall.
  near(latency.at(50), 1_000);
  near(latency.at(89), 1_000);
  near(latency.at(95), 500_000, 0.03);
  near(latency.at(99), 900_000, 0.03);
  near(latency.at(100), 1_000_000);
});

Deno.test("bench: in the closed model the same stall is one slow round trip of 900", async () => {
  const { latency, counts } = await closedRun(0);
  assert.ok(counts.roundTrips >= 899 && counts.roundTrips <= 902, `${counts.roundTrips}`);
  near(latency.at(99), 1_000);
  near(latency.at(99.8), 1_000);
  near(latency.at(100), 1_000_000);
});

Deno.test("bench: --expected-interval gives back to the closed model what the rate would measure", async () => {
  const corrected = (await closedRun(1000 / RATE)).latency;
  const { latency } = await openRun();
  for (const percentile of [50, 89, 95, 99, 100]) {
    near(corrected.at(percentile), latency.at(percentile), 0.03);
  }
});

Deno.test("bench: what backpressure holds back counts from when it was due", async () => {
  const clock = new FakeClock();
  const recorder = recorderOf();
  const echo = stallingEcho(clock, { serviceMs: 1, fromMs: 0, toMs: 0 });
  // Takes one message, and the next but a second later.
  let sends = 0;
  const narrow: EchoSocket = {
    receive: echo.receive,
    async send(message) {
      await echo.send(message);
      if (++sends === 1) await clock.sleep(1_000);
    },
  };
  const turn = { schedule: { ratePerSecond: 10, rampMs: 0 }, next: 0, step: 1 };
  await clock.run(openLoop(narrow, workOf(clock, recorder, 1_000), turn));
  assert.deepEqual([recorder.counts.sent, recorder.counts.roundTrips], [10, 10]);
  near(recorder.latency.at(100), 901_000);
  near(recorder.service.at(100), 1_000);
});

Deno.test("bench: what is due in the warmup is sent and not counted", async () => {
  const clock = new FakeClock();
  const recorder = recorderOf();
  const echo = stallingEcho(clock, { serviceMs: 1, fromMs: 0, toMs: 500 });
  const work = workOf(clock, recorder, 2_000);
  recorder.begin(1_000);
  const turn = { schedule: { ratePerSecond: RATE, rampMs: 0 }, next: 0, step: 1 };
  await clock.run(openLoop(echo, work, turn));
  assert.deepEqual([recorder.counts.sent, recorder.counts.roundTrips], [100, 100]);
  near(recorder.latency.at(100), 1_000);
});

Deno.test("bench: an echo that is not what was sent, or that nobody asked for, ends the loop", async () => {
  const cases: [reply: Message, want: RegExp][] = [
    ["pong!", /^the echo differs/],
    ["pong", /^the echo differs/],
    [new TextEncoder().encode("ping"), /^the echo differs/],
    ["ping", /^a message came that was not asked for/],
  ];
  for (const [reply, want] of cases) {
    const clock = new FakeClock();
    const echo: EchoSocket = {
      send: () => Promise.resolve(),
      receive: () => clock.sleep(10).then(() => reply),
    };
    const turn = { schedule: { ratePerSecond: 10, rampMs: 0 }, next: 0, step: 1 };
    const loop = openLoop(echo, workOf(clock, recorderOf()), turn);
    await assert.rejects(clock.run(loop), { name: "WrongEcho", message: want });
  }
});

Deno.test("bench: bytes that come back are compared, all of them", async () => {
  const payload = new Uint8Array(20_000).fill(7);
  for (const at of [-1, 0, 12_345, 19_999]) {
    const clock = new FakeClock();
    const recorder = recorderOf();
    const reply = payload.with(at < 0 ? 0 : at, at < 0 ? 7 : 8);
    const echo: EchoSocket = {
      send: () => Promise.resolve(),
      receive: () => clock.sleep(10).then(() => reply),
    };
    const loop = closedLoop(echo, { ...workOf(clock, recorder, 25), payloads: [payload] }, 0);
    if (at >= 0) await assert.rejects(clock.run(loop), { message: /^the echo differs/ });
    else await clock.run(loop);
    assert.equal(recorder.counts.roundTrips, at < 0 ? 3 : 0);
  }
});

Deno.test("bench: echoes that never come are counted when the socket has ended", async () => {
  const clock = new FakeClock();
  const recorder = recorderOf();
  const echo: EchoSocket = {
    send: () => Promise.resolve(),
    receive: () => clock.sleep(995).then(() => null),
  };
  const turn = { schedule: { ratePerSecond: 10, rampMs: 0 }, next: 0, step: 1 };
  await clock.run(openLoop(echo, workOf(clock, recorder), turn));
  assert.deepEqual({ ...recorder.counts, bytesSent: 0 }, {
    ...{ sent: 10, roundTrips: 0, bytesSent: 0, bytesReceived: 0, unanswered: 10, errors: 0 },
    openedAnew: 0,
  });
});

Deno.test("bench: a timer that fires early sends nothing before it is due", async () => {
  const clock = new FakeClock();
  const sentMs: number[] = [];
  const hasty = {
    now: () => clock.now(),
    sleep: (ms: number, signal: AbortSignal) => clock.sleep(ms > 1 ? ms - 0.7 : ms, signal),
  };
  const echo = stallingEcho(clock, { serviceMs: 0.1, fromMs: 0, toMs: 0 });
  const watched: EchoSocket = {
    receive: echo.receive,
    send(message) {
      sentMs.push(clock.now());
      return echo.send(message);
    },
  };
  const work = { ...workOf(clock, recorderOf(), 500), clock: hasty };
  const turn = { schedule: { ratePerSecond: 10, rampMs: 0 }, next: 0, step: 1 };
  await clock.run(openLoop(watched, work, turn));
  sentMs.forEach((ms, n) => assert.ok(Math.abs(ms - n * 100) < 1e-6, `${n} at ${ms} ms`));
  assert.equal(sentMs.length, 5);
});
