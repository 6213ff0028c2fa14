import { networkInterfaces } from "node:os";
import { H3Control } from "../ingress/h3_control.ts";
import { askUdp } from "../net/ask_udp.ts";
import { NetError } from "../net/error.ts";
import { connectQuic } from "../net/quic_connect.ts";
import type { QuicConnection } from "../net/quic.ts";
import { tlsFaultOf } from "../net/tls_fault.ts";
import { H3Code } from "../protocol/http3/codes.ts";
import { settingName, type Settings } from "../protocol/http3/settings.ts";
import { SettingId } from "../protocol/http3/settings.ts";
import {
  quicVersionName,
  readVersions,
  versionProbe,
} from "../protocol/quic/version_negotiation.ts";
import type { Context, DoctorProbe } from "./doctor_context.ts";
import { TLS_FAULTS } from "./doctor_explain.ts";
import { ms, ok, type Outcome, skip, warn } from "./doctor_finding.ts";
import { hasUdpSocket } from "./doctor_proc.ts";
import { readSystem } from "./doctor_local.ts";

const NO_TLS = "HTTP/3 needs wss://";
const IDLE_MS = 30_000;
/** Servers that tell their versions do it at once. */
const VERSIONS_MS = 1_000;
const BY_TCP = "Browsers go on by TCP.";

/** QUIC to the host of the URL. Throws `NetError`. */
export async function quicTo(
  { target, caCerts, config, known }: Context,
  at: { hostname: string; port: number },
  signal: AbortSignal,
): Promise<QuicConnection> {
  return await connectQuic({
    ...at,
    serverName: target.hostname,
    alpnProtocols: ["h3"],
    ...trustOf({ caCerts, config, known }),
    ...{ maxStreams: 0, idleTimeoutMs: IDLE_MS, keepaliveMs: 0, signal },
  });
}

/** QUIC can't leave the check out: with -n it takes the certificate that TLS over TCP showed. */
export function trustOf({ caCerts, config, known }: Pick<Context, "caCerts" | "config" | "known">) {
  const shown = known.tls?.certificate ?? null;
  if (!config.noCheck || shown === null) return { caCerts };
  return {
    caCerts,
    certificateHashes: [Uint8Array.fromHex(shown.fingerprint256.replaceAll(":", ""))],
  };
}

const quic: DoctorProbe = {
  id: "quic",
  title: "QUIC",
  needs: ["dns"],
  behind: ["tls"],
  late: () =>
    warn(
      "no answer",
      `Open the UDP port in the firewalls, if HTTP/3 is to be served; ${lower(BY_TCP)}`,
      { stops: "QUIC does not answer" },
    ),
  async run(context, signal) {
    const { target, known } = context;
    if (!target.secure) return skip(NO_TLS);
    const beganMs = performance.now();
    try {
      known.quic = await quicTo(context, target, signal);
    } catch (error) {
      if (!(error instanceof NetError) || signal.aborted) throw error;
      return quicFailed(error);
    }
    await known.quic.handshake();
    known.quicServes = true;
    return ok(`v1, ALPN h3, ${known.quic.remote} in ${ms(performance.now() - beganMs)}`);
  },
};

function quicFailed(error: NetError): Outcome {
  const stops = "QUIC failed";
  if (error.kind === "refused") {
    return warn("the server refuses the connection", `It may be full; ${lower(BY_TCP)}`, { stops });
  }
  if (error.kind !== "tls") return warn(error.message, BY_TCP, { stops });
  const fault = tlsFaultOf(error);
  const [value, advice] = TLS_FAULTS[fault];
  if (fault === "alpn") return warn("it speaks QUIC, but not HTTP/3", BY_TCP, { stops });
  // A browser that meets that goes on by TCP too.
  return warn(fault === "other" ? `${value}: ${error.message}` : value, advice, { stops });
}

function lower(text: string): string {
  return text[0].toLowerCase() + text.slice(1);
}

const udp: DoctorProbe = {
  id: "udp",
  title: "UDP",
  needs: ["dns"],
  behind: ["quic"],
  timeoutMs: ({ config }) => VERSIONS_MS + config.timeoutMs,
  async run({ target, known }, signal) {
    if (!target.secure) return skip(NO_TLS);
    const own = AbortSignal.any([signal, AbortSignal.timeout(VERSIONS_MS)]);
    const beganMs = performance.now();
    const versions = await askVersions(known.addresses, target.port, own);
    if (versions !== null) {
      const names = versions.map(quicVersionName).join(", ");
      return ok(`port ${target.port} answers in ${ms(performance.now() - beganMs)}, QUIC ${names}`);
    }
    if (known.quicServes) {
      return ok(`port ${target.port} serves QUIC, and does not tell its versions`);
    }
    if (await nobodyHere(known.addresses, target.port)) {
      return warn(
        `nothing listens on port ${target.port}`,
        "Let the server listen on UDP too, if HTTP/3 is to be served.",
      );
    }
    return warn(
      `port ${target.port} is silent: nothing listens, or it is blocked`,
      "Let UDP through to the server, if it serves HTTP/3; browsers go on by TCP.",
    );
  },
};

/** The versions that the first address to answer tells; `null` where none does. */
async function askVersions(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<number[] | null> {
  const done = new AbortController();
  const own = AbortSignal.any([signal, done.signal]);
  const asked = addresses.map((address) => {
    const ids = crypto.getRandomValues(new Uint8Array(16));
    const read = (datagram: Uint8Array) => readVersions(datagram, ids);
    return askUdp({ address, port, datagram: versionProbe(ids), read, signal: own });
  });
  try {
    return await Promise.any(asked);
  } catch {
    return null;
  } finally {
    done.abort();
  }
}

/** Deno does not tell of ICMP; of this machine's own sockets Linux does. */
async function nobodyHere(addresses: readonly string[], port: number): Promise<boolean> {
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const isOwn = (address: string) =>
    address.startsWith("127.") || own.some((one) => one.address === address);
  if (!addresses.every(isOwn)) return false;
  const tables = await Promise.all(["udp", "udp6"].map((name) => readSystem(`/proc/net/${name}`)));
  return tables[0] !== null && !tables.some((table) => table !== null && hasUdpSocket(table, port));
}

const settings: DoctorProbe = {
  id: "h3_settings",
  title: "HTTP/3 settings",
  needs: ["quic"],
  async run({ known }, signal) {
    const connection = known.quic!;
    const got = await firstSettings(connection, signal).finally(() =>
      connection.close(H3Code.H3_NO_ERROR)
    );
    const details = settingLines(got);
    if (got.enableConnectProtocol) return ok("extended CONNECT, for WebSockets", { details });
    return warn(
      "no extended CONNECT",
      "Have the server announce SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 9220), if it can take " +
        "WebSockets over HTTP/3; browsers take another version.",
      { details, stops: "the server announces no WebSockets over HTTP/3" },
    );
  },
};

function firstSettings(connection: QuicConnection, signal: AbortSignal): Promise<Settings> {
  const { promise, resolve, reject } = Promise.withResolvers<Settings>();
  const control = new H3Control(connection, {
    role: "client",
    onEvent: (event) => {
      if (event.type === "settings") resolve(event.settings);
    },
    onError: reject,
  });
  void connection.closed.then(({ reason }) => {
    control.release();
    reject(new NetError("lost", `the connection was closed before SETTINGS came: ${reason}`));
  });
  signal.addEventListener("abort", () => reject(new NetError("timeout", "no SETTINGS came")));
  void control.accept();
  control.open({}).catch(reject);
  return promise;
}

function settingLines(got: Settings): string[] {
  const rows: [number, number | null][] = [
    [SettingId.QPACK_MAX_TABLE_CAPACITY, got.qpackMaxTableCapacity],
    [SettingId.MAX_FIELD_SECTION_SIZE, got.maxFieldSectionSize],
    [SettingId.QPACK_BLOCKED_STREAMS, got.qpackBlockedStreams],
    [SettingId.ENABLE_CONNECT_PROTOCOL, Number(got.enableConnectProtocol)],
    [SettingId.H3_DATAGRAM, Number(got.h3Datagram)],
    ...got.unknown,
  ];
  return rows.flatMap(([id, value]) =>
    // What has its default may not have been sent.
    value === null || value === 0 ? [] : [`${settingName(id)} = ${value}`]
  );
}

/** What UDP, QUIC and HTTP/3 show. */
export const quicProbes: readonly DoctorProbe[] = [quic, udp, settings];
