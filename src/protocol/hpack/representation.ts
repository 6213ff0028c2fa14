import type { Form } from "./integer.ts";

/**
 * RFC 7541 §6: how the representations of a header field begin. No pattern begins another, so the
 * first byte tells them apart by its size alone, in this order.
 */
export const Representation = {
  /** §6.1: 1 Index(7+) */
  INDEXED: { pattern: 0x80, prefixBits: 7 },
  /** §6.2.1: 01 Index(6+) */
  LITERAL_WITH_INCREMENTAL_INDEXING: { pattern: 0x40, prefixBits: 6 },
  /** §6.3: 001 MaxSize(5+) */
  SIZE_UPDATE: { pattern: 0x20, prefixBits: 5 },
  /** §6.2.3: 0001 Index(4+) */
  LITERAL_NEVER_INDEXED: { pattern: 0x10, prefixBits: 4 },
  /** §6.2.2: 0000 Index(4+) */
  LITERAL_WITHOUT_INDEXING: { pattern: 0x00, prefixBits: 4 },
} as const satisfies Record<string, Form>;

/** §5.2: H Length(7+), as all names and values begin. */
export const STRING: Form = { pattern: 0x00, prefixBits: 7 };
