import { Buffer } from "node:buffer";
import { isCloseCodeOnWire, MAX_CONTROL_PAYLOAD } from "../protocol/websocket/close.ts";

/** What a line says that was typed. */
export type Typed =
  | { kind: "message"; text: string }
  | { kind: "ping" | "pong"; payload: Uint8Array }
  | { kind: "close"; code: number; reason: string }
  /** Not sent: why, in one line. */
  | { kind: "wrong"; problem: string };

const NORMAL_CLOSURE = 1000;
// A Close frame has the code before its reason.
const MAX_REASON = MAX_CONTROL_PAYLOAD - 2;

/**
 * Reads a line of `--slash`: `/ping [data]`, `/pong [data]`, `/close [code [reason]]`; two slashes
 * stand for one of a message.
 */
export function parseTyped(line: string): Typed {
  if (!line.startsWith("/")) return { kind: "message", text: line };
  if (line.startsWith("//")) return { kind: "message", text: line.slice(1) };
  const [, word, rest] = /^\/(\S*) ?([^]*)$/.exec(line)!;
  if (word === "ping" || word === "pong") return control(word, rest);
  if (word === "close") return close(rest);
  return wrong(`/${word} is not known; /ping, /pong and /close are, //${word} sends it as text`);
}

/** The bytes of a line of `--base64`, `null` if it is none. */
export function parseBase64(line: string): Uint8Array<ArrayBuffer> | null {
  const text = line.trim();
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0
    ? new Uint8Array(Buffer.from(text, "base64"))
    : null;
}

function control(kind: "ping" | "pong", data: string): Typed {
  const payload = new TextEncoder().encode(data);
  if (payload.length <= MAX_CONTROL_PAYLOAD) return { kind, payload };
  return wrong(`/${kind} takes ${MAX_CONTROL_PAYLOAD} bytes, not ${payload.length}`);
}

function close(rest: string): Typed {
  const [, digits, reason] = /^\s*(\S*) ?([^]*)$/.exec(rest)!;
  if (digits === "") return { kind: "close", code: NORMAL_CLOSURE, reason: "" };
  const code = /^\d{4}$/.test(digits) ? Number(digits) : NaN;
  if (!isCloseCodeOnWire(code)) {
    return wrong(`/close: ${digits} can't be sent; 1000-1003, 1007-1014 and 3000-4999 can`);
  }
  const { length } = new TextEncoder().encode(reason);
  if (length > MAX_REASON) return wrong(`/close takes a reason of ${MAX_REASON} bytes`);
  return { kind: "close", code, reason };
}

function wrong(problem: string): Typed {
  return { kind: "wrong", problem };
}
