import { PeerError } from "../wire/error.ts";

/** RFC 1035 §4.1.1: what the server answered instead of records. */
export const Rcode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
} as const;

/** A message that breaks a rule of the DNS. `code` is FORMERR: nothing goes back to its sender. */
export class DnsError extends PeerError {
  override name = "DnsError";

  constructor(message: string) {
    super(Rcode.FORMERR, "connection", message);
  }
}
