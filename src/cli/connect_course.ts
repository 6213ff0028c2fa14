import type { ConnectConfig } from "./connect_flags.ts";
import type { Course } from "./connect_session.ts";

const DEFAULT_PING_INTERVAL_MS = 1_000;
// As wscat has it.
const WAIT_BEHIND_EXECUTE_MS = 2_000;

/** What the flags say of a socket's course. */
export function courseOf(config: ConnectConfig, isTyped: boolean): Course {
  const { execute, waitMs, oneMessage, maxMessages, exitOnEof, slash, binary, base64 } = config;
  const { pingIntervalMs, printRtts, pingTimeoutMs } = config;
  // The end of what is typed is Ctrl+D.
  const behindInput = exitOnEof || isTyped ? 0 : waitMs ?? Infinity;
  return {
    ...{ execute, slash, binary, base64, pingTimeoutMs },
    waitMs: { behindExecute: waitMs ?? WAIT_BEHIND_EXECUTE_MS, behindInput },
    maxMessages: oneMessage ? 1 : maxMessages || Infinity,
    maxSent: oneMessage ? 1 : Infinity,
    pingIntervalMs: pingIntervalMs || (printRtts ? DEFAULT_PING_INTERVAL_MS : 0),
  };
}
