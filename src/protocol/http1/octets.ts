// RFC 9110 §5.5, §5.6: what a byte of a head can be.

/** 1 for each control character but HTAB: none of them is in a line, CR and LF only end it. */
export const CONTROL: Uint8Array = new Uint8Array(256);
for (let c = 0; c < 0x20; c++) CONTROL[c] = c === 0x09 ? 0 : 1;
CONTROL[0x7f] = 1;

/** Of each byte that is a tchar (RFC 9110 §5.6.2) its lower case, of each other 0. */
export const LOWER_TCHAR: Uint8Array = new Uint8Array(256);
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
  LOWER_TCHAR[c.charCodeAt(0)] = c.charCodeAt(0);
  LOWER_TCHAR[c.toUpperCase().charCodeAt(0)] = c.charCodeAt(0);
}

/** RFC 9110 §5.6.3: OWS is SP and HTAB, and nothing else. */
export function isOws(c: number): boolean {
  return c === 0x20 || c === 0x09;
}

/** The members of a comma-separated list (RFC 9110 §5.6.1), without OWS; empty ones are left out. */
export function listMembers(value: string): string[] {
  const members: string[] = [];
  for (const part of value.split(",")) {
    let start = 0;
    let end = part.length;
    while (start < end && isOws(part.charCodeAt(start))) start++;
    while (end > start && isOws(part.charCodeAt(end - 1))) end--;
    if (start < end) members.push(part.slice(start, end));
  }
  return members;
}
