import { DnsError } from "./error.ts";

/** RFC 1035 §3.1, §2.3.4 */
const MAX_LABEL_BYTES = 63;
const MAX_NAME_BYTES = 255;
const POINTER = 0xc0;

/**
 * A host's name as the DNS has it; a full stop at its end is taken as well.
 *
 * @throws {DnsError} for a name that can't stand in the DNS
 */
export function encodeName(name: string): Uint8Array {
  const labels = name.replace(/\.$/, "").split(".");
  const out: number[] = [];
  for (const label of labels) {
    const bytes = new TextEncoder().encode(label);
    if (bytes.length === 0 || bytes.length > MAX_LABEL_BYTES) {
      throw new DnsError(`"${label}" is no label of a name: 1 to ${MAX_LABEL_BYTES} bytes`);
    }
    out.push(bytes.length, ...bytes);
  }
  out.push(0);
  if (out.length > MAX_NAME_BYTES) {
    throw new DnsError(`A name has more than ${MAX_NAME_BYTES} bytes`);
  }
  return Uint8Array.from(out);
}

/** A name that was read. */
export interface ReadName {
  /** Without the full stop at its end; "." for the root. */
  name: string;
  /** Where what follows it begins. */
  behind: number;
}

/**
 * Reads the name at `at`; RFC 1035 §4.1.4: it may end in a pointer to another before it, where
 * `compressed` allows that.
 *
 * @throws {DnsError}
 */
export function readName(message: Uint8Array, at: number, compressed = true): ReadName {
  const labels: string[] = [];
  let behind: number | null = null;
  let size = 1;
  // Each pointer leads before the name that it is in, so that there is an end.
  let begin = at;
  for (;;) {
    const length = byteAt(message, at);
    if (length === 0) break;
    if (length >= POINTER && compressed) {
      const target = ((length & ~POINTER) << 8) | byteAt(message, at + 1);
      if (target >= begin) throw new DnsError("A name points to itself or behind itself");
      behind ??= at + 2;
      at = begin = target;
      continue;
    }
    if (length > MAX_LABEL_BYTES) throw new DnsError(`A label of a name has the length ${length}`);
    size += 1 + length;
    if (size > MAX_NAME_BYTES) throw new DnsError(`A name has more than ${MAX_NAME_BYTES} bytes`);
    byteAt(message, at + length);
    labels.push(labelText(message.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return { name: labels.join(".") || ".", behind: behind ?? at + 1 };
}

/** RFC 1035 §5.1: what is not plain is written as \. or \DDD. */
function labelText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte === 0x2e || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte > 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\${String(byte).padStart(3, "0")}`;
  }
  return text;
}

function byteAt(message: Uint8Array, at: number): number {
  if (at >= message.length) throw new DnsError("The message ends inside a name");
  return message[at];
}
