// deno-lint-ignore-file no-control-regex -- what a terminal obeys
// What `h3ws bench` writes: the page, k6's summary, JSON, and what is seen while it runs.
import assert from "node:assert/strict";
import { k6Summary } from "../../src/cli/bench_k6.ts";
import { reportPage } from "../../src/cli/bench_html.ts";
import { liveView, plainView } from "../../src/cli/bench_live.ts";
import { linearScale, logScale, spanScale } from "../../src/cli/bench_svg.ts";
import { Recorder } from "../../src/cli/load_recorder.ts";
import { type LoadReport, reportOf } from "../../src/cli/load_report.ts";
import type { Progress } from "../../src/cli/load.ts";
import { bench } from "./bench_support.ts";
import { withEcho, withFolder } from "./support.ts";

const HOSTILE = `</title><script>alert(1)</script><img src="x" onerror='alert(2)'>&\u0007`;

/** A report of ten seconds, in which the third has no echo and the fourth an error. */
function madeReport(): LoadReport {
  const recorder = new Recorder({ intervalMs: 1000, expectedIntervalMs: 0 });
  recorder.begin(0);
  recorder.sessions.opened = 2;
  for (let ms = 0; ms < 10_000; ms += 10) {
    if (ms >= 2_000 && ms < 3_000) continue;
    recorder.sent(ms, ms, 64);
    const nowMs = ms + 1 + (ms % 970) / 97;
    recorder.answered({ dueMs: ms, sentMs: ms, nowMs, bytes: 64 });
    if (ms === 3_500) {
      const end = { code: 4001, reason: HOSTILE, wasClean: true, by: "peer" } as const;
      recorder.lost(end, ms, ms);
    }
  }
  recorder.closed(10_000);
  const options = {
    ...{ url: `wss://host.example/?q=${HOSTILE}`, http: "3", connections: 1, streams: 2 } as const,
    ...{ sizeBytes: 64, text: false, durationMs: 10_000, ratePerSecond: 100 },
  };
  return reportOf(options, recorder, {
    ...{ startedAt: new Date(0), endedMs: 10_012, sockets: 2, connections: 1, deflated: 0 },
    ...{ stoppedEarly: false, due: 1000 },
  });
}

const VOID = new Set(["meta"]);

interface Element {
  tag: string;
  attributes: Map<string, string>;
}

/** The elements and the text of a page; throws for tags that do not fit each other. */
function parseHtml(html: string): { elements: Element[]; text: string } {
  const elements: Element[] = [];
  const open: string[] = [];
  let text = "";
  const token =
    /<!doctype html>|<(\/?)([a-z][a-z0-9]*)((?:\s+[\w:-]+="[^"<>]*")*)\s*(\/?)>|([^<]+)/giy;
  while (token.lastIndex < html.length) {
    const at = token.lastIndex;
    const match = token.exec(html);
    assert.ok(match !== null, `no HTML at ${at}: ${html.slice(at, at + 80)}`);
    const [, isEnd, tag, attributes, isEmpty, words] = match;
    if (words !== undefined) {
      assert.doesNotMatch(words, /&(?!(?:amp|lt|gt|quot|#39);)/);
      text += words;
    }
    if (tag === undefined) continue;
    if (isEnd) {
      assert.equal(open.pop(), tag);
      continue;
    }
    const pairs = [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, n, v]) => [n, v]);
    elements.push({ tag, attributes: new Map(pairs as [string, string][]) });
    if (!isEmpty && !VOID.has(tag)) open.push(tag);
  }
  assert.deepEqual(open, []);
  return { elements, text };
}

const TAGS = new Set([
  ...["html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "span"],
  ...["h1", "h2", "p", "b", "table", "thead", "tbody", "tr", "th", "td"],
  ...["svg", "text", "line", "path", "rect", "circle"],
]);

Deno.test("bench: the page is whole, loads nothing and runs nothing, whatever a server says", () => {
  const html = reportPage(madeReport());
  const { elements, text } = parseHtml(html);
  for (const { tag, attributes } of elements) {
    // No script, link, img, iframe, use, image, a.
    assert.ok(TAGS.has(tag), tag);
    for (const [name, value] of attributes) {
      assert.doesNotMatch(name, /^(?:on|src|href|xlink|style|action|data)/i);
      assert.doesNotMatch(value, /url\(|javascript:/i);
    }
  }
  const [style = "", ...more] = html.match(/<style>[^]*?<\/style>/g) ?? [];
  assert.deepEqual(more, []);
  assert.doesNotMatch(style, /url\(|@import|expression/i);
  assert.match(style, /prefers-color-scheme: dark/);
  const policy = elements.find(({ attributes }) =>
    attributes.get("http-equiv") === "Content-Security-Policy"
  );
  assert.match(
    policy?.attributes.get("content") ?? "",
    /^default-src 'none'; style-src 'unsafe-in/,
  );
  assert.ok(text.includes("&lt;script&gt;alert(1)&lt;/script&gt;"));
  assert.ok(!html.includes("\u0007"));
});

Deno.test("bench: the page's charts draw what was measured, with a gap where nothing was", () => {
  const report = madeReport();
  const html = reportPage(report);
  const charts = [...html.matchAll(/<section><h2>([^<]*)<\/h2>[^]*?<\/section>/g)];
  const chart = (title: string) =>
    charts.find(([, name]) => name === title)?.[0] ?? assert.fail(title);
  const lines = [...chart("Latency over time").matchAll(/<path class="line (c\d)" d="([^"]*)"/g)];
  assert.deepEqual(lines.map(([, colour]) => colour), ["c1", "c2", "c3", "c4"]);
  for (const [, , path] of lines) {
    // Ten intervals but the silent one, so in two pieces; and the short end.
    assert.equal(path.match(/M/g)?.length, 2);
    assert.equal(path.match(/[ML]/g)?.length, report.intervals.filter((i) => i.latencyUs).length);
  }
  assert.match(chart("Latency over time"), /<title>2 s: no round trip ended<\/title>/);
  assert.match(chart("Throughput"), /<title>0 s: 100 round trips\/s, 6\.4 kB\/s out, /);
  assert.match(chart("Latency by percentile"), /<title>p50: \d\.\d\d ms<\/title>/);
  const bars = [...chart("Distribution of latency").matchAll(/ms: ([\d,]+)<\/title>/g)];
  const counted = bars.reduce((all, [, count]) => all + Number(count.replace(",", "")), 0);
  assert.equal(counted, report.roundTrips);
  assert.match(chart("Errors over time"), /<rect class="c4-fill"[^>]*><title>3 s: 1 error</);
  assert.match(chart("Errors"), /<td class="words">4001<\/td><td>1<\/td>/);
  // All of it stays within its frame.
  for (const [, value] of html.matchAll(/ (?:x|x1|x2|cx)="([^"]*)"/g)) {
    assert.ok(Number(value) >= 0 && Number(value) <= 720, value);
  }
  assert.doesNotMatch(html, /NaN|Infinity|undefined/);
});

Deno.test("bench: the page of a load without a round trip says so", () => {
  const recorder = new Recorder({ intervalMs: 1000, expectedIntervalMs: 0 });
  recorder.begin(0);
  recorder.failed("refused", -5, 3);
  const options = {
    ...{ url: "ws://host.example/", http: "1.1", connections: 3, streams: 1 } as const,
    ...{ sizeBytes: 0, text: true, durationMs: 1000, ratePerSecond: 0 },
  };
  const html = reportPage(reportOf(options, recorder, {
    ...{ startedAt: new Date(0), endedMs: 0, sockets: 0, connections: 0, deflated: 0 },
    ...{ stoppedEarly: true, due: null },
  }));
  parseHtml(html);
  assert.match(html, /Latency over time<\/h2><p>None\.<\/p>/);
  assert.match(html, /ended early/);
  assert.doesNotMatch(html, /NaN|Infinity|undefined/);
});

const TREND = ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)", "p(99.9)", "p(99.99)"];
const K6: Record<string, string[]> = {
  ws_connecting: TREND,
  ws_session_duration: TREND,
  ws_ping: TREND,
  ws_sessions: ["count", "rate"],
  ws_msgs_sent: ["count", "rate"],
  ws_msgs_received: ["count", "rate"],
  data_sent: ["count", "rate"],
  data_received: ["count", "rate"],
  ws_round_trip: TREND,
  ws_errors: ["count", "rate"],
};

Deno.test("bench: --summary-export has k6's names and units, --html the page, --json what README lists", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const [, section] = /### h3ws bench\n([^]*?)\n###? /.exec(readme) ?? assert.fail("README");
  await withFolder(async (folder) => {
    await withEcho(async ({ port }) => {
      const { code, out } = await bench(
        ...[`ws://127.0.0.1:${port}/`, "-c", "2", "-d", "300ms", "--ping-interval", "20ms"],
        ...["--json", "--html", `${folder}/r.html`, "--summary-export", `${folder}/k6.json`],
      );
      assert.equal(code, 0);
      const report: LoadReport = JSON.parse(out);
      const { metrics } = JSON.parse(await Deno.readTextFile(`${folder}/k6.json`));
      const keys = Object.entries(metrics).map(([name, of]) => [name, Object.keys(of as object)]);
      assert.deepEqual(Object.fromEntries(keys), K6);
      for (const name of Object.keys(K6)) assert.ok(section.includes(`\`${name}\``), name);
      assert.equal(metrics.ws_sessions.count, 2);
      assert.equal(metrics.ws_msgs_sent.count, report.messages.sent);
      assert.equal(metrics.ws_msgs_received.rate, report.roundTripsPerSecond);
      assert.equal(metrics.data_sent.count, report.messages.sent * 64);
      // Milliseconds: a session lasts as long as the load.
      assert.ok(metrics.ws_session_duration.min >= 300 && metrics.ws_session_duration.max < 20_000);
      assert.ok(metrics.ws_ping.min > 0 && report.pingUs.count > 1);
      const { min, med, max } = metrics.ws_connecting;
      assert.ok(Math.abs(med - (min + max) / 2) <= max / 900, "between the two that there are");

      const rows = [...section.matchAll(/^\| (`[^|]*`) +\|/gm)].map(([, keys]) => keys);
      const listed = rows.flatMap((row) => [...row.matchAll(/`(\w+)`/g)].map(([, key]) => key));
      assert.deepEqual(Object.keys(report).sort(), listed.sort());
      for (const key of Object.keys(report.latencyUs)) assert.ok(section.includes(`\`${key}\``));
      parseHtml(await Deno.readTextFile(`${folder}/r.html`));
    });
  });
});

const TRENDS: [name: string, ms: number[], want: Record<string, number>][] = [
  ["none", [], { med: 0, "p(90)": 0, "p(99.99)": 0 }],
  ["one", [7], { med: 7, "p(90)": 7, "p(99.99)": 7 }],
  ["two", [9, 1], { med: 5, "p(90)": 8.2, "p(95)": 8.6, "p(99)": 8.92 }],
  ["two of the same", [3, 3], { med: 3, "p(95)": 3 }],
  ["three", [1, 2, 9], { med: 2, "p(90)": 7.6 }],
  ["four", [4, 3, 2, 1], { med: 2.5, "p(90)": 3.7, "p(95)": 3.85, "p(99)": 3.97 }],
];

for (const [name, times, want] of TRENDS) {
  Deno.test(`bench: --summary-export has percentiles between values as k6 does: ${name}`, () => {
    const recorder = new Recorder({ intervalMs: 1000, expectedIntervalMs: 0 });
    for (const ms of times) recorder.ping.record(ms);
    const { ws_ping: trend } = k6Summary({ report: madeReport(), recorder }).metrics;
    for (const [key, ms] of Object.entries(want)) {
      const got = trend[key as keyof typeof trend];
      // A histogram has three digits.
      assert.ok(Math.abs(got - ms) <= ms / 900, `${key}: ${got}, not ${ms}`);
    }
  });
}

const NOW: Progress = {
  ...{ phase: "running", elapsedMs: 2_500, sockets: 3, wanted: 4, roundTrips: 5_000 },
  ...{ bytesSent: 320_000, bytesReceived: 320_000, errors: 1 },
  latencyUs: { p50: 200, p99: 1_500, max: 30_000 },
};

const TERMINAL = { columns: 80, rows: 24 };

function viewed(view: typeof liveView, shown: Progress[], size = TERMINAL): string[] {
  const writes: string[] = [];
  const write = (text: string) => void writes.push(text);
  const url = "wss://host.example/ws";
  const seen = view({
    url,
    http: "3",
    warmupMs: 1_000,
    durationMs: 10_000,
    size: () => size,
    write,
  });
  for (const now of shown) seen.show(now);
  seen.end();
  return writes;
}

Deno.test("bench: on a terminal one block of lines is written over, each time in one piece", () => {
  const later = { ...NOW, elapsedMs: 3_000, roundTrips: 6_000 };
  const [first, second, end, ...more] = viewed(liveView, [NOW, later]);
  assert.deepEqual(more, []);
  const lines = first.split("\n");
  assert.equal(lines.length, 8);
  assert.match(first, /running +█{6}░{18} 2\.5 s of 10\.0 s\x1b\[K\n/);
  assert.match(first, /sockets +3 of 4\x1b\[K\n/);
  assert.match(first, /round trips +5,000, 2,000\/s\x1b\[K\n/);
  assert.ok(second.startsWith("\x1b[?2026h\x1b[7A\r"));
  // What came in the last half of a second.
  assert.match(second, /round trips +6,000, 2,000\/s\x1b\[K\n/);
  assert.equal(end, "\x1b[7A\r\x1b[J");
});

const SIZES: [name: string, columns: number, rows: number, width: number, lines: number][] = [
  ["narrow", 20, 24, 19, 7],
  ["low", 80, 4, 79, 3],
  ["one that does not say its size", 0, 0, 79, 7],
];

for (const [name, columns, rows, width, lines] of SIZES) {
  Deno.test(`bench: the block fits in its terminal: ${name}`, () => {
    const [block] = viewed(liveView, [NOW], { columns, rows });
    const text = block.replaceAll(/\x1b\[[?\d]*[a-zA-Z]/g, "").split("\n").slice(0, -1);
    assert.equal(text.length, lines);
    for (const line of text) assert.ok(line.length <= width, line);
    assert.ok(text[0].startsWith("wss://host"));
  });
}

Deno.test("bench: without a terminal there is a plain line every five seconds, and no escapes", () => {
  const at = (phase: Progress["phase"], elapsedMs: number) => ({ ...NOW, phase, elapsedMs });
  const lines = viewed(plainView, [
    ...[at("opening", 500), at("opening", 5_100), at("running", 500), at("running", 4_999)],
    ...[at("running", 5_000), at("running", 5_500), at("running", 10_500)],
  ]);
  assert.deepEqual(lines.map((line) => line.split(":")[0]), [
    ...["opening 5.1 s", "running 5.0 s", "running 10.5 s"],
  ]);
  for (const line of lines) assert.match(line, /^[\x20-\x7e]+\n$/);
});

Deno.test("bench: axes begin and end at marks, and put values in order", () => {
  for (const max of [0, 0.3, 1, 7, 99, 12_345]) {
    const { ticks, at } = linearScale(max, [0, 100]);
    assert.ok(ticks.length >= 2 && ticks.length <= 6, `${ticks}`);
    assert.ok(ticks.at(-1)! >= max);
    assert.equal(Math.round(at(ticks.at(-1)!) * 1e6), 100e6);
  }
  for (const [min, max] of [[1, 1], [3, 4], [150, 90_000], [1, 3.6e9]]) {
    const { ticks, at } = logScale(min, max, [0, 100]);
    assert.ok(ticks.length >= 2 && ticks.length <= 12, `${ticks}`);
    assert.ok(at(min) >= 0 && at(max) <= 100.001 && at(max) >= at(min), `${min} ${max}`);
  }
  const { ticks, at } = spanScale(4.02, [0, 100]);
  assert.deepEqual([ticks.at(-1), at(4.02)], [4, 100]);
});
