import { PeerError } from "../wire/error.ts";
import { isToken } from "../wire/field.ts";
import { RSV1 } from "./rules.ts";

/** RFC 7692 §7: the one extension that we know. */
export const PERMESSAGE_DEFLATE = "permessage-deflate";

/** One element of a Sec-WebSocket-Extensions field; a parameter without a value has `null`. */
export interface Extension {
  name: string;
  params: [name: string, value: string | null][];
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

/** Writes the elements of a Sec-WebSocket-Extensions field; all values are tokens. */
export function encodeExtensions(extensions: readonly Extension[]): string {
  const param = ([name, value]: Extension["params"][number]) =>
    value === null ? `; ${name}` : `; ${name}=${value}`;
  return extensions.map(({ name, params }) => name + params.map(param).join("")).join(", ");
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
