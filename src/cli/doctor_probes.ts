import { altSvcProbes } from "./doctor_alt_svc.ts";
import type { DoctorProbe } from "./doctor_context.ts";
import { handshakeProbes } from "./doctor_handshake.ts";
import { localProbes } from "./doctor_local.ts";
import { quicProbes } from "./doctor_quic.ts";
import { reachProbes } from "./doctor_reach.ts";
import { socketProbes } from "./doctor_socket.ts";
import { tlsProbes } from "./doctor_tls.ts";

/** All probes in the order of the table: each waits for those before it alone. */
export function probesFor(secure: boolean): readonly DoctorProbe[] {
  return [
    ...reachProbes,
    ...tlsProbes,
    ...quicProbes,
    ...handshakeProbes(secure),
    ...altSvcProbes,
    ...socketProbes,
    ...localProbes,
  ];
}
