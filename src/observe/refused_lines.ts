import type { Refusal, RefusalKind } from "../net/accepted.ts";
import type { Log } from "./log.ts";

const PERIOD_MS = 10_000;

interface Told {
  atMs: number;
  /** Refused since. */
  since: number;
}

/**
 * Writes the lines of connections that did not come to be. Each reason has one at once, then one in
 * 10 s that says how many there were since: whoever sends rubbish does not choose how much is
 * written. The others, and clients that went by themselves, stand at level debug.
 */
export function refusedLines(log: Log, now: () => number): (refusal: Refusal) => void {
  const told = new Map<RefusalKind, Told>();
  const debug = log.enabled("debug");
  /** How many the line of this one is about; 0 for no line. */
  const due = (kind: RefusalKind): number => {
    if (kind === "lost") return 0;
    const last = told.get(kind);
    const nowMs = now();
    if (last !== undefined && nowMs - last.atMs < PERIOD_MS) {
      last.since++;
      return 0;
    }
    told.set(kind, { atMs: nowMs, since: 0 });
    return (last?.since ?? 0) + 1;
  };
  return ({ kind, message, remote }) => {
    const fields = { reason: kind, message, client: remote };
    const connections = due(kind);
    if (connections === 0) {
      if (debug) log.debug("connection.failed", fields);
      return;
    }
    log.info("connection.failed", { ...fields, connections });
  };
}
