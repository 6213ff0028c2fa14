import { PeerError } from "../wire/error.ts";
import { isToken } from "../wire/field.ts";
import { RSV1 } from "./rules.ts";

/** RFC 6455 §1.3: what the key is hashed with. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** RFC 7692 §7: the one extension that we know. */
const PERMESSAGE_DEFLATE = "permessage-deflate";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** One element of a Sec-WebSocket-Extensions field; a parameter without a value has `null`. */
export interface Extension {
  name: string;
  params: [name: string, value: string | null][];
}

/** The Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 §4.2.2 step 5.4). */
export function acceptFor(key: string, sha1: (bytes: Uint8Array) => Uint8Array): string {
  const text = key + GUID;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return base64(sha1(bytes));
}

/** The Sec-WebSocket-Key for 16 random bytes (RFC 6455 §4.1 step 7). */
export function encodeKey(random16: Uint8Array): string {
  if (random16.length !== 16) {
    throw new RangeError(
      `Cannot make a Sec-WebSocket-Key of ${random16.length} bytes: it takes 16`,
    );
  }
  return base64(random16);
}

/** RFC 6455 §4.2.1 step 5: a key is base64 that decodes to 16 bytes. */
export function isValidKey(key: string): boolean {
  return /^[A-Za-z0-9+/]{22}==$/.test(key);
}

/**
 * The elements of a comma-separated list of tokens: Connection, Upgrade without versions,
 * Sec-WebSocket-Protocol. RFC 9110 §5.6.1.2: empty elements are ignored.
 *
 * @throws {PeerError} 400 when an element is not a token.
 */
export function parseTokenList(value: string): string[] {
  const tokens: string[] = [];
  for (const element of value.split(",")) {
    const token = trimBlanks(element);
    if (token === "") continue;
    if (!isToken(token)) throw new PeerError(400, "stream", `Not a token in a list: "${token}"`);
    tokens.push(token);
  }
  return tokens;
}

/**
 * Parses a Sec-WebSocket-Extensions field; several fields are joined with ", " first
 * (RFC 6455 §9.1).
 *
 * @throws {PeerError} 400 when it is malformed.
 */
export function parseExtensions(value: string): Extension[] {
  const scanner = new Scanner(value);
  const extensions: Extension[] = [];
  while (!scanner.done) {
    // RFC 9110 §5.6.1.2: empty elements are ignored.
    if (scanner.take(",")) continue;
    const extension: Extension = { name: scanner.token(), params: [] };
    while (scanner.take(";")) extension.params.push(parseParam(scanner));
    extensions.push(extension);
    if (!scanner.done && !scanner.take(",")) scanner.fail();
  }
  return extensions;
}

function parseParam(scanner: Scanner): [string, string | null] {
  const name = scanner.token();
  if (!scanner.take("=")) return [name, null];
  return [name, scanner.take('"') ? scanner.quoted() : scanner.token()];
}

/**
 * The reserved bits that frames may use under the extensions that the server accepted: RSV1 (4)
 * for permessage-deflate, all (7) as soon as there is one that we do not know.
 *
 * @throws {PeerError} 400 when the field is malformed.
 */
export function allowedRsvOf(extensionsHeader: string | null): number {
  let allowed = 0;
  for (const { name } of extensionsHeader === null ? [] : parseExtensions(extensionsHeader)) {
    allowed |= name === PERMESSAGE_DEFLATE ? RSV1 : 7;
  }
  return allowed;
}

/** Walks a field value; blanks around whatever it takes are skipped. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skipBlanks();
  }

  get done(): boolean {
    return this.#at === this.#text.length;
  }

  take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    if (character !== '"') this.#skipBlanks();
    return true;
  }

  token(): string {
    const start = this.#at;
    while (!this.done && isToken(this.#text[this.#at])) this.#at++;
    if (this.#at === start) this.fail();
    const token = this.#text.slice(start, this.#at);
    this.#skipBlanks();
    return token;
  }

  /** Behind the opening quote. RFC 6455 §9.1: what it holds MUST be a token once unescaped. */
  quoted(): string {
    let value = "";
    while (this.#text[this.#at] !== '"') {
      if (this.#text[this.#at] === "\\") this.#at++;
      if (this.done) this.fail();
      value += this.#text[this.#at++];
    }
    if (!isToken(value)) this.fail();
    this.#at++;
    this.#skipBlanks();
    return value;
  }

  fail(): never {
    throw new PeerError(
      400,
      "stream",
      `Malformed Sec-WebSocket-Extensions at character ${this.#at}: "${this.#text}"`,
    );
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}

/** RFC 4648 §4. */
function base64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const present = bytes.length - i;
    const word = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET[word >> 18] + ALPHABET[(word >> 12) & 63];
    text += present > 1 ? ALPHABET[(word >> 6) & 63] : "=";
    text += present > 2 ? ALPHABET[word & 63] : "=";
  }
  return text;
}
