/**
 * h3ws as a library: a WebSocket client over HTTP/3 (RFC 9220) and HTTP/1.1, and the proxy that
 * takes WebSockets over HTTP/3 to `ws://` and `wss://` backends. It needs Deno with
 * `--unstable-net`.
 *
 * A client:
 *
 * ```ts
 * import { connectWebSocket } from "h3ws";
 *
 * const socket = await connectWebSocket("wss://localhost:8443/ws", {
 *   caCerts: [await Deno.readTextFile("ca.pem")],
 * });
 * await socket.send("hello");
 * console.log(await socket.receive()); // "hello"
 * await socket.close(1000, "bye");
 * ```
 *
 * A proxy:
 *
 * ```ts
 * import { proxyOptions, startProxy } from "h3ws";
 *
 * const proxy = await startProxy(proxyOptions({
 *   listen: ":8443",
 *   certPem: await Deno.readTextFile("cert.pem"),
 *   keyPem: await Deno.readTextFile("key.pem"),
 *   backend: "ws://127.0.0.1:8080",
 * }));
 * console.log(`UDP port ${proxy.port}`);
 * // Later: every socket gets Close 1001 within ten seconds, then the port is free.
 * await proxy.drain(10_000);
 * ```
 *
 * @module
 */

// The client.
export { type ConnectOptions, connectWebSocket, UpgradeRefused } from "./client/connect.ts";
export {
  type Keepalive,
  type Message,
  Socket,
  type SocketEnd,
  type SocketOptions,
} from "./endpoint/socket.ts";
export type { DeflateParameters } from "./protocol/websocket/permessage_deflate.ts";
export { Sweeper, type Swept } from "./net/sweeper.ts";
export {
  H3Client,
  type H3ConnectOptions,
  type H3Response,
  type H3Tunnelled,
} from "./client/h3_client.ts";

// The proxy.
export {
  type CertificatePair,
  type ListenAddress,
  ListenError,
  type Proxy,
  type ProxyOptions,
} from "./proxy/options.ts";
export { startProxy } from "./proxy/proxy.ts";
export type {
  ActiveHealth,
  Balance,
  FieldRules,
  HeaderCondition,
  HealthRules,
  PassiveHealth,
  Route,
  RouteConditions,
  RouteLimits,
  RoutePath,
} from "./proxy/route.ts";
export type { RouteDefaults } from "./proxy/routes.ts";
export { CMUX_DEFAULTS, type CmuxOptions } from "./proxy/cmux.ts";
export type { Endpoint, Owner } from "./proxy/cmux_host.ts";
export type { PortAsk, PortLookup, PortRange, PortTarget } from "./proxy/cmux_ports.ts";
export { proxyOptions, type ProxySetup } from "./config/proxy_options.ts";
export { UsageError } from "./config/error.ts";
export type { SessionLimits } from "./proxy/session.ts";
export type { BackendTarget } from "./proxy/backend.ts";
export type { Answer, PathRule, PathTest } from "./proxy/answers.ts";
export type { OfferRequest } from "./ingress/offer.ts";
export type { Refusal, RefusalKind } from "./net/accepted.ts";

// What the proxy tells, and what counts it and writes it down.
export type {
  ConnectionEnd,
  EndedBy,
  ErrorStage,
  HttpVersion,
  Observer,
  PrerequestCloseReason,
  RejectReason,
  RequestEnd,
  SessionEnd,
  SessionStart,
  SessionTraffic,
} from "./proxy/observer.ts";
export { SizeHistogram, Traffic } from "./protocol/websocket/traffic.ts";
export {
  createApplicationLog,
  createMetricsObserver,
  type MetricsObserver,
} from "./observe/library.ts";
export type { CountingObserver } from "./observe/observer.ts";
export type { Stats } from "./observe/counters.ts";
export {
  createLineLog,
  type Fields,
  type LineLogOptions,
  type Log,
  type LogLevel,
  type LogOptions,
  type OwnedLog,
  silentLog,
} from "./observe/log.ts";
export type { LineTarget } from "./observe/line_writer.ts";

// What both stand on.
export { NetError, type NetErrorKind } from "./net/error.ts";
export type { ByteStream } from "./net/byte_stream.ts";
export type {
  ClientCertificate,
  Dial,
  DialTarget,
  TlsAbout,
  TlsClientOptions,
} from "./net/dial.ts";
export type { HttpProxy } from "./net/http_proxy.ts";
export type { QuicCloseInfo, QuicTransport } from "./net/quic.ts";
export type { QuicConnectOptions } from "./net/quic_connect.ts";
export { PeerError, type Scope } from "./protocol/wire/error.ts";
export type { Field } from "./protocol/wire/field.ts";
export type { RequestHead, ResponseHead } from "./protocol/http3/fields.ts";
