import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import type { LineTarget } from "../../src/observe/line_writer.ts";
import {
  applicationSink,
  createLineLog,
  createLog,
  type LogRecord,
  silentLog,
} from "../../src/observe/log.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { Registry } from "../../src/observe/registry.ts";
import { sessionEnd, sessionStart } from "./sessions.ts";

function memory(): { target: LineTarget; text: () => string } {
  let text = "";
  const writeSync = (bytes: Uint8Array) => {
    text += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  return {
    target: { writeSync, write: (bytes) => Promise.resolve(writeSync(bytes)) },
    text: () => text,
  };
}

Deno.test("lines below the level are not made", async () => {
  const table: { level: "debug" | "info" | "warning" | "error" | "off"; want: string }[] = [
    { level: "debug", want: "d i w e" },
    { level: "info", want: "i w e" },
    { level: "warning", want: "w e" },
    { level: "error", want: "e" },
    { level: "off", want: "" },
  ];
  for (const { level, want } of table) {
    const { target, text } = memory();
    const log = createLineLog({ level, target, format: "json" });
    log.debug("d");
    log.info("i");
    log.warning("w");
    log.error("e");
    await log.flush();
    const events = text().split("\n").filter(Boolean).map((line) => JSON.parse(line).event);
    assert.equal(events.join(" "), want, level);
    assert.equal(log.enabled("info"), want.includes("i"), level);
  }
});

Deno.test("two logs live side by side, each with its level, form and target", async () => {
  const a = memory();
  const b = memory();
  const now = () => 0;
  const logA = createLineLog({ level: "debug", target: a.target, now });
  const logB = createLineLog({ level: "info", format: "json", target: b.target, now });
  for (const log of [logA, logB]) {
    log.debug("one");
    log.info("two", { n: 1 });
    await log.flush();
  }
  assert.equal(
    a.text(),
    "1970-01-01T00:00:00.000Z DEBUG one\n1970-01-01T00:00:00.000Z INFO  two n=1\n",
  );
  assert.equal(
    b.text(),
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","event":"two","n":1}\n',
  );
});

Deno.test("lost lines are told in the log", async () => {
  const { target, text } = memory();
  const log = createLineLog({ format: "json", target, maxPending: 100 });
  for (let i = 0; i < 10; i++) log.info("x");
  await log.flush();
  const last = JSON.parse(text().trimEnd().split("\n").at(-1)!);
  assert.equal(last.event, "log.dropped");
  assert.equal(last.lines, 9);
  assert.equal(last.level, "warning");
});

Deno.test("flush has a time limit", async () => {
  let open = (_: number) => {};
  const target = {
    write: () => new Promise<number>((resolve) => open = resolve),
    writeSync: () => 0,
  };
  const log = createLineLog({ target });
  log.info("x");
  await log.flush(20);
  open(100);
});

Deno.test("a sink that throws does not fail the proxy", () => {
  const log = createLog(() => {
    throw new Error("full");
  });
  log.info("x");
  silentLog.error("x");
});

Deno.test("records can go to the application's own LogTape", async () => {
  const records: LogRecord[] = [];
  await configure({
    sinks: { memory: (record) => records.push(record) },
    loggers: [
      { category: ["app", "proxy"], lowestLevel: "debug", sinks: ["memory"] },
      { category: ["logtape", "meta"], lowestLevel: "fatal", sinks: [] },
    ],
  });
  try {
    const log = createLog(applicationSink, { category: ["app", "proxy"], now: () => 5 });
    log.info("ws.open", { id: 1 });
    log.debug("no");
  } finally {
    await reset();
  }
  assert.equal(records.length, 1);
  const { category, level, message, timestamp, properties } = records[0];
  assert.deepEqual(
    { category, level, message, timestamp, properties },
    {
      category: ["app", "proxy"],
      level: "info",
      message: ["ws.open"],
      timestamp: 5,
      properties: { id: 1 },
    },
  );
});

/** The lines that one act of an observer writes. */
async function linesOf(
  act: (observer: ReturnType<typeof createObserver>) => void,
  level: "debug" | "info" = "info",
): Promise<Record<string, unknown>[]> {
  const { target, text } = memory();
  const log = createLineLog({ level, format: "json", target, now: () => 0 });
  act(createObserver({ registry: new Registry(), log }));
  await log.flush();
  return text().split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

Deno.test("a socket is one line when it opens and one when it ends, with who ended it and why", async () => {
  const lines = await linesOf((observer) => {
    observer.sessionOpened(sessionStart({ subprotocol: "chat" }));
    observer.sessionClosed(
      sessionEnd({ by: "proxy:limit", code: 1009, reason: "message too big" }),
    );
  });
  const time = "1970-01-01T00:00:00.000Z";
  const common = {
    http: "3",
    protocol: "websocket",
    client: "192.0.2.7:51234",
    authority: "proxy.example",
    path: "/ws?room=a",
    backend: "ws://127.0.0.1:8080",
  };
  assert.deepEqual(lines, [
    {
      time,
      level: "info",
      event: "ws.open",
      id: 1,
      ...common,
      subprotocol: "chat",
      handshakeMs: 12.3,
    },
    {
      time,
      level: "info",
      event: "ws.close",
      id: 1,
      by: "proxy:limit",
      code: 1009,
      reason: "message too big",
      durationMs: 1500,
      toBackendBytes: 1200,
      toBackendMessages: 3,
      toBackendFrames: 4,
      toClientBytes: 500,
      toClientMessages: 2,
      toClientFrames: 2,
      ...common,
      subprotocol: null,
    },
  ]);
});

Deno.test("refusals are info, failures warnings, bugs errors with their stack", async () => {
  const lines = await linesOf((observer) => {
    observer.rejected({
      reason: "path",
      status: 404,
      path: "/no",
      client: "192.0.2.1:1",
      message: "not here",
    });
    observer.failed("backend_dial", "refused", "192.0.2.1:1");
    observer.bug("relay", new TypeError("x is undefined"));
    observer.bug("relay", Object.create(null));
    observer.connectionOpened("3");
    observer.prerequestClose("no_h3_stream_activity");
  });
  assert.deepEqual(lines.map(({ level, event }) => `${level} ${event}`), [
    "info ws.reject",
    "warning ws.error",
    "error bug",
    "error bug",
  ]);
  assert.match(String(lines[2].stack), /log_test\.ts/);
});

Deno.test("an ordinary request is one line and counts once, whoever answers it", async () => {
  const { target, text } = memory();
  const log = createLineLog({ level: "debug", format: "json", target });
  const registry = new Registry();
  const observer = createObserver({ registry, log });
  const request = {
    http: "2" as const,
    ...{ client: "192.0.2.1:1", method: "GET", authority: "a.example", path: "/no" },
    ...{ status: 404, durationMs: 1, toBackendBytes: 0, toClientBytes: 10, broken: "" },
  };
  const counted = async (status: string) => {
    const series = new RegExp(
      `^h3ws_proxy_requests_total\\{http="2",status="${status}"\\} (.*)$`,
      "m",
    );
    return series.exec(await registry.metrics())?.[1];
  };
  observer.requestEnded({ ...request, backend: null });
  assert.deepEqual([observer.stats().totalRequests, await counted("4xx")], [1, "1"]);
  observer.requestEnded({ ...request, backend: "http://127.0.0.1:8080" });
  assert.deepEqual([observer.stats().totalRequests, await counted("4xx")], [2, "2"]);
  observer.failed("backend_dial", "refused", "192.0.2.1:1");
  observer.requestEnded({ ...request, status: 502, backend: null, failed: true });
  observer.failed("backend_dial", "refused", "192.0.2.1:1");
  const broken = "client: gone";
  observer.requestEnded({ ...request, status: 0, broken, backend: null, failed: true });
  assert.deepEqual([await counted("5xx"), await counted("none")], ["1", "1"]);
  assert.deepEqual([observer.stats().totalRequests, observer.stats().bytesTransferred], [4, 40]);
  await log.flush();
  const lines = text().trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ event }) => event),
    ["http.request", "http.request", "ws.error", "ws.error"],
  );
  assert.deepEqual(Object.keys(lines[0]), Object.keys(lines[1]));
  assert.deepEqual([lines[0].backend, lines[0].status], [null, 404]);
});

Deno.test("connections are lines at level debug", async () => {
  const lines = await linesOf((observer) => {
    observer.connectionOpened("3");
    observer.connectionClosed("3", { code: 0x102, reason: "x", byPeer: false, durationMs: 2 });
    observer.prerequestClose("no_h3_stream_activity");
  }, "debug");
  assert.deepEqual(lines.map(({ event }) => event), [
    "connection.open",
    "connection.close",
    "connection.no_request",
  ]);
  assert.equal(lines[1].by, "proxy");
});
