import type { SocketEnd } from "../endpoint/socket.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { ExitCode } from "./command.ts";

const FINE: ReadonlySet<number> = new Set([
  CloseCode.NORMAL,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
]);

/** The exit codes of `h3ws connect`, for its users. */
export const EXIT_CODES: readonly (readonly [exit: string, close: string])[] = [
  ["0", "1000, 1001, 1005 (a Close without a code)"],
  ["1", "could not connect"],
  ["2", "a wrong command line"],
  ["12 to 25", "1002 to 1015: less 990, so 16 is 1006 (lost, without a Close)"],
  ["29", "any other below 3000"],
  ["30", "3000 to 3999"],
  ["40", "4000 to 4999"],
];

const LAST_REGISTERED = 1015;
const OF_RESERVED = 29;

/** The exit code for the close code that a WebSocket ended with. */
export function exitCodeOf(code: number): number {
  if (FINE.has(code)) return ExitCode.OK;
  if (code >= 4000) return 40;
  if (code >= 3000) return 30;
  return code > 1000 && code <= LAST_REGISTERED ? code - 990 : OF_RESERVED;
}

// What the server says by these would be the same the next time.
const FINAL: ReadonlySet<number> = new Set([
  CloseCode.NORMAL,
  CloseCode.PROTOCOL_ERROR,
  CloseCode.UNSUPPORTED_DATA,
  CloseCode.INVALID_FRAME_PAYLOAD_DATA,
  CloseCode.POLICY_VIOLATION,
  CloseCode.MESSAGE_TOO_BIG,
  CloseCode.MANDATORY_EXTENSION,
]);

/** Whether to connect again is of use: it was lost, or the server ended it for a while. */
export function isWorthAnother({ code }: Pick<SocketEnd, "code">): boolean {
  return code < 3000 && !FINAL.has(code);
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;

/**
 * How long to wait before the n-th attempt in a row, from 0: at random up to 0.5 s, and up to twice
 * as long each time, but no more than 30 s. All at once would bring down again what just came up.
 */
export function delayBefore(attempt: number, random: () => number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * random();
}
