/** What both sides agreed on for permessage-deflate (RFC 7692 §7.1). */
export interface DeflateParameters {
  /** §7.1.1.1: the server begins each message without what went before. */
  serverNoContextTakeover: boolean;
  /** §7.1.1.2: so does the client. */
  clientNoContextTakeover: boolean;
  /** §7.1.2.1: the server looks back 2^n bytes at most, n from 8 to 15. */
  serverMaxWindowBits: number;
  /** §7.1.2.2: so does the client. */
  clientMaxWindowBits: number;
}
