// RFC 7541 §7.1: what may go into a table that compresses all that a connection carries.

/** RFC 7541 §6.2: what becomes of a field that is in no table yet. */
export const Indexing = {
  /** §6.2.1: it goes into the dynamic table. */
  INCREMENTAL: 0,
  /** §6.2.2: it does not, as it would hardly come again. */
  WITHOUT: 1,
  /** §6.2.3: it does not, here and on any other hop. */
  NEVER: 2,
} as const;

export type Indexing = typeof Indexing[keyof typeof Indexing];

/** Fields whose values differ from message to message. */
const VARYING = new Set([
  ":path",
  "age",
  "content-length",
  "content-range",
  "date",
  "etag",
  "expires",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "link",
  "location",
  "range",
  "retry-after",
  "sec-websocket-accept",
  "sec-websocket-key",
  "traceparent",
  "x-amzn-trace-id",
  "x-b3-spanid",
  "x-b3-traceid",
  "x-correlation-id",
  "x-request-id",
]);

/**
 * RFC 7541 §7.1.3, RFC 9204 §7.1.3: what no hop shall index. Short cookies, as they can be guessed
 * whole; a long one has entropy enough.
 */
export function isSecret(name: string, value: string): boolean {
  switch (name) {
    case "authorization":
    case "proxy-authorization":
    case "set-cookie":
      return true;
    case "cookie":
      return value.length < 20;
  }
  return false;
}

/** What becomes of a field, if nobody says otherwise. */
export function indexingOf(name: string, value: string): Indexing {
  if (isSecret(name, value)) return Indexing.NEVER;
  return VARYING.has(name) ? Indexing.WITHOUT : Indexing.INCREMENTAL;
}
