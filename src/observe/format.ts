import type { LogLevel, LogRecord, TextFormatter } from "@logtape/logtape";

/** Longer values are cut: a peer chooses paths and reasons, and may send 16 KiB of them. */
const MAX_VALUE_CHARS = 1024;

/** Printable ASCII. */
const PLAIN = /^[ -~]*$/;
/** A value that needs no quotes. */
const BARE = /^[!#-[\]-~]+$/;
/** What can move a terminal's cursor, end a line or turn the text's direction around. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const LEVEL_TEXT: Readonly<Record<LogLevel, string>> = {
  trace: "TRACE",
  debug: "DEBUG",
  info: "INFO ",
  warning: "WARN ",
  error: "ERROR",
  fatal: "FATAL",
};

const LEVEL_COLOR: Readonly<Record<LogLevel, number>> = {
  trace: 90,
  debug: 90,
  info: 32,
  warning: 33,
  error: 31,
  fatal: 31,
};

/** One JSON object a line: `time`, `level`, `event`, then the fields of the record. */
export const jsonFormatter: TextFormatter = ({ timestamp, level, rawMessage, properties }) => {
  let line = `{"time":"${new Date(timestamp).toISOString()}","level":"${level}",` +
    `"event":${jsonText(String(rawMessage))}`;
  // The keys are our own, and plain.
  for (const key in properties) line += `,"${key}":${jsonValue(key, properties[key])}`;
  return `${line}}\n`;
};

function jsonValue(key: string, value: unknown): string {
  if (typeof value === "string") return jsonText(key === "stack" ? value : cut(value));
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return escapeUnsafe(JSON.stringify(value ?? null));
}

// Much faster than JSON.stringify of the whole record.
function jsonText(value: string): string {
  return BARE.test(value) ? `"${value}"` : escapeUnsafe(JSON.stringify(value));
}

export interface TextOptions {
  /** Whether to colour the level and the event by ANSI escape sequences. */
  color?: boolean;
}

/**
 * `2026-01-31T12:00:00.000Z INFO  ws.open id=1 path=/ws`: values in quotes where they have spaces
 * or anything that is not printable ASCII. A field `stack` comes behind, indented.
 */
export function textFormatter({ color = false }: TextOptions = {}): TextFormatter {
  return (record) => {
    let line = new Date(record.timestamp).toISOString();
    line += color ? colored(record) : ` ${LEVEL_TEXT[record.level]} ${record.rawMessage}`;
    const { properties } = record;
    let stack = "";
    for (const key in properties) {
      const value = properties[key];
      if (value === null || value === undefined) continue;
      if (key === "stack") stack = stackText(String(value));
      else line += ` ${key}=${typeof value === "number" ? value : quoted(String(value))}`;
    }
    return `${line}\n${stack}`;
  };
}

function colored({ level, rawMessage }: LogRecord): string {
  return ` \x1b[${LEVEL_COLOR[level]}m${LEVEL_TEXT[level]}\x1b[0m \x1b[1m${rawMessage}\x1b[0m`;
}

function quoted(value: string): string {
  const text = cut(value);
  return BARE.test(text) ? text : escapeUnsafe(JSON.stringify(text));
}

// Each line is indented, so that none can pass for a record of its own.
function stackText(stack: string): string {
  return stack.split("\n").map((line) => `    ${escapeUnsafe(line.trim())}\n`).join("");
}

function cut(text: string): string {
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}...` : text;
}

function escapeUnsafe(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(UNSAFE, (found) => {
    let out = "";
    for (let i = 0; i < found.length; i++) {
      out += `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return out;
  });
}
