import {
  compareLogLevel,
  getLogger,
  getLogLevels,
  type LogRecord,
  type Sink,
} from "@logtape/logtape";
import { jsonFormatter, textFormatter } from "./format.ts";
import { type LineTarget, LineWriter } from "./line_writer.ts";

// LogTape's configure() is for a whole process, and throws when it is called twice. Two proxies in
// one process each have a level and a target of their own, and a library may not configure the
// application's log at all. So a Log is made here of LogTape's parts (records, levels, sinks,
// formatters) without configure(); `applicationSink` is the way into an application's own LogTape.

export type { LogRecord, Sink } from "@logtape/logtape";

/** How much a line matters, the least first. The same as LogTape's. */
export type LogLevel = "trace" | "debug" | "info" | "warning" | "error" | "fatal";

/** What a line tells beside its event. `null` means that there is none. */
export type Fields = Record<string, string | number | boolean | null>;

/** One proxy's log. No method throws or waits. */
export interface Log {
  /** Whether lines of this level are written: ask before making costly fields. */
  enabled(level: LogLevel): boolean;
  /** Writes a line for whoever looks for a fault. */
  debug(event: string, fields?: Fields): void;
  /** Writes a line of the normal course of things. */
  info(event: string, fields?: Fields): void;
  /** Writes a line of what may need a look. */
  warning(event: string, fields?: Fields): void;
  /** Writes a line of a fault of ours. */
  error(event: string, fields?: Fields): void;
}

/** A log that writes to a target, and must be ended with it. */
export interface OwnedLog extends Log {
  /** Resolves when all lines are written, or after `timeoutMs` (default 1000) at the latest. */
  flush(timeoutMs?: number): Promise<void>;
  /** Writes what is pending at once, for an `unload` handler; skipped when the target is stalled. */
  flushSync(): void;
}

/** What every log may be told. */
export interface LogOptions {
  /** Lines below this level are not made. Default "info"; "off" for none. */
  level?: LogLevel | "off";
  /** The category of the records, for an application's own LogTape. Default `["h3ws"]`. */
  category?: readonly string[];
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** A log that hands its records to a LogTape sink. What the sink throws is ignored. */
export function createLog(sink: Sink, options: LogOptions = {}): Log {
  const { level = "info" } = options;
  const record = recordMaker(options);
  const on = new Set(
    level === "off" ? [] : getLogLevels().filter((one) => compareLogLevel(one, level) >= 0),
  );
  const at = (level: LogLevel) => (event: string, fields: Fields = {}) => {
    if (!on.has(level)) return;
    try {
      sink(record(level, event, fields));
    } catch {
      // A log that fails must not fail a session.
    }
  };
  return {
    enabled: (level) => on.has(level),
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
  };
}

type RecordMaker = (level: LogLevel, event: string, properties: Fields) => LogRecord;

function recordMaker({ category = ["h3ws"], now = Date.now }: LogOptions): RecordMaker {
  return (level, event, properties) => (
    { category, level, message: [event], rawMessage: event, timestamp: now(), properties }
  );
}

/** What a log that writes lines may be told. */
export interface LineLogOptions extends LogOptions {
  /** Default "text". */
  format?: "text" | "json";
  /** Colours in text form. Default: on a terminal, unless NO_COLOR is set. */
  color?: boolean;
  /** Default `Deno.stderr`. */
  target?: LineTarget;
  /** See `LineWriter`. */
  delayMs?: number;
  /** See `LineWriter`: the most characters that wait. */
  maxPending?: number;
}

/** A log that writes lines of text or JSON to stderr or another target. */
export function createLineLog(options: LineLogOptions = {}): OwnedLog {
  const { target = Deno.stderr, format = "text", delayMs, maxPending } = options;
  const color = options.color ?? (target === Deno.stderr && wantsColor());
  const formatter = format === "json" ? jsonFormatter : textFormatter({ color });
  const record = recordMaker(options);
  const writer = new LineWriter({
    target,
    delayMs,
    maxPending,
    dropped: (lines) => formatter(record("warning", "log.dropped", { lines })),
  });
  const log = createLog((record) => writer.push(formatter(record)), options);
  return {
    ...log,
    flush: (timeoutMs = 1000) => within(timeoutMs, writer.flush()),
    flushSync: () => writer.flushSync(),
  };
}

/** Hands records to the LogTape that the application has configured for itself. */
export const applicationSink: Sink = (record) => getLogger(record.category).emit(record);

/** A log that writes nothing. */
export const silentLog: Log = createLog(() => {}, { level: "off" });

function wantsColor(): boolean {
  return Deno.stderr.isTerminal() && !Deno.noColor;
}

async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, timeoutMs));
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
