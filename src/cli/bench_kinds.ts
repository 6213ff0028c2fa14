import { ValueError } from "../config/error.ts";
import { type Kind, size } from "../config/kinds.ts";

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
