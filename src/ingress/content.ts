import type { Content } from "./offer.ts";

/** All of the content; `null` once it is more than `maxBytes`. Rejects when it breaks off. */
export async function readWhole(
  content: Content,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const { bytes, isCut } = await readUpTo(() => content.read(), maxBytes);
  return isCut ? null : bytes;
}

/** The beginning of some content. */
export interface Beginning {
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether there was more of it. */
  isCut: boolean;
}

/** The first `maxBytes` of what `read` gives up to its `null`. Rejects when it does before those. */
export async function readUpTo(
  read: () => Promise<Uint8Array | null>,
  maxBytes: number,
): Promise<Beginning> {
  // Into one buffer: of a byte that is kept as an array of its own, a peer makes a hundred.
  let bytes = new Uint8Array(0);
  let length = 0;
  for (let part = await read(); part !== null; part = await read()) {
    const taken = part.length > maxBytes - length ? part.subarray(0, maxBytes - length) : part;
    bytes = grown(bytes, length, length + taken.length);
    bytes.set(taken, length);
    length += taken.length;
    if (taken !== part) return { bytes: bytes.slice(0, length), isCut: true };
  }
  return { bytes: bytes.length === length ? bytes : bytes.slice(0, length), isCut: false };
}

/** Room for `wanted` bytes, with those that are used; twice as much each time. */
function grown(
  bytes: Uint8Array<ArrayBuffer>,
  used: number,
  wanted: number,
): Uint8Array<ArrayBuffer> {
  if (wanted <= bytes.length) return bytes;
  const more = new Uint8Array(Math.max(wanted, 2 * bytes.length));
  more.set(bytes.subarray(0, used));
  return more;
}
