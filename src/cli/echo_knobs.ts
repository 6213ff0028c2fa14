import { quote, ValueError } from "../config/error.ts";
import { count, duration, type Kind, onOff, size } from "../config/kinds.ts";
import { encodeClosePayload } from "../protocol/websocket/close.ts";
import { isToken } from "../protocol/wire/field.ts";

/** What a query asks of the echo server. What is not given is left out. */
export interface Knobs {
  /** Before the answer to the handshake. */
  readonly handshakeDelayMs?: number;
  readonly refusal?: { status: number; body: string; retryAfterSeconds?: number };
  /** The subprotocol to name, offered or not; empty for none. */
  readonly protocol?: string;
  /** How long nothing is read. */
  readonly stallMs?: number;
  readonly delayMs?: number;
  /** Bytes of each message that is sent; as large as what came without it. */
  readonly sizeBytes?: number;
  readonly type?: "text" | "binary";
  readonly pingIntervalMs?: number;
  readonly push?: { count: number; intervalMs: number };
  /** How the server ends it, once it has sent so many messages. */
  readonly end?: { after: number; close: { code: number; reason: string } | null };
}

/** A query that can't be used; the message is for whoever wrote it, and lists all knobs. */
export class KnobError extends Error {
  override name = "KnobError";
}

interface Knob<T> {
  readonly kind: Kind<T>;
  readonly example: string;
  readonly meaning: string;
}

const MAX_WAIT_MS = 3_600_000;
/** Many may ask for it at once. */
const MAX_SIZE = 16 * 1024 * 1024;
const MAX_TEXT = 1024;
/** RFC 6455 §5.5: control frames <= 125 bytes, of which the code has two. */
const MAX_REASON_BYTES = 123;

const wait = duration({ min: 0, max: MAX_WAIT_MS });
const interval = duration({ min: 1, max: MAX_WAIT_MS });

const TEXT_ALLOWED = `text of ${MAX_TEXT} characters at most`;
const text: Kind<string> = {
  placeholder: "text",
  allowed: TEXT_ALLOWED,
  takesEmpty: true,
  parse(value) {
    if (value.length <= MAX_TEXT) return value;
    throw new ValueError("is too long", TEXT_ALLOWED);
  },
};

const PROTOCOL_ALLOWED = "the name of a subprotocol, or nothing for none";
const protocol: Kind<string> = {
  placeholder: "name",
  allowed: PROTOCOL_ALLOWED,
  takesEmpty: true,
  parse(value) {
    if (value === "" || isToken(value)) return value;
    throw new ValueError("is no token", PROTOCOL_ALLOWED);
  },
};

const set: Kind<boolean> = { ...onOff, parse: (value) => value === "" || onOff.parse(value) };

const KNOBS = {
  "handshake-delay": { kind: wait, example: "2s", meaning: "waits before it answers" },
  status: {
    kind: count({ min: 300, max: 599 }),
    example: "403",
    meaning: "refuses with this status instead",
  },
  body: { kind: text, example: "no", meaning: "the body of that refusal" },
  "retry-after": {
    kind: count({ min: 0 }),
    example: "5",
    meaning: "the Retry-After of that refusal, in seconds",
  },
  protocol: {
    kind: protocol,
    example: "chat",
    meaning: "names this subprotocol, offered or not (a client must fail then); nothing for " +
      "none; else the first on offer is taken",
  },
  stall: {
    kind: wait,
    example: "10s",
    meaning: "takes no message for so long: a client that sends comes to wait",
  },
  delay: { kind: wait, example: "250ms", meaning: "waits before each echo" },
  size: {
    kind: size({ min: 0, max: MAX_SIZE }),
    example: "64KiB",
    meaning: "sends messages of this size instead of what came",
  },
  text: { kind: set, example: "", meaning: "sends text, whatever came" },
  binary: { kind: set, example: "", meaning: "sends binary, whatever came" },
  ping: {
    kind: interval,
    example: "1s",
    meaning: "sends a Ping each so often, as long as they are answered",
  },
  count: {
    kind: count({ max: 1_000_000 }),
    example: "100",
    meaning: "sends so many messages by itself, a number in each; echoes go on",
  },
  interval: { kind: interval, example: "10ms", meaning: "with count: the time between them" },
  close: {
    kind: count({ min: 1000, max: 4999 }),
    example: "4001",
    meaning: "sends a Close with this code, at once if there is no after",
  },
  reason: { kind: text, example: "bye", meaning: "with close: its reason" },
  after: {
    kind: count({ min: 0 }),
    example: "3",
    meaning: "with close: only when it has sent so many messages",
  },
  drop: {
    kind: count({ min: 0 }),
    example: "1",
    meaning: "ends the stream without Close when it has sent so many messages; 0: at once",
  },
} satisfies Record<string, Knob<unknown>>;

type Name = keyof typeof KNOBS;
type Given = { [K in Name]?: ReturnType<(typeof KNOBS)[K]["kind"]["parse"]> };

/** Those that mean nothing alone. */
const NEEDS: readonly (readonly [Name, Name])[] = [
  ["body", "status"],
  ["retry-after", "status"],
  ["interval", "count"],
  ["reason", "close"],
  ["after", "close"],
];

const EXCLUDE: readonly (readonly [Name, Name])[] = [["text", "binary"], ["close", "drop"]];

/** Each knob as it is written in a query, and what it does. */
export const KNOB_ROWS: readonly { example: string; meaning: string }[] = Object.entries(KNOBS)
  .map(([name, { example, meaning }]) => ({
    example: example === "" ? name : `${name}=${example}`,
    meaning,
  }));

const ALL = Object.keys(KNOBS).join(", ");

/** How a query is read: an unknown name is refused, or somebody else's; or nothing is read. */
export const KNOB_MODES = ["strict", "known", "off"] as const;
export type KnobMode = typeof KNOB_MODES[number];

/** Reads a query without its `?`. Throws `KnobError`. */
export function readKnobs(query: string, mode: KnobMode = "strict"): Knobs {
  if (mode === "off") return {};
  const given: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!Object.hasOwn(KNOBS, name)) {
      if (mode === "known") continue;
      fail(`${quote(name)} is not known`);
    }
    if (name in given) fail(`${name} is there twice`);
    given[name] = parse(name as Name, value);
  }
  for (const [name, other] of NEEDS) {
    if (name in given && !(other in given)) fail(`${name} goes with ${other} alone`);
  }
  for (const [name, other] of EXCLUDE) {
    if (name in given && other in given) fail(`${name} and ${other} don't go together`);
  }
  return arrange(given as Given);
}

function parse(name: Name, value: string): unknown {
  try {
    return KNOBS[name].kind.parse(value);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    fail(`${name}: ${quote(value)} ${error.problem}; allowed: ${error.allowed}`);
  }
}

function fail(problem: string): never {
  throw new KnobError(`Knob ${problem}. There are ${ALL}; GET / tells what each does.`);
}

function arrange(given: Given): Knobs {
  const { status, count } = given;
  return {
    handshakeDelayMs: given["handshake-delay"],
    refusal: status === undefined ? undefined : {
      status,
      body: given.body ?? `refused with ${status}, as the query says\n`,
      retryAfterSeconds: given["retry-after"],
    },
    protocol: given.protocol,
    stallMs: given.stall,
    delayMs: given.delay,
    sizeBytes: given.size,
    type: given.text ? "text" : given.binary ? "binary" : undefined,
    pingIntervalMs: given.ping,
    push: count === undefined ? undefined : { count, intervalMs: given.interval ?? 0 },
    end: endOf(given),
  };
}

function endOf({ close, reason = "", after = 0, drop }: Given): Knobs["end"] {
  if (drop !== undefined) return { after: drop, close: null };
  if (close === undefined) return undefined;
  if (new TextEncoder().encode(reason).length > MAX_REASON_BYTES) {
    fail(`reason is longer than ${MAX_REASON_BYTES} bytes`);
  }
  try {
    encodeClosePayload(close, reason);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    fail(`close: ${error.message}`);
  }
  return { after, close: { code: close, reason } };
}
