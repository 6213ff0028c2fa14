// `h3ws bench` with WebSockets that live for a while and are opened anew.
import assert from "node:assert/strict";
import { Churn, Pace } from "../../src/cli/load_churn.ts";
import type { LoadOptions } from "../../src/cli/load.ts";
import type { Work } from "../../src/cli/load_loops.ts";
import { Recorder } from "../../src/cli/load_recorder.ts";
import { bench, benchJson, echo, withServed, withSockets } from "./bench_support.ts";
import { FakeClock } from "./load_support.ts";

const VERSIONS = ["-1", "-2", "-3"];

Deno.test("bench --session-messages: each socket sends so many, and the next takes its place", async () => {
  await withServed({}, async ({ port, ca }) => {
    const args = [`wss://localhost:${port}/ws`, "--ca", ca, "-d", "1h", "--ping-interval", "0"];
    const ends = ["--messages", "60", "--session-messages", "5"];
    for (const version of VERSIONS) {
      for (const model of [[], ["-R", "500"]]) {
        const { code, report } = await benchJson(...args, ...ends, ...model, version, "-c", "1");
        assert.deepEqual([code, report.errorTexts], [0, {}]);
        assert.equal(report.roundTrips, 60);
        assert.deepEqual(report.sessions, { opened: 12, closed: 12, lost: 0, failed: 0 });
        // One at the beginning, and eleven after it on the same connection.
        assert.equal(report.sockets, 1);
        assert.equal(report.connections, version === "-1" ? 12 : 1);
        assert.equal(report.handshakeUs.count, 12);
        assert.ok(Math.abs(report.openedAnewPerSecond * report.seconds - 11) < 1e-6);
      }
    }
  });
});

Deno.test("bench --session-time: sockets come and go on their connections, or each with its own", async () => {
  await withServed({}, async ({ port, ca }) => {
    const args = [`wss://localhost:${port}/ws`, "--ca", ca, "-d", "1s", "--session-time", "100ms"];
    for (const version of VERSIONS) {
      const { code, report } = await benchJson(...args, version, "-c", "2", "--streams", "2");
      assert.deepEqual([code, report.errorTexts], [0, {}]);
      const { opened, closed } = report.sessions;
      assert.equal(report.sockets, 4);
      assert.ok(opened > 4 && opened <= 4 * 11, `${opened} opened`);
      assert.equal(closed, opened);
      assert.equal(report.connections, version === "-1" ? opened : 2);
      assert.equal(report.sessionUs.count, opened);
      const fresh = await benchJson(...args, version, "-c", "2", "--new-connections");
      assert.deepEqual([fresh.code, fresh.report.errorTexts], [0, {}]);
      assert.equal(fresh.report.connections, fresh.report.sessions.opened);
      assert.ok(fresh.report.connectUs.count >= fresh.report.connections);
    }
    const { out } = await bench(...args, "-3", "-c", "1");
    assert.match(
      out,
      /\nsessions +\d+ opened, \d+ closed, 0 lost, 0 failed; [\d.]+ opened anew\/s\n/,
    );
  });
});

Deno.test("bench: at a rate, what was due while a socket was opened anew is sent by the next one", async () => {
  await withServed({}, async ({ port, ca }) => {
    const args = ["--ca", ca, "-d", "1s", "-R", "200", "-c", "2", "--session-time", "70ms"];
    const { code, report } = await benchJson(`wss://localhost:${port}/ws`, ...args);
    assert.deepEqual([code, report.errorTexts], [0, {}]);
    const { due, sent, received } = report.messages;
    assert.deepEqual([due, sent, received], [200, 200, 200]);
    assert.ok(report.sessions.opened > 4);
  });
});

Deno.test("bench: a socket that the server ends is an error, and with --session-time another comes", async () => {
  for (const model of [[], ["-R", "100"]]) {
    await withSockets((socket, n) => {
      if (n === 0) socket.once("message", () => socket.close(4001));
      else echo(socket);
    }, async ({ url }) => {
      const args = [url, "-c", "1", "-d", "300ms", "--session-time", "10s", ...model];
      const { code, report } = await benchJson(...args);
      assert.equal(code, 1);
      assert.deepEqual(report.closeCodes, { 4001: 1 });
      assert.deepEqual(report.sessions, { opened: 2, closed: 1, lost: 1, failed: 0 });
      assert.ok(report.roundTrips > 0);
    });
  }
});

Deno.test("bench: one that can't be opened anew is told, tried again, and does not outlast the end", async () => {
  await withSockets(echo, async ({ url, refuse }) => {
    setTimeout(refuse, 100);
    const args = [url, "-c", "1", "-d", "1500ms", "--session-time", "20ms"];
    const { code, report } = await benchJson(...args);
    assert.equal(code, 1);
    const [[text, times], ...more] = Object.entries(report.errorTexts);
    assert.match(text, /503 Service Unavailable/);
    assert.deepEqual([more, times], [[], report.sessions.failed]);
    // One try a second.
    assert.ok(times >= 1 && times <= 2, `${times} tries`);
    assert.ok(report.seconds < 2.5, `${report.seconds} s`);
  });
});

const USAGE: [args: string[], err: RegExp][] = [
  [["--new-connections"], /^h3ws: --new-connections: is for what is opened anew; allowed: --sess/],
  [
    ["--new-connections", "--session-time", "1s", "--streams", "2"],
    /^h3ws: --new-connections: goes against --streams; allowed: one WebSocket on each connection\n$/,
  ],
];

Deno.test("bench: flags of sessions that go against each other are one line, exit code 2", async () => {
  for (const [args, want] of USAGE) {
    const { code, err } = await bench("wss://a.example", ...args);
    assert.equal(code, 2);
    assert.match(err, want);
  }
});

const OPTIONS: LoadOptions = {
  ...{ url: "ws://a.example", http: "1.1", connections: 4, streams: 1, sizeBytes: 1, text: true },
  ...{ durationMs: 1_000, ratePerSecond: 0 },
};

Deno.test("bench: the first sockets end at even shares of their lives, the next at the whole", () => {
  const work: Work = {
    ...{ clock: new FakeClock(), payloads: ["x"], beginMs: 0, endMs: 500 },
    recorder: new Recorder({ intervalMs: 1_000, expectedIntervalMs: 0 }),
    stop: new AbortController().signal,
    take: () => true,
  };
  const churn = new Churn({ ...OPTIONS, sessionMs: 400, sessionMessages: 8 });
  const of = (n: number, index: number) => {
    const session = churn.session(work, { n, index, step: 4 });
    let messages = 0;
    while (session.take()) messages++;
    return [session.endMs, messages];
  };
  assert.deepEqual([0, 1, 2, 3].map((index) => of(0, index)), [[100, 2], [200, 4], [300, 6], [
    ...[400, 8],
  ]]);
  assert.deepEqual(of(1, 0), [400, 8]);
  // No part of the work outlasts it.
  const longer = new Churn({ ...OPTIONS, sessionMs: 600 });
  assert.equal(longer.session(work, { n: 1, index: 0, step: 4 }).endMs, 500);
  assert.equal(new Churn(OPTIONS).session(work, { n: 0, index: 0, step: 4 }), work);
});

Deno.test("bench: a rate of opening is kept after a pause, with a second of it to catch up on", async () => {
  const clock = new FakeClock();
  const pace = new Pace(10, clock);
  const { signal } = new AbortController();
  const go = async (times: number) => {
    const at: number[] = [];
    for (let i = 0; i < times; i++) {
      await pace.next(signal);
      at.push(clock.now());
    }
    return at;
  };
  assert.deepEqual(await clock.run(go(3)), [0, 100, 200]);
  await clock.run(clock.sleep(10_000));
  const late = await clock.run(go(12));
  assert.deepEqual(late, [...Array(11).fill(10_200), 10_300]);
});
