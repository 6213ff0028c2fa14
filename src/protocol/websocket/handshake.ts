import { PeerError } from "../wire/error.ts";
import { isToken } from "../wire/field.ts";

/** RFC 6455 §1.3: what the key is hashed with. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
