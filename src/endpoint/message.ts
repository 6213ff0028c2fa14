/** One message: a string for text, bytes for binary. */
export type Message = string | Uint8Array;
