import { PeerError } from "../wire/error.ts";

/**
 * A rule of the PROXY protocol that the peer broke. There are no codes on the wire, so `code` is 0:
 * the connection is closed without an answer.
 */
export class ProxyProtocolError extends PeerError {
  override name = "ProxyProtocolError";

  constructor(message: string) {
    super(0, "connection", message);
  }
}
