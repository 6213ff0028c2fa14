// TextDecoder("latin1") is windows-1252: it changes 0x80 to 0x9f. So ASCII goes by UTF-8, which
// is the same there and fast, and all else by char codes.
const ascii = new TextDecoder();
const PART = 4096;

/** A string of the bytes from `start` to `end`, each of them one character. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  for (let i = start; i < end; i++) {
    if (bytes[i] >= 0x80) return byCodes(bytes, start, end);
  }
  return ascii.decode(bytes.subarray(start, end));
}

function byCodes(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let from = start; from < end; from += PART) {
    const part = bytes.subarray(from, Math.min(end, from + PART));
    text += String.fromCharCode.apply(null, part as unknown as number[]);
  }
  return text;
}

/** The bytes of a string whose characters are bytes. */
export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
