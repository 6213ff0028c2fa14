import { formatAddress } from "../net/address.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";

/** What an agent is asked to connect to. */
export interface TunnelTarget {
  readonly protocol: "tcp" | "udp";
  /** A name, which only the agent resolves, or an IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, IPv6 in brackets. */
export function targetText({ host, port }: TunnelTarget): string {
  return formatAddress({ hostname: host, port });
}

/** A connection through the tunnel did not come to be; the message is for people. */
export class TunnelRefused extends Error {
  /** The name of the class. */
  override name = "TunnelRefused";
  /** What both ends of the tunnel call it. */
  readonly code: TunnelCode;

  constructor(code: TunnelCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/**
 * The kind of the error behind a refusal, as `NetErrorKind` has it, or `host_unreachable`: the agent
 * is asked for a word of it alone, at the beginning of its message. `other` where it says none.
 */
export function failureKind({ message }: TunnelRefused): string {
  return /^([a-z_]+): /.exec(message)?.[1] ?? "other";
}
