import type { Socket, SocketEnd } from "../endpoint/socket.ts";
import { messageOf } from "../net/error.ts";
import { timerMs } from "../net/numbers.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import type { BackoffOptions } from "./backoff.ts";
import type { ConnectOptions, connectWebSocket } from "./connect.ts";
import { UpgradeRefused } from "./refused.ts";
import { retryAfterMs } from "./retry_after.ts";

/** How a connection ended, or that there was none. */
export interface ReconnectingEnd extends SocketEnd {
  /** Why it could not be opened, or what `resubscribe` threw. */
  error?: unknown;
}

/** A connection as the hooks have it: nobody reads from it but `receive`. */
export type OpenedSocket = Pick<
  Socket,
  "http" | "protocol" | "extensions" | "fields" | "send" | "ping"
>;

/** The time, and what is done later. */
export interface Clock {
  /** Milliseconds since some instant; never less than before. */
  nowMs(): number;
  /** Calls `run` after so many milliseconds, unless what it gives is called before. */
  after(ms: number, run: () => void): () => void;
}

/** What `reconnecting` may be told, beside all that `connectWebSocket` takes. */
export interface ReconnectingOptions extends ConnectOptions, BackoffOptions {
  /** A connection that lived so long was none of several in a row that failed; default 60 s. */
  stableMs?: number;
  /**
   * The longest wait that is taken from the Retry-After of a 429 or 503, to which that of the backoff
   * is added; default 5 min, 0 to leave it out.
   */
  maxRetryAfterMs?: number;
  /** How many times in a row it comes back before it gives up; default `Infinity`. */
  maxRetries?: number;
  /**
   * Whether it does not come back after this end. By default, which is given beside, 1000, 1008 and
   * 4000 to 4999 end it, and so do a 4xx that says what no retry mends, and options that are none.
   */
  endsOn?: (end: ReconnectingEnd, byDefault: boolean) => boolean;
  /** What `send` does while there is no connection: it waits for one (default), or rejects. */
  whenDown?: "wait" | "reject";
  /** How long `send` waits for one; default 30 s, `Infinity` for as long as it takes. */
  sendWaitMs?: number;
  /** How many `send`s may wait at once; more are rejected. Default 1,000. */
  maxWaitingSends?: number;
  /** Closes it for good, as `close` does. */
  signal?: AbortSignal;
  /** Told of each connection, and how many attempts it took. What it throws ends all. */
  onOpen?: (socket: OpenedSocket, attempt: number) => void;
  /**
   * Called on each connection but the first; messages that wait are sent once it is done. What it
   * throws closes this connection with 1011, and counts as one that failed.
   */
  resubscribe?: (socket: OpenedSocket) => void | Promise<void>;
  /**
   * Told of each connection that ended and each attempt that failed, and when the next comes: `null`
   * for never. What it throws ends all.
   */
  onClose?: (end: ReconnectingEnd, delayMs: number | null) => void;
  /** For tests; default that of the system. */
  clock?: Clock;
  /** For tests; default `connectWebSocket`. */
  connect?: typeof connectWebSocket;
}

/** Time as the system has it. */
export const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, timerMs(ms));
    return () => clearTimeout(timer);
  },
};

/** RFC 9110 §15.5: the 4xx that say nothing against the same request, later or elsewhere. */
const MAY_PASS: ReadonlySet<number> = new Set([408, 421, 425, 429]);

/** Those whose Retry-After says when it may pass. */
const ASKING: ReadonlySet<number> = new Set([429, 503]);

/** Whether to come back after it would be of no use, or is not wanted by the server. */
export function endsByDefault({ code, error }: ReconnectingEnd): boolean {
  if (error instanceof UpgradeRefused) {
    const { status } = error;
    return status >= 400 && status < 500 && !MAY_PASS.has(status);
  }
  if (error instanceof TypeError) return true;
  return code === CloseCode.NORMAL || code === CloseCode.POLICY_VIOLATION ||
    (code >= 4000 && code <= 4999);
}

/** RFC 9110 §10.2.3, RFC 6585 §4: how long the server wants to be left alone. */
export function askedDelayMs(
  { error }: ReconnectingEnd,
  { maxRetryAfterMs = 300_000 }: ReconnectingOptions,
): number {
  if (!(error instanceof UpgradeRefused && ASKING.has(error.status))) return 0;
  return Math.min(maxRetryAfterMs, retryAfterMs(error.fields, Date.now()) ?? 0);
}

/** The end of what was not opened. */
export function notOpened(error: unknown): ReconnectingEnd {
  const reason = messageOf(error);
  return { code: CloseCode.ABNORMAL_CLOSURE, reason, wasClean: false, by: "lost", error };
}

/** The end of what was closed while there was no connection. */
export function closedWhileDown(): ReconnectingEnd {
  const reason = "closed while there was no connection";
  return { code: CloseCode.ABNORMAL_CLOSURE, reason, wasClean: false, by: "us" };
}

/** What the hooks get of a socket. */
export function openedSocket(socket: Socket): OpenedSocket {
  const { http, protocol, extensions, fields } = socket;
  return {
    ...{ http, protocol, extensions, fields },
    send: (data) => socket.send(data),
    ping: (payload) => socket.ping(payload),
  };
}
