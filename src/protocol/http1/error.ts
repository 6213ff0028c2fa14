import { PeerError } from "../wire/error.ts";

/** The HTTP statuses with which a broken rule of RFC 9112 is answered. RFC 9110 §15. */
export const HttpStatus = {
  BAD_REQUEST: 400,
  URI_TOO_LONG: 414,
  EXPECTATION_FAILED: 417,
  REQUEST_HEADER_FIELDS_TOO_LARGE: 431,
  NOT_IMPLEMENTED: 501,
  BAD_GATEWAY: 502,
  HTTP_VERSION_NOT_SUPPORTED: 505,
} as const;

/**
 * A rule of HTTP/1.1 that the peer broke. `code` is the status to answer with: 4xx or 5xx for a
 * request, always 502 for a response. Framing is lost, so the connection can't be used again.
 */
export class HttpError extends PeerError {
  override name = "HttpError";

  constructor(status: number, message: string) {
    super(status, "connection", message);
  }
}
