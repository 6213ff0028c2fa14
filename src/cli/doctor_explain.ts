import { UpgradeMismatch } from "../client/negotiated.ts";
import { NetError } from "../net/error.ts";
import { type TlsFault, tlsFaultOf } from "../net/tls_fault.ts";
import { formatDuration } from "../config/units.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { fail, type Outcome } from "./doctor_finding.ts";

/** What a certificate or a handshake of TLS is not accepted for, and what to do. */
export const TLS_FAULTS: Readonly<Record<TlsFault, readonly [value: string, advice: string]>> = {
  name: [
    "the certificate is for other names",
    "Use a name that is in the certificate, or give the server one that has this name.",
  ],
  issuer: [
    "the certificate is signed by nobody who is trusted",
    "Let the server send the intermediate certificates too; --ca names the file of a CA of your own.",
  ],
  expired: [
    "the certificate is not valid at this time",
    "Renew the certificate, or set the clock of this machine right.",
  ],
  alpn: [
    "the server takes none of what ALPN offers",
    "Let the server's ALPN take http/1.1, h2 on TCP and h3 on UDP.",
  ],
  wanted: [
    "the server wants a client's certificate that it trusts",
    "A browser needs that certificate installed; --cert and --key show it here.",
  ],
  plain: [
    "what answers there does not speak TLS",
    "Use ws:// in place of wss://, or switch TLS on at the server.",
  ],
  other: ["TLS failed", "Look at the server's log for why its TLS failed."],
};

/** What an error that a probe let through means. Throws it again if it is a bug. */
export function explain(error: unknown, timeoutMs: number): Outcome {
  if (error instanceof UpgradeMismatch) {
    return fail(error.message, "Have the server answer with what was offered (RFC 6455 §4.2.2).");
  }
  if (error instanceof PeerError) {
    const advice = "Have the server or the proxy before it mended: no browser takes that.";
    return fail(`it breaks a rule: ${error.message}`, advice);
  }
  if (!(error instanceof NetError)) throw error;
  // `connectWebSocket` names the URL, which stands above the table.
  const inner = error.cause;
  if (inner instanceof NetError || inner instanceof PeerError || inner instanceof UpgradeMismatch) {
    return explain(inner, timeoutMs);
  }
  return ofNet(error, timeoutMs);
}

function ofNet(error: NetError, timeoutMs: number): Outcome {
  switch (error.kind) {
    case "timeout":
      return fail(
        `no answer in ${formatDuration(timeoutMs)}`,
        "See whether a firewall drops what is sent; --timeout gives a slow server longer.",
      );
    case "refused":
      return fail("nothing listens there", "Start the server, or check host and port.");
    case "unreachable":
      return fail(
        "no way leads there",
        "Check this machine's network, and its IPv6 if it has any.",
      );
    case "unresolved":
      return fail("there is no such host", "Check the name, or this machine's DNS.");
    case "reset":
    case "lost":
      return fail(
        `the server ended the connection: ${error.message}`,
        "Look at the server's log, and at what stands between: firewalls and proxies reset too.",
      );
    case "tls": {
      const fault = tlsFaultOf(error);
      const [value, advice] = TLS_FAULTS[fault];
      return fail(fault === "other" ? `${value}: ${error.message}` : value, advice);
    }
    default:
      return fail(error.message, "Look at the server's log for what it saw.");
  }
}
