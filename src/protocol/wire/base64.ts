// RFC 4648 §4: base64 with its padding, and nothing else.

/**
 * The bytes of base64 as RFC 4648 §3 wants it read: no white space, no other characters, all the
 * padding and no bits set that stand for nothing. `null` for anything else, so that there is one
 * text for the same bytes.
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | null {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  // White space is skipped there; it shows by the length.
  return base64Length(bytes.length) === text.length ? bytes : null;
}

/** The base64 of bytes, with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/** How many characters so many bytes become. */
export function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}
