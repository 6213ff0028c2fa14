import type { ClientCertificate } from "../net/dial.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { QuicConnection } from "../net/quic.ts";
import type { TlsSeen } from "../net/tls_inspect.ts";
import type { Target } from "../client/target.ts";
import type { DoctorConfig } from "./doctor_flags.ts";
import type { Held } from "./doctor_held.ts";
import type { Probe } from "./doctor_run.ts";

/** The HTTP versions that carry a WebSocket. */
export type Version = "1.1" | "2" | "3";

/** What a server answered to a handshake. */
export interface HandshakeAnswer {
  readonly status: number;
  readonly fields: readonly Field[];
}

/** What probes found, for those behind them. */
export interface Known {
  addresses: readonly string[];
  tls: TlsSeen | null;
  /** Whether ALPN takes it. */
  alpn: { h2: boolean; http11: boolean };
  /** What the HTTPS record says is spoken. */
  recordAlpn: readonly string[];
  /** A connection that has carried nothing yet. */
  quic: QuicConnection | null;
  quicServes: boolean;
  readonly answers: Map<Version, HandshakeAnswer>;
  readonly sockets: Map<Version, Held>;
}

/** What all probes share. */
export interface Context {
  readonly target: Target;
  readonly config: DoctorConfig;
  /** Of each handshake. */
  readonly fields: readonly Field[];
  /** PEM, beside the public roots. */
  readonly caCerts: string[] | undefined;
  readonly clientCertificate: ClientCertificate | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly known: Known;
}

export type DoctorProbe = Probe<Context>;

/** Nothing is known yet. */
export function makeContext(context: Omit<Context, "known">): Context {
  return {
    ...context,
    known: {
      addresses: [],
      tls: null,
      alpn: { h2: false, http11: !context.target.secure },
      recordAlpn: [],
      quic: null,
      quicServes: false,
      answers: new Map(),
      sockets: new Map(),
    },
  };
}

/** Ends all that is still open. */
export async function release({ known }: Context): Promise<void> {
  known.quic?.close(0);
  await Promise.all([
    known.quic?.closed,
    ...[...known.sockets.values()].map((held) => held.release()),
  ]);
}
