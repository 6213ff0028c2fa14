/** What the methods of `WebSocket3` take, by the rules of the WHATWG and of Web IDL. */

import { type Field, isToken } from "../protocol/wire/field.ts";
import type { ConnectOptions } from "./connect.ts";

/** What `WebSocket3` may be told beside subprotocols: all that `connectWebSocket` takes. */
export interface WebSocket3Options extends Omit<ConnectOptions, "protocols"> {
  /** Subprotocols to offer, most wanted first. */
  protocols?: string | readonly string[];
}

/** RFC 6455 §5.5: 125 bytes less the code. */
const MAX_REASON_BYTES = 123;

const utf8 = new TextEncoder();

function syntaxError(message: string): DOMException {
  return new DOMException(message, "SyntaxError");
}

/**
 * The URL of a WebSocket (https://websockets.spec.whatwg.org/#dom-websocket-websocket), with `ws:`
 * for `http:` and `wss:` for `https:`.
 *
 * @throws {DOMException} "SyntaxError" for what is none
 */
export function readUrl(url: unknown): URL {
  const text = String(url).toWellFormed();
  const parsed = URL.parse(text);
  if (parsed === null) throw syntaxError(`"${text}" is no absolute URL`);
  if (parsed.protocol === "http:") parsed.protocol = "ws:";
  if (parsed.protocol === "https:") parsed.protocol = "wss:";
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    throw syntaxError(`"${parsed.href}": expected ws:, wss:, http: or https:`);
  }
  // An empty fragment is one, and is seen in `href` alone.
  if (parsed.href.includes("#")) throw syntaxError(`"${parsed.href}": a WebSocket has no fragment`);
  return parsed;
}

/**
 * The subprotocols to offer (RFC 6455 §4.1).
 *
 * @throws {DOMException} "SyntaxError" for what is no token, and for one that is there twice
 */
export function readProtocols(protocols: unknown): string[] {
  const list = isIterable(protocols) ? [...protocols].map(String) : [String(protocols)];
  const seen = new Set<string>();
  for (const protocol of list) {
    if (!isToken(protocol)) throw syntaxError(`"${protocol}" is no subprotocol`);
    const key = protocol.toLowerCase();
    if (seen.has(key)) throw syntaxError(`The subprotocol "${protocol}" is offered twice`);
    seen.add(key);
  }
  return list;
}

/** The second argument of the constructor, which is an object of options, or only subprotocols. */
export function optionsOf(
  given: string | readonly string[] | WebSocket3Options | null,
): WebSocket3Options {
  if (typeof given !== "object" || given === null || isIterable(given)) {
    return { protocols: given as string };
  }
  return given;
}

/** An object, as Web IDL tells a sequence from a string. */
function isIterable(value: unknown): value is Iterable<unknown> {
  if (typeof value !== "object" && typeof value !== "function" || value === null) return false;
  return Symbol.iterator in value;
}

/**
 * The code and the reason of a Close. None of both is a Close without a code, a reason alone goes
 * with 1000.
 *
 * @throws {DOMException} "InvalidAccessError" for a code that a program may not send,
 * "SyntaxError" for a reason of more than 123 bytes
 */
export function readClose(code: unknown, reason: unknown): { code: number; reason: string } {
  const number = code === undefined ? null : clampUint16(code);
  const text = reason === undefined ? "" : String(reason).toWellFormed();
  if (number !== null && number !== 1000 && !(number >= 3000 && number <= 4999)) {
    throw new DOMException(
      `The close code ${number}: expected 1000, or 3000 to 4999`,
      "InvalidAccessError",
    );
  }
  const { length } = utf8.encode(text);
  if (length > MAX_REASON_BYTES) {
    throw syntaxError(`A close reason of ${length} bytes: expected at most ${MAX_REASON_BYTES}`);
  }
  return { code: number ?? (text === "" ? 1005 : 1000), reason: text };
}

/** Web IDL, [Clamp] unsigned short: into its range, and to the even one of two that are as near. */
function clampUint16(value: unknown): number {
  const number = Number(value);
  if (Number.isNaN(number)) return 0;
  const clamped = Math.min(Math.max(number, 0), 65535);
  const floor = Math.floor(clamped);
  const above = clamped - floor;
  return above > 0.5 || (above === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** What `send` takes: text, or bytes of its own, or a Blob whose bytes are read later. */
export function readData(data: unknown): string | Uint8Array | Blob {
  if (data instanceof Blob) return data;
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  }
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) {
    return new Uint8Array(data).slice();
  }
  return String(data).toWellFormed();
}

/** How many bytes of payload that is. */
export function sizeOf(data: string | Uint8Array | Blob): number {
  if (typeof data === "string") return utf8.encode(data).length;
  return data instanceof Blob ? data.size : data.length;
}

/** The URL without user and password, which are for `credentialsOf`. */
export function withoutUser(url: URL): URL {
  const bare = new URL(url);
  bare.username = bare.password = "";
  return bare;
}

/** RFC 7617: what the URL says of the user, unless a header field does. */
export function credentialsOf({ username, password }: URL, headers: readonly Field[]): Field[] {
  if (username === "" && password === "") return [];
  if (headers.some(([name]) => name.toLowerCase() === "authorization")) return [];
  return [[
    "authorization",
    `Basic ${btoa(`${percentDecoded(username)}:${percentDecoded(password)}`)}`,
  ]];
}

/** Its bytes, as characters up to U+00FF. */
function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}
