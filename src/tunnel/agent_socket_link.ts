import { connectWebSocket, UpgradeRefused } from "../client/connect.ts";
import { Connections } from "../client/connections.ts";
import type { Socket } from "../endpoint/socket.ts";
import type { Dial } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import { dialBy } from "../net/outbound_proxy.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { decodeFrame } from "../protocol/tunnel/decode.ts";
import { encodeFrame } from "../protocol/tunnel/encode.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { answered, authInTime, HEARTBEAT_MS, PATIENCE } from "./agent_auth.ts";
import type { AgentLinkOptions } from "./agent_links.ts";
import { authorizationFor } from "./early_auth.ts";
import { sendJsonAuth } from "./json_auth.ts";
import { JsonLink } from "./json_link.ts";
import type { Link } from "./link.ts";
import { MuxLink, TUNNEL_SUBPROTOCOL } from "./mux_link.ts";
import { TunnelRefused } from "./target.ts";

/** AnyProxy's agents ping every 30 s. */
const JSON_HEARTBEATS = 6;

/** Above all that is sent by frames and by JSON. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Throws as `connectGateway`. */
export async function linkBySocket(
  options: AgentLinkOptions,
  transport: "ws" | "json",
): Promise<Link> {
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
    // Who ends waits for no Close of a gateway that may be silent.
    if (options.signal.aborted) socket.abort("the agent shuts down");
    else void socket.close(CloseCode.GOING_AWAY, "").catch(() => {});
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
  const sent = socket.send(encodeFrame({ type: "auth", auth }));
  const message = await authInTime(sent.then(() => socket.receive()), options);
  if (message === null) {
    const { reason } = await socket.closed;
    throw new NetError("lost", reason || "the gateway closed before it answered AUTH");
  }
  if (typeof message === "string") throw new NetError("other", "the gateway did not answer AUTH");
  options.onAuthed(answered(decodeFrame(message)));
  return new MuxLink({ socket, role: "agent", windowBytes, maxStreams, onOpen, onBug });
}

async function byJson(socket: Socket, options: AgentLinkOptions): Promise<Link> {
  const { auth, maxStreams, sweeper, onOpen, onBug, heartbeatMs = HEARTBEAT_MS } = options;
  const pingMs = JSON_HEARTBEATS * heartbeatMs;
  await authInTime(sendJsonAuth(socket, auth), options);
  return new JsonLink({ socket, role: "agent", maxStreams, sweeper, pingMs, onOpen, onBug });
}
