import { ValueError } from "../config/error.ts";
import { type Kind, size } from "../config/kinds.ts";
import { isToken } from "../protocol/wire/field.ts";

/** The most that one message may have: what the client takes back in one. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

const ONE_SIZE = size({ min: 0, max: MAX_MESSAGE_BYTES });
const SIZES_ALLOWED = `${ONE_SIZE.allowed}; or a range of two: 64-4KiB`;

/** The sizes of messages. */
export interface Sizes {
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** One size, or a range. */
export const sizes: Kind<Sizes> = {
  placeholder: "size",
  allowed: SIZES_ALLOWED,
  takesEmpty: false,
  parse(text) {
    const [from, to = from, ...more] = text.split("-");
    if (more.length > 0) throw new ValueError("is not a size", SIZES_ALLOWED);
    const [minBytes, maxBytes] = [from, to].map((one) => oneSize(one));
    if (minBytes > maxBytes) throw new ValueError("ends before it begins", SIZES_ALLOWED);
    return { minBytes, maxBytes };
  },
};

function oneSize(text: string): number {
  try {
    return ONE_SIZE.parse(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const isRange = error.problem === "is out of range";
    throw new ValueError(error.problem, isRange ? error.allowed : SIZES_ALLOWED);
  }
}

const HEADER_ALLOWED = "name: value";

/** A header field of the request. */
export const header: Kind<readonly [string, string]> = {
  placeholder: "field",
  allowed: HEADER_ALLOWED,
  takesEmpty: false,
  parse(text) {
    const at = text.indexOf(":");
    const name = text.slice(0, Math.max(0, at)).trim();
    const value = text.slice(at + 1).trim();
    if (at < 0 || !isToken(name)) throw new ValueError("is not a header field", HEADER_ALLOWED);
    // deno-lint-ignore no-control-regex -- RFC 9110 §5.5: none of them in a field's value
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
      throw new ValueError("holds a control character", HEADER_ALLOWED);
    }
    return [name.toLowerCase(), value];
  },
};

/** A subprotocol to offer. */
export const subprotocol: Kind<string> = {
  placeholder: "name",
  allowed: "letters, digits and -._~!#$%&'*+^`|",
  takesEmpty: false,
  parse(text) {
    if (!isToken(text)) throw new ValueError("is no subprotocol", this.allowed);
    return text;
  },
};
