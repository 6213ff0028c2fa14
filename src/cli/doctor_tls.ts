import type { X509Certificate } from "node:crypto";
import { dial } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import { tlsFaultOf } from "../net/tls_fault.ts";
import { inspectTls, type TlsSeen } from "../net/tls_inspect.ts";
import type { Context, DoctorProbe } from "./doctor_context.ts";
import { TLS_FAULTS } from "./doctor_explain.ts";
import { count, fail, ms, ok, type Outcome, skip, warn } from "./doctor_finding.ts";

const H2 = "h2";
const HTTP11 = "http/1.1";
const DAY_MS = 24 * 3_600_000;
/** A certificate is renewed before that by whatever renews it by itself. */
const SOON_DAYS = 14;

const tls: DoctorProbe = {
  id: "tls",
  title: "TLS",
  needs: ["tcp"],
  async run({ target, known, clientCertificate }, signal) {
    if (!target.secure) return skip("ws:// has no TLS");
    const look = { ...target, clientCertificate, alpnProtocols: [H2, HTTP11] };
    const seen = await inspectTls(look, signal);
    known.tls = seen;
    return ok(`${seen.version.replace("v", " ")}, ${seen.cipher} in ${ms(seen.handshakeMs)}`);
  },
};

const certificate: DoctorProbe = {
  id: "certificate",
  title: "Certificate",
  needs: ["tls"],
  async run({ target, known, caCerts, config, clientCertificate }, signal) {
    const shown = known.tls?.certificate ?? null;
    if (shown === null) return fail("none", "Give the server a certificate.");
    const details = certificateLines(shown);
    const untrusted = await trustFault({ target, caCerts, clientCertificate }, signal);
    if (untrusted !== null) {
      const stops = "the certificate is not trusted; -n goes on all the same";
      return { ...told(untrusted, shown), details, stops: config.noCheck ? null : stops };
    }
    const daysLeft = Math.floor((shown.validToDate.getTime() - Date.now()) / DAY_MS);
    const value = `trusted, for ${namesOf(shown).slice(0, 3).join(", ")}, ${
      count(daysLeft, "day")
    } left`;
    if (daysLeft >= SOON_DAYS) return ok(value, { details });
    return warn(value, "Renew the certificate, and see that it is renewed by itself.", { details });
  },
};

/** Whether this program trusts it, as its client will; `null` if it does. */
async function trustFault(
  { target: { hostname, port }, caCerts, clientCertificate }: Pick<
    Context,
    "target" | "caCerts" | "clientCertificate"
  >,
  signal: AbortSignal,
): Promise<Outcome | null> {
  const tls = {
    ...{ serverName: hostname, caCerts, clientCertificate, insecure: false },
    alpnProtocols: [H2, HTTP11],
  };
  try {
    (await dial({ hostname, port, tls }, signal)).abort();
    return null;
  } catch (error) {
    if (!(error instanceof NetError) || error.kind !== "tls") throw error;
    const [value, advice] = TLS_FAULTS[tlsFaultOf(error)];
    return fail(value, advice);
  }
}

/** Of several faults a library tells but one. */
function told(untrusted: Outcome, shown: X509Certificate): Outcome {
  const nowMs = Date.now();
  if (nowMs < shown.validFromDate.getTime() || nowMs > shown.validToDate.getTime()) {
    const [value, advice] = TLS_FAULTS.expired;
    return fail(value, advice);
  }
  const bySelf = untrusted.value === TLS_FAULTS.issuer[0] && shown.issuer === shown.subject;
  return bySelf ? { ...untrusted, value: "the certificate is signed by itself" } : untrusted;
}

function namesOf({ subjectAltName, subject }: X509Certificate): string[] {
  if (subjectAltName === undefined) return [oneLine(subject)];
  return subjectAltName.split(", ").map((name) => name.replace(/^(DNS|IP Address):/, ""));
}

function certificateLines(shown: X509Certificate): string[] {
  return [
    `names: ${namesOf(shown).join(", ")}`,
    `issuer: ${oneLine(shown.issuer)}`,
    `valid: ${shown.validFromDate.toISOString()} to ${shown.validToDate.toISOString()}`,
    `SHA-256: ${shown.fingerprint256}`,
  ];
}

function oneLine(name: string): string {
  return name.split("\n").join(", ");
}

const alpn: DoctorProbe = {
  id: "alpn",
  title: "ALPN",
  needs: ["tls"],
  async run({ target, known, clientCertificate }, signal) {
    const offer = (alpnProtocols: string[]) =>
      offered({ ...target, clientCertificate, alpnProtocols }, signal);
    const [h2, http11] = await Promise.all([offer([H2]), offer([HTTP11])]);
    // RFC 7301 §3.1: a server that does not know of ALPN speaks HTTP/1.1.
    known.alpn = { h2: h2?.alpn === H2, http11: http11 !== null && http11.alpn !== H2 };
    const taken = [...(known.alpn.h2 ? [H2] : []), ...(http11?.alpn === HTTP11 ? [HTTP11] : [])];
    const chosen = known.tls?.alpn ?? null;
    if (!known.alpn.http11) {
      return fail(
        `${taken.join(", ") || "nothing"}, but not http/1.1`,
        "Let ALPN take http/1.1 too: a browser opens a WebSocket by it where no HTTP/2 connection " +
          "that takes WebSockets is open.",
      );
    }
    if (taken.length === 0) return ok("none: the server does not use it, and speaks HTTP/1.1");
    return ok(taken.length === 1 ? taken[0] : `${taken.join(", ")}; it chooses ${chosen}`);
  },
};

/** What came of a handshake; `null` where the server takes none of what was offered. */
async function offered(
  look: Parameters<typeof inspectTls>[0],
  signal: AbortSignal,
): Promise<TlsSeen | null> {
  try {
    return await inspectTls(look, signal);
  } catch (error) {
    // Some end the connection without a word.
    const refused = error instanceof NetError && !signal.aborted &&
      (tlsFaultOf(error) === "alpn" || error.kind === "reset" || error.kind === "lost");
    if (refused) return null;
    throw error;
  }
}

/** What TLS over TCP shows. */
export const tlsProbes: readonly DoctorProbe[] = [tls, certificate, alpn];
