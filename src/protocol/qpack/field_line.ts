import type { Form } from "../hpack/integer.ts";

/**
 * RFC 9204 §4.5: how field lines begin. No pattern begins another, so the first byte tells them
 * apart by its size alone, in this order.
 */
export const FieldLine = {
  /** §4.5.2: 1 T Index(6+) */
  INDEXED: { pattern: 0x80, prefixBits: 6 },
  /** §4.5.4: 01 N T NameIndex(4+) */
  LITERAL_WITH_NAME_REFERENCE: { pattern: 0x40, prefixBits: 4 },
  /** §4.5.6: 001 N H NameLength(3+) */
  LITERAL_WITH_LITERAL_NAME: { pattern: 0x20, prefixBits: 3 },
  /** §4.5.3: 0001 Index(4+) */
  INDEXED_WITH_POST_BASE_INDEX: { pattern: 0x10, prefixBits: 4 },
  /** §4.5.5: 0000 N NameIndex(3+) */
  LITERAL_WITH_POST_BASE_NAME_REFERENCE: { pattern: 0x00, prefixBits: 3 },
} as const satisfies Record<string, Form>;

/** §4.5.2: the T bit: the index is of the static table. */
export const INDEXED_STATIC = 0x40;
/** §4.5.4: the T bit: the name index is of the static table. */
export const NAME_REFERENCE_STATIC = 0x10;
/** §4.5.4, §4.5.6: the N bit: never to be indexed on any hop (§7.1.3). */
export const NAME_REFERENCE_NEVER_INDEXED = 0x20;
export const LITERAL_NAME_NEVER_INDEXED = 0x10;

/** §4.5.1.1: Required Insert Count(8+). */
export const REQUIRED_INSERT_COUNT: Form = { pattern: 0x00, prefixBits: 8 };
/** §4.5.1.2: S DeltaBase(7+). */
export const DELTA_BASE: Form = { pattern: 0x00, prefixBits: 7 };
/** §4.5.1.2: the S bit: the Base is less than the Required Insert Count. */
export const DELTA_BASE_SIGN = 0x80;

/** §4.1.2: H Length(7+), as all values begin. */
export const VALUE: Form = { pattern: 0x00, prefixBits: 7 };
