import { ProxyHeaderParser } from "../../../src/protocol/proxy_protocol/parser.ts";
import type { Bytes } from "../../fuzz/driver.ts";
import { feedEveryWay, type Outcome, withRest } from "../../fuzz/driver.ts";

/** Feeds a header whole, byte by byte and cut; what is behind it comes as `{ rest: hex }`. */
export function readHeader(bytes: Bytes, maxTlvBytes?: number): Outcome {
  const make = () => withRest(new ProxyHeaderParser(maxTlvBytes));
  return feedEveryWay({ name: "", make, valid: null! }, bytes);
}

/** What the parser throws for these bytes; `null` when it takes them. */
export function messageOf(bytes: Bytes, maxTlvBytes?: number): string | null {
  const parser = new ProxyHeaderParser(maxTlvBytes);
  try {
    parser.push(bytes);
    if (parser.next() === null) parser.end();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
