import { messageOf, NetError } from "../net/error.ts";
import { type TlsFault, tlsFaultOf } from "../net/tls_fault.ts";

/** Why a link by a transport did not come to be. */
export interface LinkFailure {
  readonly transport: string;
  readonly reason: string;
}

const TLS: Readonly<Partial<Record<TlsFault, string>>> = {
  issuer: "is signed by nobody who is trusted: --ca names its CA, or --pin its SHA-256",
  name: "is for other names: go by one that is in it, or --pin its SHA-256",
  expired: "is not valid now: it has to be renewed, or a clock is wrong",
};

/** What whoever runs an agent is told. @param pinned whether hashes say what is trusted */
export function linkReasonOf(error: unknown, pinned: boolean): string {
  const fault = error instanceof NetError && error.kind === "tls" ? tlsFaultOf(error) : null;
  const told = fault === "issuer" && pinned
    ? "is none of those of --pin"
    : fault === null
    ? undefined
    : TLS[fault];
  return told === undefined ? messageOf(error) : `the gateway's certificate ${told}`;
}

/** `quic: one reason; ws: another`; what several have failed for is told once. */
export function failuresText(failures: readonly LinkFailure[]): string {
  const byReason = Map.groupBy(failures, ({ reason }) => reason);
  return [...byReason].map(([reason, all]) => {
    return `${all.map(({ transport }) => transport).join(", ")}: ${reason}`;
  }).join("; ");
}
