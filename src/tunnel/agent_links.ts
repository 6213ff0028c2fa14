import { connectWebSocket, UpgradeRefused } from "../client/connect.ts";
import type { ClientCertificate, Dial } from "../net/dial.ts";
import { Connections } from "../client/connections.ts";
import type { Socket } from "../endpoint/socket.ts";
import { messageOf, NetError } from "../net/error.ts";
import { dialBy, type OutboundProxy } from "../net/outbound_proxy.ts";
import { connectQuic } from "../net/quic_connect.ts";
import { selfSignedFor } from "../net/self_signed.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { type Auth, type Authed } from "../protocol/tunnel/auth.ts";
import { decodeFrame } from "../protocol/tunnel/decode.ts";
import { encodeFrame } from "../protocol/tunnel/encode.ts";
import type { Frame } from "../protocol/tunnel/frame.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { authorizationFor } from "./early_auth.ts";
import { FrameStream } from "./frame_stream.ts";
import { TUNNEL_SUBPROTOCOL } from "./gateway_links.ts";
import { sendJsonAuth } from "./json_auth.ts";
import { JsonLink } from "./json_link.ts";
import type { Link } from "./link.ts";
import { type AskedStream, MuxLink } from "./mux_link.ts";
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
   * after three times as long. Default 15 s.
   */
  heartbeatMs?: number;
  sweeper: Sweeper;
  /** The gateway has taken us. */
  onAuthed: (authed: Authed) => void;
  onOpen: (target: TunnelTarget, asked: AskedStream) => void;
  onBug: (where: string, error: unknown) => void;
  signal: AbortSignal;
}

/** A NAT forgets UDP after 30 s, or sooner. */
const HEARTBEAT_MS = 15_000;
/** AnyProxy's agents ping every 30 s. */
const JSON_HEARTBEATS = 2;
/** A gateway that is silent for so many heartbeats is gone. */
const PATIENCE = 3;
const DEFAULT_PORT = 443;

/** Of a WebSocket: above all that is sent by frames and by JSON. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

/**
 * A link to a gateway that has taken us, by the first transport that stands.
 *
 * @throws {TunnelRefused} with AUTH_FAILED when it did not take us
 * @throws {NetError} when none stands: with the errors of all of them in its message
 */
export async function connectGateway(options: AgentLinkOptions): Promise<Link> {
  const failed: string[] = [];
  for (const transport of transportsOf(options)) {
    try {
      return await trusting(options, (trusted) => {
        return transport === "quic" ? byQuic(trusted) : bySocket(trusted, transport);
      });
    } catch (error) {
      if (error instanceof TunnelRefused || options.signal.aborted) throw error;
      failed.push(`${transport}: ${messageOf(error)}`);
    }
  }
  throw new NetError(
    "unreachable",
    `Cannot link to ${options.url.host}: ${failed.join("; ") || whyNoQuic(options)}`,
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

async function byQuic(options: AgentLinkOptions): Promise<Link> {
  const { url, address, auth, caCerts, certificateHashes, maxStreams, onOpen, onBug } = options;
  const { heartbeatMs = HEARTBEAT_MS } = options;
  const serverName = hostOf(url);
  const timeout = AbortSignal.timeout(options.quicTimeoutMs);
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
  });
  try {
    const control = new FrameStream(await quic.openStream());
    await control.send({ type: "auth", auth });
    options.onAuthed(check(await inTime(control.expect(), options)));
    return new QuicLink({ quic, control, maxStreams, onOpen, onBug });
  } catch (error) {
    quic.close(0, "");
    throw error;
  }
}

async function bySocket(options: AgentLinkOptions, transport: "ws" | "json"): Promise<Link> {
  const { url, caCerts, signal, heartbeatMs = HEARTBEAT_MS } = options;
  // Of its own: a connection that is dead, and not known to be, is not the next link's as well; and
  // none waits for another's bytes that were lost.
  const connections = new Connections();
  const authorization = authorizationFor(options.auth.login);
  const socket = await connectWebSocket(url, {
    connections,
    headers: authorization === null ? [] : [["authorization", authorization]],
    protocols: transport === "ws" ? [TUNNEL_SUBPROTOCOL] : [],
    caCerts,
    dial: dialFor(options),
    tcpOnly: true,
    timeoutMs: options.connectTimeoutMs,
    ...{ maxFrameBytes: MAX_MESSAGE_BYTES, maxMessageBytes: MAX_MESSAGE_BYTES },
    keepalive: { pingIntervalMs: heartbeatMs, pongTimeoutMs: (PATIENCE - 1) * heartbeatMs },
    signal,
  }).catch((error) => {
    connections.close();
    throw refusedOr(error);
  });
  void socket.closed.then(() => connections.close());
  try {
    // RFC 6455 §4.1: a server may choose none. One that knows nothing of ours is of AnyProxy.
    return await (socket.protocol === "" ? byJson(socket, options) : byFrames(socket, options));
  } catch (error) {
    void socket.close(CloseCode.GOING_AWAY, "").catch(() => {});
    throw error;
  }
}

/** RFC 9110 §15.5.2: a gateway that does not know us may say so before there is a WebSocket. */
function refusedOr(error: unknown): unknown {
  if (!(error instanceof UpgradeRefused) || error.status !== 401) return error;
  return new TunnelRefused(TunnelCode.AUTH_FAILED, error.message, error);
}

/** TCP to one address of the gateway, that is known by its hash, or knows us by our certificate. */
function dialFor(
  { address, certificateHashes, clientCertificate, proxy = null }: AgentLinkOptions,
): Dial {
  return ({ tls, ...target }, signal) =>
    dialBy(proxy, {
      ...target,
      hostname: address ?? target.hostname,
      ...(tls && { tls: { ...tls, certificateHashes, clientCertificate } }),
    }, signal);
}

async function byFrames(socket: Socket, options: AgentLinkOptions): Promise<Link> {
  const { auth, maxStreams, windowBytes, onOpen, onBug } = options;
  await socket.send(encodeFrame({ type: "auth", auth }));
  const message = await inTime(socket.receive(), options);
  if (message === null || typeof message === "string") {
    throw new NetError("lost", "the gateway closed before it answered AUTH");
  }
  options.onAuthed(check(decodeFrame(message)));
  return new MuxLink({ socket, role: "agent", windowBytes, maxStreams, onOpen, onBug });
}

async function byJson(socket: Socket, options: AgentLinkOptions): Promise<Link> {
  const { auth, maxStreams, sweeper, onOpen, onBug, heartbeatMs = HEARTBEAT_MS } = options;
  const pingMs = JSON_HEARTBEATS * heartbeatMs;
  await inTime(sendJsonAuth(socket, auth), options);
  return new JsonLink({ socket, role: "agent", maxStreams, sweeper, pingMs, onOpen, onBug });
}

/** Whether the gateway has taken us. */
function check(frame: Frame | null): Authed {
  if (frame?.type !== "authed") throw new NetError("other", "the gateway did not answer AUTH");
  const { authed } = frame;
  if (!authed.success) throw new TunnelRefused(authed.code!, authed.message);
  return authed;
}

async function inTime<T>(work: Promise<T>, { connectTimeoutMs }: AgentLinkOptions): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new NetError("timeout", `no answer to AUTH within ${connectTimeoutMs} ms`));
  }, connectTimeoutMs);
  work.catch(() => {});
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
