/**
 * Checks UTF-8 as it comes, cut anywhere, and says no at the first byte that cannot be right
 * (RFC 3629 §4: no surrogates, nothing overlong, nothing above U+10FFFF).
 */
export class Utf8Validator {
  /** How many continuation bytes the code point still needs. */
  #need = 0;
  /** What the next continuation byte may be: only the second byte of a code point is narrowed. */
  #low = 0x80;
  #high = 0xbf;
  #failed = false;

  /** Takes the next bytes; `false` once anything was wrong, and ever after until `reset`. */
  push(bytes: Uint8Array): boolean {
    if (this.#failed) return false;
    let need = this.#need;
    let low = this.#low;
    let high = this.#high;
    const end = bytes.length;
    for (let i = 0; i < end; i++) {
      const byte = bytes[i];
      if (need > 0) {
        if (byte < low || byte > high) return this.#fail();
        low = 0x80;
        high = 0xbf;
        need--;
        continue;
      }
      if (byte < 0x80) {
        i = skipAscii(bytes, i);
        continue;
      }
      // 0x80-0xc1 cannot begin a code point (0xc0 and 0xc1 are overlong), nor can 0xf5-0xff.
      if (byte < 0xc2 || byte > 0xf4) return this.#fail();
      need = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      if (byte === 0xe0) low = 0xa0; // overlong below U+0800
      else if (byte === 0xed) high = 0x9f; // surrogates U+D800-DFFF
      else if (byte === 0xf0) low = 0x90; // overlong below U+10000
      else if (byte === 0xf4) high = 0x8f; // above U+10FFFF
    }
    this.#need = need;
    this.#low = low;
    this.#high = high;
    return true;
  }

  /** Says that the text ends here; `false` if a code point is cut or anything was wrong. */
  end(): boolean {
    return !this.#failed && this.#need === 0;
  }

  /** Begins a new text. */
  reset(): void {
    this.#need = 0;
    this.#low = 0x80;
    this.#high = 0xbf;
    this.#failed = false;
  }

  #fail(): false {
    this.#failed = true;
    return false;
  }
}

/** The index of the last byte of the ASCII that begins at `at`, or of one near it. */
function skipAscii(bytes: Uint8Array, at: number): number {
  const last = bytes.length - 8;
  let i = at + 1;
  while (
    i <= last &&
    (bytes[i] | bytes[i + 1] | bytes[i + 2] | bytes[i + 3] | bytes[i + 4] | bytes[i + 5] |
        bytes[i + 6] | bytes[i + 7]) < 0x80
  ) i += 8;
  return i - 1;
}
