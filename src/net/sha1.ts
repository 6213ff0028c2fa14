import { Buffer } from "node:buffer";
import { hash } from "node:crypto";

/** SHA-1, for Sec-WebSocket-Accept (RFC 6455 §4.2.2) and nothing else. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return hash("sha1", bytes, "buffer") as Buffer;
}
