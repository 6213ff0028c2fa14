import assert from "node:assert/strict";
import { register } from "prom-client";
import { Buckets, registerHistogram } from "../../src/observe/buckets.ts";
import { closeCodeLabel } from "../../src/observe/counters.ts";
import { silentLog } from "../../src/observe/log.ts";
import { registerCounter, registerGauge } from "../../src/observe/metrics.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { Registry } from "../../src/observe/registry.ts";
import { registerRuntime } from "../../src/observe/runtime.ts";
import type { Observer } from "../../src/proxy/observer.ts";
import { parsePromText, valueOf } from "./prom_text.ts";
import { sessionEnd, sessionStart } from "./sessions.ts";

const P = "h3ws_proxy_";

function observed(): { observer: Observer; read: () => ReturnType<typeof readAll> } {
  const registry = new Registry();
  const observer = createObserver({ registry, log: silentLog });
  return { observer, read: () => readAll(registry) };
}

async function readAll(registry: Registry) {
  return parsePromText(await registry.metrics());
}

/** Every metric, its type and how many series it has before anything happened. */
const FAMILIES: [name: string, type: string, series: number][] = [
  ["active_sessions", "gauge", 1],
  ["accepted_total", "counter", 1],
  ["rejected_total", "counter", 12],
  ["errors_total", "counter", 7],
  ["bytes_total", "counter", 2],
  ["messages_total", "counter", 4],
  ["control_frames_total", "counter", 3],
  ["oversize_drops_total", "counter", 2],
  ["frames_total", "counter", 12],
  ["message_size_bytes", "histogram", 4 * (17 + 3)],
  ["session_duration_seconds", "histogram", 13 + 3],
  ["session_traffic_bytes", "histogram", 2 * (19 + 3)],
  ["requests_total", "counter", 3 * 6],
  ["request_bytes_total", "counter", 2],
  ["tcp_handshake_failures_total", "counter", 6],
  ["prerequest_close_total", "counter", 4],
  ["closes_total", "counter", 2 * 15 + 10],
  ["handshake_seconds", "histogram", 13 + 3],
  ["active_connections", "gauge", 3],
  ["connections_total", "counter", 3],
];

Deno.test("all metrics are there from the start, with 0 for every label value", async () => {
  const families = await observed().read();
  assert.deepEqual([...families.keys()].sort(), FAMILIES.map(([name]) => P + name).sort());
  for (const [name, type, series] of FAMILIES) {
    const family = families.get(P + name)!;
    assert.equal(family.type, type, name);
    assert.equal(family.samples.length, series, name);
    for (const sample of family.samples) assert.equal(sample.value, 0, name);
  }
});

Deno.test("histograms have the bounds that the dashboards know", async () => {
  const families = await observed().read();
  const bounds = (name: string) => [
    ...new Set(
      families.get(P + name)!.samples.map(({ labels }) => labels.le).filter((le) => le),
    ),
  ];
  const doubled = (from: number, to: number) => {
    const out = [];
    for (let bound = from; bound <= to; bound *= 2) out.push(String(bound));
    return [...out, "+Inf"];
  };
  assert.deepEqual(bounds("message_size_bytes"), doubled(64, 4194304));
  assert.deepEqual(bounds("session_traffic_bytes"), doubled(512, 134217728));
  assert.deepEqual(
    bounds("session_duration_seconds").join(" "),
    "0.1 0.5 1 2 5 10 30 60 120 300 600 1800 3600 +Inf",
  );
});

Deno.test("nothing is put into the registry of the process", async () => {
  observed();
  assert.deepEqual(await register.getMetricsAsJSON(), []);
});

Deno.test("a name is taken once, and none comes after the first scrape", async () => {
  const registry = new Registry();
  const taken = { registry, name: "up", help: "Up" };
  registerGauge(taken, () => [[{}, 1]]);
  assert.throws(() => registerCounter(taken, () => []), /There is a metric up already/);
  assert.match(await registry.metrics(), /^up 1$/m);
  assert.throws(() => registerGauge({ ...taken, name: "late" }, () => []), /late comes after/);
});

Deno.test("two observers count apart", async () => {
  const a = observed();
  const b = observed();
  a.observer.sessionOpened(sessionStart());
  a.observer.toBackend.bytes += 5;
  assert.equal(valueOf(await a.read(), `${P}active_sessions`), 1);
  assert.equal(valueOf(await b.read(), `${P}active_sessions`), 0);
  assert.equal(valueOf(await b.read(), `${P}bytes_total`, { dir: "h3_to_h1" }), 0);
});

Deno.test("traffic is counted while sockets are open", async () => {
  const { observer, read } = observed();
  const { toBackend, toClient } = observer;
  Object.assign(toBackend, { bytes: 100, frameText: 1, frameCont: 2, framePing: 3, frameClose: 4 });
  Object.assign(toClient, { bytes: 2 ** 40, frameBinary: 5, framePong: 6, frameClose: 7 });
  Object.assign(toBackend, { messagesText: 8, oversizeFrames: 1 });
  Object.assign(toClient, { messagesBinary: 9, framePing: 1, oversizeMessages: 2 });
  const families = await read();
  const wants: [string, Record<string, string>, number][] = [
    ["bytes_total", { dir: "h3_to_h1" }, 100],
    ["bytes_total", { dir: "h1_to_h3" }, 2 ** 40],
    ["frames_total", { dir: "h3_to_h1", opcode: "text" }, 1],
    ["frames_total", { dir: "h3_to_h1", opcode: "cont" }, 2],
    ["frames_total", { dir: "h3_to_h1", opcode: "ping" }, 3],
    ["frames_total", { dir: "h3_to_h1", opcode: "close" }, 4],
    ["frames_total", { dir: "h1_to_h3", opcode: "binary" }, 5],
    ["frames_total", { dir: "h1_to_h3", opcode: "pong" }, 6],
    ["messages_total", { dir: "h3_to_h1", type: "text" }, 8],
    ["messages_total", { dir: "h1_to_h3", type: "binary" }, 9],
    ["control_frames_total", { type: "ping" }, 4],
    ["control_frames_total", { type: "pong" }, 6],
    ["control_frames_total", { type: "close" }, 11],
    ["oversize_drops_total", { kind: "frame" }, 1],
    ["oversize_drops_total", { kind: "message" }, 2],
  ];
  for (const [name, labels, want] of wants) {
    assert.equal(valueOf(families, P + name, labels), want, `${name} ${JSON.stringify(labels)}`);
  }
});

Deno.test("message sizes are cumulative in the exposition", async () => {
  const { observer, read } = observed();
  for (const size of [0, 64, 65, 1000, 4194304, 4194305]) {
    observer.toClient.sizesText.observe(size);
  }
  const families = await read();
  const labels = { dir: "h1_to_h3", type: "text" };
  const bucket = (le: string) =>
    valueOf(families, `${P}message_size_bytes_bucket`, { ...labels, le });
  assert.deepEqual(
    ["64", "128", "512", "1024", "2097152", "4194304", "+Inf"].map(bucket),
    [2, 3, 3, 4, 4, 5, 6],
  );
  assert.equal(valueOf(families, `${P}message_size_bytes_sum`, labels), 8389738);
  assert.equal(valueOf(families, `${P}message_size_bytes_count`, labels), 6);
});

Deno.test("a session counts at its open and at its end, and reads do not change it", async () => {
  const { observer, read } = observed();
  observer.sessionOpened(sessionStart({ handshakeMs: 30 }));
  observer.sessionOpened(sessionStart({ id: 2, handshakeMs: 20_000 }));
  await read();
  observer.sessionClosed(sessionEnd({ code: 4001, by: "backend", durationMs: 1500 }));
  const families = await read();
  const get = (name: string, labels = {}) => valueOf(families, P + name, labels);
  assert.equal(get("active_sessions"), 1);
  assert.equal(get("accepted_total"), 2);
  assert.equal(get("handshake_seconds_count"), 2);
  assert.equal(get("handshake_seconds_bucket", { le: "0.025" }), 0);
  assert.equal(get("handshake_seconds_bucket", { le: "0.05" }), 1);
  assert.equal(get("handshake_seconds_bucket", { le: "10" }), 1);
  assert.equal(get("session_duration_seconds_sum"), 1.5);
  assert.equal(get("session_duration_seconds_bucket", { le: "2" }), 1);
  assert.equal(get("session_traffic_bytes_sum", { dir: "h3_to_h1" }), 1200);
  assert.equal(get("session_traffic_bytes_bucket", { dir: "h1_to_h3", le: "512" }), 1);
  assert.equal(get("closes_total", { code: "4xxx", by: "backend" }), 1);
});

Deno.test("refusals, failures and connections are counted by their labels", async () => {
  const { observer, read } = observed();
  observer.rejected({
    reason: "path",
    status: 404,
    path: "/x",
    client: "192.0.2.1:1",
    message: "not here",
  });
  observer.failed("backend_dial", "refused", "192.0.2.1:1");
  observer.connectionOpened("3");
  observer.connectionOpened("3");
  observer.connectionClosed("3", { code: 0x100, reason: "", byPeer: true, durationMs: 1 });
  observer.prerequestClose("no_bidi_request_stream");
  const families = await read();
  const get = (name: string, labels = {}) => valueOf(families, P + name, labels);
  assert.equal(get("rejected_total", { reason: "path" }), 1);
  assert.equal(get("errors_total", { stage: "backend_dial" }), 1);
  assert.equal(get("active_connections", { http: "3" }), 1);
  assert.equal(get("connections_total", { http: "3" }), 2);
  assert.equal(get("prerequest_close_total", { reason: "no_bidi_request_stream" }), 1);
});

Deno.test("close code labels are bounded, whatever a peer sends", async () => {
  const table: [number, string][] = [
    [1000, "1000"],
    [1005, "1005"],
    [1006, "1006"],
    [1015, "1015"],
    [1004, "1xxx"],
    [1016, "1xxx"],
    [2999, "2xxx"],
    [3000, "3xxx"],
    [4999, "4xxx"],
    [5000, "other"],
    [0, "other"],
    [-1, "other"],
    [NaN, "other"],
    [1000.5, "1xxx"],
  ];
  for (const [code, label] of table) assert.equal(closeCodeLabel(code), label, String(code));
  const { observer, read } = observed();
  for (let code = 0; code < 65536; code++) observer.sessionClosed(sessionEnd({ code }));
  const codes = (await read()).get(`${P}closes_total`)!.samples
    .filter(({ labels }) => labels.by === "client");
  // 15 that have a name, and 1xxx, 2xxx, 3xxx, 4xxx, other.
  assert.equal(codes.length, 15 + 5);
});

Deno.test("process metrics: memory, CPU, lag, version", async () => {
  const registry = new Registry();
  const version = 'a"b\\c\nd';
  registerRuntime(registry, { version, eventLoopLag: () => 0.25 });
  const before = await readAll(registry);
  const get = (name: string, labels = {}) => valueOf(before, P + name, labels);
  for (const name of ["rss", "heap_used", "heap_total", "external"]) {
    assert.ok(get(`runtime_${name}_bytes`) > 0, name);
  }
  assert.equal(get("runtime_event_loop_lag_seconds"), 0.25);
  assert.equal(get("build_info", { version }), 1);
  const cpu = get("runtime_cpu_seconds_total");
  assert.ok(cpu > 0);
  // A busy machine gives less CPU time than time goes by.
  const deadline = performance.now() + 20_000;
  let after = cpu;
  while (after - cpu < 0.02 && performance.now() < deadline) {
    after = valueOf(await readAll(registry), `${P}runtime_cpu_seconds_total`);
  }
  assert.ok(after - cpu >= 0.02, `${after - cpu}`);
});

Deno.test("a value on a bound falls into that bucket", async () => {
  const buckets = new Buckets([1, 2]);
  for (const value of [0, 1, 1.5, 2, 2.1]) buckets.observe(value);
  assert.deepEqual([...buckets.counts], [2, 2, 1]);
  const registry = new Registry();
  registerHistogram(registry, { name: "h", help: "H" }, () => [{ labels: {}, ...buckets }]);
  const families = await readAll(registry);
  assert.equal(valueOf(families, "h_bucket", { le: "2" }), 4);
  const [json] = await (await registry.read()).getMetricsAsJSON();
  assert.equal(json.values.length, 5);
  (await registry.read()).resetMetrics();
});
