import { concat } from "../protocol/wire/bytes.ts";
import type { Content } from "./offer.ts";

/** All of the content; `null` once it is more than `maxBytes`. Rejects when it breaks off. */
export async function readWhole(
  content: Content,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let part = await content.read(); part !== null; part = await content.read()) {
    length += part.length;
    if (length > maxBytes) return null;
    parts.push(part.slice());
  }
  return concat(parts, length);
}
