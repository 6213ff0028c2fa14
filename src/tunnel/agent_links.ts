import type { ClientCertificate } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import type { OutboundProxy } from "../net/outbound_proxy.ts";
import { connectQuic } from "../net/quic_connect.ts";
import { selfSignedFor } from "../net/self_signed.ts";
import type { QuicConnection } from "../net/quic.ts";
import { inTime, type Sweeper } from "../net/sweeper.ts";
import type { Auth, Authed } from "../protocol/tunnel/auth.ts";
import { answered, authInTime, HEARTBEAT_MS, PATIENCE } from "./agent_auth.ts";
import { FrameStream } from "./frame_stream.ts";
import type { Link } from "./link.ts";
import type { AskedStream } from "./mux_link.ts";
import { failuresText, type LinkFailure, linkReasonOf } from "./link_failure.ts";
import { QuicLink, TUNNEL_ALPN } from "./quic_link.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";

/** By what an agent looks for its gateway. */
export type AgentTransport = "quic" | "ws" | "json";

export interface AgentLinkOptions {
  /** Of the gateway: `wss://gw.example:8443/ws`. */
  url: URL;
  /** Where that is; `null`, the default, for any of its host's addresses. */
  address?: string | null;
  auth: Auth;
  /** PEM, beside the roots that Deno trusts. */
  caCerts?: string[];
  /** SHA-256 of certificates: the gateway must have one of them, and then whoever signed it will do. */
  certificateHashes?: Uint8Array[];
  /** Who we are, over TCP: QUIC can't show it. */
  clientCertificate?: ClientCertificate;
  /** The way to the gateway, for TCP alone: QUIC is left out. Default none. */
  proxy?: OutboundProxy | null;
  /**
   * What is tried, in this order. By "ws" a gateway that does not choose our subprotocol is spoken
   * to in JSON, as by "json", which does not even offer it.
   */
  transports: readonly AgentTransport[];
  maxStreams: number;
  windowBytes: number;
  /** How long QUIC may take before the next is tried. */
  quicTimeoutMs: number;
  connectTimeoutMs: number;
  /**
   * How often a silent gateway is asked whether it is there, by QUIC and by WebSocket; it is gone
   * after three times as long. Default 5 s.
   */
  heartbeatMs?: number;
  sweeper: Sweeper;
  /** The gateway has taken us. */
  onAuthed: (authed: Authed) => void;
  onOpen: (target: TunnelTarget, asked: AskedStream) => void;
  onBug: (where: string, error: unknown) => void;
  signal: AbortSignal;
}

const DEFAULT_PORT = 443;
/** A stream that has ended may be the first that is heard of a connection that is over. */
const CLOSED_MS = 1_000;

/** A link that stands. */
export interface Linked {
  readonly link: Link;
  /** What was to be tried before, and why it did not stand; `null` where it is the first. */
  readonly instead: string | null;
}

/**
 * A link to a gateway that has taken us, by the first transport that stands.
 *
 * @throws {TunnelRefused} with AUTH_FAILED when it did not take us
 * @throws {NetError} when none stands: with the errors of all of them in its message
 */
export async function connectGateway(options: AgentLinkOptions): Promise<Linked> {
  const failures: LinkFailure[] = [];
  for (const transport of transportsOf(options)) {
    try {
      const link = await trusting(options, (trusted) => {
        return transport === "quic" ? byQuic(trusted) : bySocket(trusted, transport);
      });
      return { link, instead: failures.length === 0 ? null : failuresText(failures) };
    } catch (error) {
      if (error instanceof TunnelRefused || options.signal.aborted) throw error;
      const reason = linkReasonOf(error, options.certificateHashes !== undefined);
      failures.push({ transport, reason });
    }
  }
  throw new NetError(
    "unreachable",
    `Cannot link to ${options.url.host}: ${failuresText(failures) || whyNoQuic(options)}`,
  );
}

/**
 * A gateway that signed itself is known by its very certificate, where that is among those that are
 * trusted: AnyProxy's `gateway_tls_cert` is that. All others are known by who signed them.
 */
async function trusting(
  options: AgentLinkOptions,
  connect: (options: AgentLinkOptions) => Promise<Link>,
): Promise<Link> {
  const { url, caCerts = [], certificateHashes } = options;
  const own = selfSignedFor(hostOf(url), caCerts);
  if (certificateHashes !== undefined || own.length === 0) return await connect(options);
  try {
    return await connect({ ...options, certificateHashes: own });
  } catch (error) {
    if (!(error instanceof NetError && error.kind === "tls")) throw error;
    return await connect(options);
  }
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function transportsOf(options: AgentLinkOptions): readonly AgentTransport[] {
  const { transports } = options;
  return whyNoQuic(options) === null ? transports : transports.filter((one) => one !== "quic");
}

function whyNoQuic({ auth, proxy = null }: AgentLinkOptions): string | null {
  if (proxy !== null) return "QUIC goes by no proxy";
  return auth.login === null ? "QUIC can show no certificate" : null;
}

/** Most agents never come to this, and it would take 7 MB of each. */
async function bySocket(options: AgentLinkOptions, transport: "ws" | "json"): Promise<Link> {
  const { linkBySocket } = await import("./agent_socket_link.ts");
  return await linkBySocket(options, transport);
}

async function byQuic(options: AgentLinkOptions): Promise<Link> {
  const { url, address, auth, caCerts, certificateHashes, maxStreams, onOpen, onBug } = options;
  const { heartbeatMs = HEARTBEAT_MS, quicTimeoutMs } = options;
  const serverName = hostOf(url);
  const timeout = AbortSignal.timeout(quicTimeoutMs);
  const quic = await connectQuic({
    hostname: address ?? serverName,
    serverName,
    port: Number(url.port) || DEFAULT_PORT,
    alpnProtocols: [TUNNEL_ALPN],
    caCerts,
    certificateHashes,
    maxStreams,
    keepaliveMs: heartbeatMs,
    idleTimeoutMs: PATIENCE * heartbeatMs,
    signal: AbortSignal.any([timeout, options.signal]),
  }).catch((error) => {
    if (!timeout.aborted) throw error;
    throw new NetError("timeout", `no answer by UDP within ${quicTimeoutMs} ms`, error);
  });
  try {
    const enter = async () => {
      const control = new FrameStream(await quic.openStream());
      await control.send({ type: "auth", auth });
      return { control, answer: await control.expect() };
    };
    const { control, answer } = await authInTime(enter(), options);
    options.onAuthed(answered(answer));
    return new QuicLink({ quic, control, maxStreams, onOpen, onBug });
  } catch (error) {
    const isLost = error instanceof NetError && error.kind === "lost";
    const reason = isLost ? await whyClosed(quic, options.sweeper) : "";
    quic.close(0, "");
    throw reason === "" ? error : new NetError("lost", reason, error);
  }
}

/** What the gateway said as it ended the connection, of which its streams know nothing. */
async function whyClosed(quic: QuicConnection, sweeper: Sweeper): Promise<string> {
  const late = () => ({ reason: "" });
  return (await inTime(quic.closed, { sweeper, afterMs: CLOSED_MS, late })).reason;
}
