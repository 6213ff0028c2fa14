// The PROXY protocol, versions 1 and 2: HAProxy's doc/proxy-protocol.txt, revision of 2020/03/05.
import type { Endpoint } from "../wire/ip.ts";

/** What a proxy says of the connection that it passes on. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /**
   * Whose connection it is: where it comes from and where it went to. `null` where the proxy says
   * nothing of it (LOCAL, UNKNOWN, a family without ports): then the real connection counts.
   */
  readonly proxied: { readonly source: Endpoint; readonly destination: Endpoint } | null;
}

/** Section 2.2: the twelve bytes that version 2 begins with. */
export const SIGNATURE: readonly number[] = [
  ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d],
  ...[0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
];

/** Section 2.2: signature, version and command, family and transport, length. */
export const FIXED_BYTES = 16;

/** Section 2.2: the low half of the 13th byte. */
export const Command = { LOCAL: 0x0, PROXY: 0x1 } as const;

/** Section 2.2: the high half of the 14th byte. */
export const Family = { UNSPEC: 0x0, INET: 0x1, INET6: 0x2, UNIX: 0x3 } as const;

/** Section 2.2: the low half of the 14th byte. */
export const Transport = { UNSPEC: 0x0, STREAM: 0x1, DGRAM: 0x2 } as const;

/** Section 2.2: the bytes of both addresses and ports, by family. */
export const ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];

/** Section 2.2: the version, the high half of the 13th byte. */
export const VERSION_2 = 0x2;

/** Section 2.1: what version 1 begins with. */
export const PREFIX = "PROXY ";

/** Section 2.1: the longest line of version 1, with its CRLF. */
export const MAX_LINE_BYTES = 107;
