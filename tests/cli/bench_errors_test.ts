// What `h3ws bench` makes of servers that close, stall, or send something else.
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { run } from "../../src/cli/args.ts";
import { benchCommand } from "../../src/cli/bench.ts";
import { reportText } from "../../src/cli/bench_text.ts";
import { runLoad } from "../../src/cli/load.ts";
import { bench, benchJson, echo, withSockets } from "./bench_support.ts";
import { TestIo, withEcho, withFolder } from "./support.ts";
import { until } from "../support/until.ts";

type Serve = (socket: WebSocket, index: number) => void;

/** Of three sockets the second is closed at its first message. */
const closeSecond: Serve = (socket, index) => {
  if (index !== 1) return echo(socket);
  socket.once("message", () => socket.close(4001, "enough"));
};

Deno.test("bench: sockets that the server closes are told by code and by words; --max-errors bears them", async () => {
  for (const model of [["--rate", "50"], []]) {
    await withSockets(closeSecond, async ({ url }) => {
      const args = [url, "-c", "3", "-d", "200ms", ...model];
      const { code, report } = await benchJson(...args);
      assert.equal(code, 1);
      assert.deepEqual(report.closeCodes, { 4001: 1 });
      assert.deepEqual(report.errorTexts, { 'closed with 4001 "enough"': 1 });
      assert.deepEqual(report.sessions, { opened: 3, closed: 2, lost: 1, failed: 0 });
      assert.ok(report.messages.unanswered >= 1);
      assert.ok(report.roundTrips > 0);
      assert.equal(report.intervals.reduce((all, { errors }) => all + errors, 0), 1);
    });
    await withSockets(closeSecond, async ({ url }) => {
      const { code, out } = await bench(url, "-c", "3", "-d", "200ms", "--max-errors", "1");
      assert.equal(code, 0);
      assert.match(out, /\nerrors +1\n {2}1 × closed with 4001 "enough"\nclose codes +4001: 1\n$/);
    });
  }
});

Deno.test("bench: what a server says is no command to the terminal, and no two lines", async () => {
  const shout: Serve = (socket) => socket.once("message", () => socket.close(4001, "\x1b[2Ja\nb"));
  await withSockets(shout, async ({ url }) => {
    const { out } = await bench(url, "-c", "1", "-d", "1h");
    assert.match(out, /\n {2}1 × closed with 4001 "\\u001b\[2Ja\\u000ab"\nclose codes/);
  });
});

Deno.test("bench: a broken frame is told with the code that the server got for it", async () => {
  // RFC 6455 §5.2: opcode 3 is reserved.
  const broken: Serve = (socket) => {
    socket.on("error", () => {});
    const { _socket } = socket as unknown as { _socket: { write(bytes: Uint8Array): void } };
    socket.once("message", () => _socket.write(Uint8Array.of(0x83, 0x00)));
  };
  for (const model of [["--rate", "50"], []]) {
    await withSockets(broken, async ({ url }) => {
      const { code, report } = await benchJson(url, "-c", "2", "-d", "1h", ...model);
      assert.equal(code, 1);
      assert.deepEqual(report.closeCodes, { 1002: 2 });
      const [text, ...more] = Object.keys(report.errorTexts);
      assert.match(text, /^the server broke a rule of WebSocket: 1002 ".*opcode/i);
      assert.deepEqual([more, report.sessions.lost], [[], 2]);
    });
  }
});

Deno.test("bench: it ends when the last socket is gone, long before its time", async () => {
  await withSockets(
    (socket) => socket.once("message", () => socket.terminate()),
    async ({ url }) => {
      for (const model of [["--rate", "50"], []]) {
        const { code, report } = await benchJson(url, "-c", "2", "-d", "1h", ...model);
        assert.equal(code, 1);
        assert.deepEqual(report.closeCodes, { 1006: 2 });
        assert.ok(report.seconds < 60);
      }
    },
  );
});

Deno.test("bench: an echo that is another message ends its socket, and is told", async () => {
  await withSockets(
    (socket) => socket.on("message", () => socket.send("no echo")),
    async ({ url }) => {
      for (const model of [["--rate", "50"], []]) {
        const { code, report } = await benchJson(url, "-c", "2", "-d", "1h", ...model);
        assert.equal(code, 1);
        assert.deepEqual(report.errorTexts, { "the echo differs from what was sent": 2 });
        assert.equal(report.roundTrips, 0);
      }
    },
  );
});

Deno.test("bench: what never comes back is an error, and does not hold the end up for ever", async () => {
  const load = { http: "1.1", connections: 2, streams: 1, sizeBytes: 8, text: false } as const;
  await withSockets(() => {}, async ({ url }) => {
    for (const ratePerSecond of [0, 100]) {
      const { report } = await runLoad({
        ...{ ...load, url, ratePerSecond, durationMs: 100, graceMs: 50 },
      });
      const { sent, unanswered, received } = report.messages;
      assert.equal(sent, ratePerSecond === 0 ? 2 : 10);
      assert.deepEqual([unanswered, received], [sent, 0]);
      assert.deepEqual(report.errorTexts, { "no echo within 0.05 s of the end": sent });
      assert.deepEqual(report.sessions, { opened: 2, closed: 2, lost: 0, failed: 0 });
      assert.ok(report.seconds < 0.145, `${report.seconds} s`);
    }
  });
});

Deno.test("bench: to wait for what never comes back is no part of the time of the rates", async () => {
  const load = { http: "1.1", connections: 3, streams: 1, sizeBytes: 8, text: false } as const;
  const muteFirst: Serve = (socket, index) => {
    if (index % 3 > 0) echo(socket);
  };
  await withSockets(muteFirst, async ({ url }) => {
    for (const ratePerSecond of [0, 60]) {
      const times = { ratePerSecond, durationMs: 300, graceMs: 1_500 };
      const { report } = await runLoad({ ...load, ...times, url });
      assert.ok(report.messages.unanswered > 0);
      assert.ok(report.seconds > 0.25 && report.seconds < 1.5, `${report.seconds} s`);
      assert.equal(report.roundTripsPerSecond, report.roundTrips / report.seconds);
      const said = `, of the ${report.roundTrips.toLocaleString("en")} that have an echo`;
      assert.ok(reportText(report).includes(said), reportText(report));
    }
  });
});

Deno.test("bench: a stall that is seen by one round trip is seen by all messages that were due", async () => {
  // The server stops reading for half a second, as a long garbage collection would.
  const stallMs = 500;
  const stalling: Serve = (socket) => {
    echo(socket);
    socket.once("message", () => {
      socket.pause();
      setTimeout(() => socket.resume(), stallMs);
    });
  };
  const args = ["-c", "1", "-d", "1s", "--ping-interval", "0"];
  await withSockets(stalling, async ({ url }) => {
    const open = (await benchJson(url, ...args, "-R", "100")).report;
    assert.deepEqual([open.messages.due, open.roundTrips], [100, 100]);
    // About fifty of a hundred were due in the stall, and a quarter waited for half of it or more.
    assert.ok(open.latencyUs.p90 > stallMs * 1000 / 2, `p90 ${open.latencyUs.p90}`);
    const closed = (await benchJson(url, ...args, "--think", "10ms")).report;
    assert.ok(closed.latencyUs.max > stallMs * 1000 / 2);
    assert.ok(closed.latencyUs.p90 < open.latencyUs.p90, `p90 ${closed.latencyUs.p90}`);
    const corrected = (await benchJson(url, ...args, ...["--think", "10ms"], ...[
      "--expected-interval",
      "10ms",
    ])).report;
    assert.equal(corrected.correction, "expected-interval");
    assert.ok(corrected.latencyUs.count > corrected.roundTrips);
    assert.ok(corrected.latencyUs.p90 > stallMs * 1000 / 2, `p90 ${corrected.latencyUs.p90}`);
    assert.ok(corrected.serviceUs.p50 < stallMs * 1000 / 2);
  });
});

Deno.test("bench: --messages ends it after so many, in both models", async () => {
  await withEcho(async ({ port }) => {
    for (const model of [["--rate", "1000"], []]) {
      const args = ["-c", "3", "-d", "1h", "--messages", "50", ...model];
      const { code, report } = await benchJson(`ws://127.0.0.1:${port}/`, ...args);
      assert.equal(code, 0);
      assert.deepEqual([report.messages.sent, report.roundTrips], [50, 50]);
      assert.equal(report.messages.due, model.length === 0 ? null : 50);
    }
  });
});

Deno.test("bench: --connect-rate spreads the opening, --ramp the joining in, --warmup is not counted", async () => {
  await withSockets(echo, async ({ url }) => {
    const startedMs = performance.now();
    const args = ["-c", "5", "--connect-rate", "20", "--ramp", "100ms", "--warmup", "100ms"];
    const { code, report } = await benchJson(url, ...args, "-d", "100ms");
    assert.equal(code, 0);
    // The fifth opens after four twentieths of a second.
    assert.ok(performance.now() - startedMs >= 200 + 200 - 5);
    assert.ok(report.seconds < performance.now() / 1000 - startedMs / 1000 - 0.25);
    assert.equal(report.sockets, 5);
  });
});

Deno.test("bench: -H and -s go with the handshake", async () => {
  await withSockets(echo, async ({ url, headers }) => {
    const fields = ["-H", "authorization: Bearer x", "-H", "X-Room: a: b", "-s", "chat", "-s", "b"];
    const { code } = await benchJson(url, "-c", "1", "-d", "50ms", ...fields);
    assert.equal(code, 0);
    const [{ authorization, "x-room": room, "sec-websocket-protocol": protocols }] = headers;
    assert.deepEqual([authorization, room, protocols], ["Bearer x", "a: b", "chat, b"]);
  });
});

Deno.test("bench: a signal while a server stalls ends it with a report of what was done", async () => {
  let got = 0;
  const silent: Serve = (socket) => socket.on("message", () => got++);
  await withSockets(silent, async ({ url }) => {
    const io = new TestIo();
    const args = ["bench", url, "--json", "-d", "1h", "-R", "100", "-c", "2"];
    const done = run(args, { commands: [benchCommand] }, io);
    await until("messages at the server", () => got > 4);
    io.stop();
    assert.equal(await done, 1);
    const report = JSON.parse(io.stdout);
    assert.equal(report.stoppedEarly, true);
    assert.equal(report.messages.unanswered, report.messages.sent);
    assert.ok(report.messages.sent <= report.messages.due + 2);
  });
});

Deno.test("bench: user and password of a URL stand in no report", async () => {
  await withEcho(async ({ port }) => {
    const { report } = await benchJson(`ws://me:secret@127.0.0.1:${port}/`, "-d", "20ms");
    assert.equal(report.url, `ws://127.0.0.1:${port}/`);
  });
});

Deno.test("bench: a file that can't be written is told before the load begins", async () => {
  await withFolder(async (folder) => {
    for (const flag of ["--html", "--summary-export"]) {
      const { code, err } = await bench("ws://127.0.0.1:1/", flag, `${folder}/no/such/file`);
      assert.equal(code, 1);
      assert.equal(err, `h3ws: Cannot write ${folder}/no/such/file: no such file\n`);
    }
  });
});

Deno.test("bench: what was due before the end is sent after it, where backpressure held it back", async () => {
  // Nothing is read until the load is over; what is on its way fills all buffers before.
  const asleep: Serve = (socket) => {
    echo(socket);
    socket.pause();
    setTimeout(() => socket.resume(), 700);
  };
  await withSockets(asleep, async ({ url }) => {
    const { code, report } = await benchJson(url, "-c", "1", "-d", "500ms", "-R", "60", ...[
      "--size",
      "1MiB",
    ]);
    assert.equal(code, 0);
    assert.deepEqual(report.errorTexts, {});
    const { due, sent, received, unanswered } = report.messages;
    assert.deepEqual([due, sent, received, unanswered], [30, 30, 30, 0]);
    assert.ok(report.latencyUs.min > 200_000, `${report.latencyUs.min}`);
  });
});
