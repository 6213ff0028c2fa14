/**
 * h3ws as a library: a WebSocket client over HTTP/3 (RFC 9220), HTTP/2 (RFC 8441) and HTTP/1.1, a
 * server that answers WebSockets over all three in the same process, and the proxy that takes them
 * to `ws://` and `wss://` backends, behind NAT too: `createGateway` and `createAgent`. It needs Deno with `--unstable-net`.
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
 * It chooses the version of HTTP by what it knows of the origin, and a second socket goes by the
 * same HTTP/2 or HTTP/3 connection. To say which version, and to have connections of one's own:
 *
 * ```ts
 * import { Connections, connectWebSocket } from "h3ws";
 *
 * using connections = new Connections({ idleTimeoutMs: 5_000 });
 * const caCerts = [await Deno.readTextFile("ca.pem")];
 * const options = { httpVersion: "2", connections, caCerts } as const;
 * const socket = await connectWebSocket("wss://localhost:8443/ws", options);
 * console.log(socket.http, connections.size); // "2" 1
 * ```
 *
 * `WebSocket3` is the same as the `WebSocket` of the WHATWG, and a socket of `reconnecting` comes
 * back by itself.
 *
 * A server: a handler for each WebSocket, over HTTP/3, HTTP/2 and HTTP/1.1 at one port. Its socket is
 * open for as long as it runs; with `fetch` ordinary requests are answered, too, as by `Deno.serve`:
 *
 * ```ts
 * import { serve } from "h3ws";
 *
 * const server = await serve({
 *   listen: ":8443",
 *   certPem: await Deno.readTextFile("cert.pem"),
 *   keyPem: await Deno.readTextFile("key.pem"),
 *   fetch: () => new Response("Open a WebSocket here.\n"),
 * }, async (request) => {
 *   if (request.path !== "/echo") return await request.reject(404);
 *   const socket = await request.accept({ protocol: request.subprotocols[0] });
 *   for await (const message of socket) await socket.send(message);
 * });
 * console.log(`port ${server.port}`);
 * // Later: every socket gets Close 1001, requests under way are answered.
 * await server.shutdown(10_000);
 * ```
 *
 * A framework's application answers the ordinary requests by `fetch: fromFetch(app)`.
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
 * The proxy as an object, which starts and stops, counts for itself, and asks the program who may
 * come in, before any backend is asked:
 *
 * ```ts
 * import { createProxy } from "h3ws";
 *
 * const proxy = createProxy({
 *   listenPort: 8443,
 *   certPem: await Deno.readTextFile("cert.pem"),
 *   keyPem: await Deno.readTextFile("key.pem"),
 *   backend: "ws://127.0.0.1:8080",
 *   authorize: ({ headers }) =>
 *     headers.get("authorization") === "Bearer secret"
 *       ? { headers: { "x-user": "ada" } } // for the backend
 *       : { status: 401, headers: { "www-authenticate": "Bearer" }, body: "Who are you?\n" },
 *   onOpen: ({ id, client, path }) => console.log(`${id}: ${client} at ${path}`),
 *   onClose: ({ id }, { code, by }) => console.log(`${id}: ${code} by ${by}`),
 * });
 * await proxy.start();
 * console.log(proxy.isRunning(), proxy.getStats().websocketConnections); // true 0
 * await proxy.drain(10_000); // and it may start again
 * ```
 *
 * With `cmux`, requests name ports of workspaces and containers, and the program says where they are:
 *
 * ```ts
 * import { CMUX_DEFAULTS, type ResolvePort } from "h3ws";
 *
 * const resolvePort: ResolvePort = async (workspace, port) => {
 *   const answer = await fetch(`http://127.0.0.1:2375/ports/${workspace}/${port}`);
 *   return answer.ok ? await answer.text() : null; // "172.17.0.2:3000"
 * };
 * const cmux = { ...CMUX_DEFAULTS, resolvePort, resolveTtlMs: 2000 };
 * ```
 *
 * `cmux` is one of the options of `proxyOptions`; `headerRoutingEnabled: true` and `resolvePort` of
 * `createProxy` are a shorter way.
 *
 * @module
 */

// The client.
export { type ConnectOptions, connectWebSocket, UpgradeRefused } from "./client/connect.ts";
export {
  type CloseOptions,
  Socket,
  type SocketEnd,
  type SocketOptions,
} from "./endpoint/socket.ts";
export type { Keepalive } from "./endpoint/keepalive.ts";
export type { Message } from "./endpoint/message.ts";
export { Sweeper, type Swept } from "./net/sweeper.ts";
export { WebSocket3, type WebSocket3Options } from "./client/websocket3.ts";
export {
  type Clock,
  type OpenedSocket,
  reconnecting,
  type ReconnectingEnd,
  type ReconnectingOptions,
  ReconnectingSocket,
} from "./client/reconnecting.ts";
export type { BackoffOptions } from "./client/backoff.ts";
export { Connections, type ConnectionsOptions } from "./client/connections.ts";
export { H2Client, type H2ConnectOptions } from "./client/h2_client.ts";
export { H3Client, type H3ConnectOptions } from "./client/h3_client.ts";
export type {
  AskOptions,
  ClientResponse,
  CloseInfo,
  HttpClient,
  Tunnelled,
} from "./client/http_client.ts";

// The server.
export { serve, type Server, type ServerAddress } from "./server/server.ts";
export type { ServeOptions, ServerLimits } from "./server/options.ts";
export type { WebSocketHandler } from "./server/exchange.ts";
export type { AcceptInit, WebSocketRequest } from "./server/request.ts";
export type { Endpoint as RequestEndpoint } from "./server/fields.ts";
export type { FetchHandler, FetchInfo } from "./server/fetch.ts";
export { type FetchApp, fromFetch } from "./server/from_fetch.ts";
export type {
  LogFields,
  RefusalReason,
  RefusedRequest,
  ServerLog,
  ServerObserver,
  SocketStart,
} from "./server/observer.ts";

export type { DeflateParameters, DeflateWishes } from "./protocol/websocket/permessage_deflate.ts";

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
export type {
  PortAsk,
  PortLookup,
  PortRange,
  PortResolution,
  PortTarget,
  ResolvePort,
} from "./proxy/cmux_ports.ts";
export { createProxy, type ManagedProxy } from "./config/create_proxy.ts";
export type { CreateProxyOptions } from "./config/create_options.ts";
export type { Listener } from "./observe/told.ts";
export { proxyOptions, type ProxySetup } from "./config/proxy_options.ts";
export { UsageError } from "./config/error.ts";
export type {
  Authorization,
  Authorize,
  AuthorizeChanges,
  AuthorizeHeaders,
  AuthorizeRefusal,
  AuthorizeRequest,
} from "./proxy/authorize.ts";
export type { SessionLimits } from "./proxy/session_options.ts";
export type { BackendTarget } from "./proxy/backend.ts";
export type { Answer, PathRule, PathTest } from "./proxy/answers.ts";
export type { OfferRequest } from "./ingress/offer.ts";
export type { Refusal, RefusalKind } from "./net/accepted.ts";

// The reverse tunnel.
export {
  createGateway,
  type CreateGatewayOptions,
  type ManagedGateway,
} from "./config/create_gateway.ts";
export { createAgent, type CreateAgentOptions, type ManagedAgent } from "./config/create_agent.ts";
export type {
  Authenticate,
  AuthenticatedUser,
  Credentials,
  PortRange as GatewayPortRange,
  Role,
  User as GatewayUser,
} from "./tunnel/users.ts";
export type { AgentStats, GatewayStats } from "./observe/gateway.ts";
export type { AgentProcessStats } from "./observe/agent.ts";
export type { PassedStats } from "./observe/tunnel_counters.ts";
export type { Limits as GatewayLimits } from "./tunnel/limits.ts";
export type { LinkTransport } from "./tunnel/link.ts";

// What the proxy tells, and what counts it and writes it down.
export type {
  ConnectionEnd,
  EndedBy,
  ErrorStage,
  HttpVersion,
  Observer,
  PrerequestCloseReason,
  Rejection,
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
export {
  type ClientCertificate,
  type Dial,
  dial,
  type Dialer,
  type Dialled,
  type DialTarget,
  type TlsAbout,
  type TlsClientOptions,
} from "./net/dial.ts";
export type { HttpProxy } from "./net/http_proxy.ts";
export type { QuicCloseInfo, QuicTransport } from "./net/quic.ts";
export type { QuicConnectOptions } from "./net/quic_connect.ts";
export { PeerError, type Scope } from "./protocol/wire/error.ts";
export type { Field } from "./protocol/wire/field.ts";
export type { RequestHead, ResponseHead } from "./protocol/wire/message.ts";
