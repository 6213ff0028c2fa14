/**
 * How far an error reaches: one stream, or the connection with all its streams.
 */
export type Scope = "stream" | "connection";

/**
 * A rule that the peer broke. Every parser throws this, or a subclass that names the code table
 * of its RFC, and nothing else: anything else that is thrown is a bug of ours.
 */
export class PeerError extends Error {
  /** The name of the class. */
  override name = "PeerError";
  /** The wire code: an HTTP/3 or HTTP/2 error code, a WebSocket close code, an HTTP status. */
  readonly code: number;
  /** How far it reaches. */
  readonly scope: Scope;

  /** An error whose message says what the peer did. */
  constructor(code: number, scope: Scope, message: string) {
    super(message);
    this.code = code;
    this.scope = scope;
  }
}
