// Issue 4, Bad input: one log line each; and a flood of it must not be a flood of lines.
import assert from "node:assert/strict";
import type { RefusalKind } from "../../src/net/accepted.ts";
import { createLog } from "../../src/observe/log.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { Registry } from "../../src/observe/registry.ts";

const REFUSED: [ms: number, kind: RefusalKind][] = [
  [0, "tls"],
  [1, "tls"],
  [2, "proxy_protocol"],
  [3, "lost"],
  [9_999, "tls"],
  [10_000, "tls"],
  [10_001, "tls"],
  [50_000, "tls"],
  [50_001, "lost"],
];

/** The lines of `REFUSED`, each as "LEVEL REASON MESSAGE CONNECTIONS". */
function linesOf(level: "debug" | "info"): string[] {
  const lines: string[] = [];
  let nowMs = 0;
  const log = createLog(({ level, rawMessage, properties }) => {
    const { reason, message, client, connections = "-" } = properties;
    assert.deepEqual([rawMessage, client], ["connection.failed", "192.0.2.1:1"]);
    lines.push(`${level} ${reason} ${message} ${connections}`);
  }, { level });
  const observer = createObserver({ registry: new Registry(), log, now: () => nowMs });
  for (const [ms, kind] of REFUSED) {
    nowMs = ms;
    observer.handshakeFailed({ kind, message: `at ${ms}`, remote: "192.0.2.1:1" });
  }
  return lines;
}

Deno.test("handshakes that fail are a line at once, then one in 10 s for each reason, with their number", () => {
  assert.deepEqual(linesOf("info"), [
    "info tls at 0 1",
    "info proxy_protocol at 2 1",
    "info tls at 10000 3",
    "info tls at 50000 2",
  ]);
});

Deno.test("at level debug each handshake that fails is a line, and those of clients that went", () => {
  assert.deepEqual(linesOf("debug"), [
    "info tls at 0 1",
    "debug tls at 1 -",
    "info proxy_protocol at 2 1",
    "debug lost at 3 -",
    "debug tls at 9999 -",
    "info tls at 10000 3",
    "debug tls at 10001 -",
    "info tls at 50000 2",
    "debug lost at 50001 -",
  ]);
});
