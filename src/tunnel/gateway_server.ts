import type { ListenAddress } from "../ingress/listen.ts";
import type { Refusal } from "../net/accepted.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { splitCertificates } from "../net/tls_certificates.ts";
import { MAX_FRAME_BYTES } from "../protocol/tunnel/frame.ts";
import { serveBeside, type Server } from "../server/server.ts";
import type { ServeOptions } from "../server/options.ts";
import type { WebSocketRequest } from "../server/request.ts";
import { Admission } from "./admission.ts";
import type { AgentBalance } from "./agents.ts";
import type { Cluster, ClusterConfig } from "./cluster.ts";
import { Fronts, type FrontsConfig } from "./fronts.ts";
import { Gateway } from "./gateway.ts";
import { type LimitsBy, TunnelLimits } from "./limits.ts";
import { GatewayLinks } from "./gateway_links.ts";
import { TUNNEL_SUBPROTOCOL } from "./mux_link.ts";
import type { GatewayObserver } from "./observer.ts";
import { OpenPorts } from "./open_ports.ts";
import type { IdleTimes } from "./relay.ts";
import { UdpPlaces } from "./udp_places.ts";
import type { PortRange, Users } from "./users.ts";

/** An agent that is silent for so many heartbeats is gone. */
const PATIENCE = 3;
const UDP_IDLE_TIMEOUT_MS = 60_000;
const UDP_UNANSWERED_TIMEOUT_MS = 10_000;
/** Targets of one client by UDP, or clients of one port. */
const MAX_FLOWS = 1_024;
const NOT_FOUND = "Not Found\n";
/** RFC 9110 §11.6.1: a 401 MUST have one. */
const CHALLENGE = 'Basic realm="agents", charset="UTF-8"';
const NO_PORTS: OpenPortsConfig = { hostname: "0.0.0.0", ranges: [] };

/** Ports that agents may ask for. */
export interface OpenPortsConfig {
  /** Where they are. */
  hostname: string;
  /** Which ones, where nothing else is said of the user. */
  ranges: readonly PortRange[];
}

export interface GatewayServerOptions extends FrontsConfig {
  /** Where agents come in, by QUIC and by WebSocket over TLS. */
  listen: ListenAddress;
  certPem: string;
  keyPem: string;
  /**
   * Of those who sign the certificates that agents must have; `null`, the default, for none. QUIC
   * can't ask for one, and so is not spoken then.
   */
  clientCaPem?: string | null;
  /** The path of the WebSocket. */
  path: string;
  /**
   * Whether agents of AnyProxy are served, which offer no subprotocol and say late who they are:
   * then anybody can see that a WebSocket is there. Default `true`.
   */
  json?: boolean;
  agents: Users;
  /** Default: none, but what is said of single users. */
  openPorts?: OpenPortsConfig;
  /** Where other gateways are found; `null`, the default, for none. */
  cluster?: ClusterConfig | null;
  balance: AgentBalance;
  maxConnections: number;
  maxStreamsPerAgent: number;
  connectTimeoutMs: number;
  idleTimeoutMs: number;
  handshakeTimeoutMs: number;
  heartbeatMs: number;
  /** A flow of datagrams that is silent for so long ends; default 60 s. */
  udpIdleTimeoutMs?: number;
  /** The same for one that the target has not answered; default 10 s. */
  udpUnansweredTimeoutMs?: number;
  windowBytes: number;
  sweeper: Sweeper;
  observer: GatewayObserver;
  /** What users, agents and targets may have; default all there is. */
  limits?: LimitsBy;
  log?: ServeOptions["log"];
}

/** A gateway that listens. */
export class GatewayServer {
  readonly gateway: Gateway;
  readonly #options: GatewayServerOptions;
  readonly #links: GatewayLinks;
  #server: Server | null = null;
  #cluster: Cluster | null = null;
  readonly #fronts: Fronts;
  readonly #ports: OpenPorts;
  #clientCas: readonly string[] = [];
  /** Users outlive it: they hold it no longer than it runs. */
  readonly #releases: (() => void)[] = [];

  constructor(options: GatewayServerOptions) {
    this.#options = options;
    const { sweeper, observer, agents: users } = options;
    const onBug = (where: string, error: unknown) => observer.bug(where, error);
    const onRefused = (refusal: Refusal) => observer.clientRefused?.(refusal);
    this.gateway = new Gateway(options);
    const { gateway } = this;
    const { heartbeatMs, maxStreamsPerAgent: maxStreams } = options;
    const { openPorts = NO_PORTS } = options;
    const places = new UdpPlaces(gateway.agents);
    const udp = { ...udpTimes(options), places, maxFlows: MAX_FLOWS };
    this.#fronts = new Fronts({ ...options, gateway, udp });
    const ports = new OpenPorts({
      ...openPorts,
      ...udp,
      gateway,
      sweeper,
      observer,
      onBug,
      onRefused,
    });
    this.#ports = ports;
    this.#links = new GatewayLinks({
      gateway,
      admission: new Admission({ users, maxStreams, heartbeatMs, ports, observer }),
      sweeper,
      authTimeoutMs: options.handshakeTimeoutMs,
      windowBytes: options.windowBytes,
      onBug,
    });
  }

  /** Resolves once it listens; throws `ListenError`, and then nothing is left. */
  async listen(): Promise<void> {
    const { listen, certPem, keyPem, clientCaPem, heartbeatMs, log } = this.#options;
    this.#clientCas = splitCertificates(clientCaPem ?? "");
    this.gateway.limit(await TunnelLimits.make(this.#options.limits ?? {}));
    this.#server = await serveBeside(
      {
        ...{ listen, certPem, keyPem, clientCaPem, log },
        versions: { h3: clientCaPem === null || clientCaPem === undefined },
        altSvcPort: null,
        maxConnections: this.#options.maxConnections,
        handshakeTimeoutMs: this.#options.handshakeTimeoutMs,
        idleTimeoutMs: PATIENCE * heartbeatMs,
        keepaliveMs: heartbeatMs,
        pingIntervalMs: heartbeatMs,
        pongTimeoutMs: (PATIENCE - 1) * heartbeatMs,
        // Behind that: a link that is idle is closed with a handshake, for which it has to live.
        readTimeoutMs: 2 * PATIENCE * heartbeatMs,
        // No stranger makes us keep more; JSON may bring more once it is known whose it is.
        ...{ maxFrameBytes: MAX_FRAME_BYTES, maxMessageBytes: MAX_FRAME_BYTES },
        fetch: () => notFound(),
      },
      (request) => this.#take(request),
      this.#links.quic,
    );
    this.#listenToUsers();
    try {
      await this.#fronts.listen();
      await this.#join();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  #listenToUsers(): void {
    const { agents, socks, http, mixed } = this.#options;
    const { gateway } = this;
    for (const list of new Set([agents, ...[socks, http, mixed].map((front) => front?.users)])) {
      if (list) this.#releases.push(list.onGone(() => gateway.endOver()));
    }
  }

  async #join(): Promise<void> {
    const { cluster = null } = this.#options;
    if (cluster === null) return;
    // Its libraries are for nobody else.
    const { Cluster } = await import("./cluster.ts");
    this.#cluster = new Cluster({ ...this.#options, ...cluster, gateway: this.gateway });
  }

  /** `null` where it is alone. */
  get cluster(): Cluster | null {
    return this.#cluster;
  }

  /** The port of agents, by UDP and TCP. */
  get port(): number {
    return this.#server!.port!;
  }

  /** `null` for none. */
  get socksPort(): number | null {
    return this.#fronts.port("socks");
  }

  /** `null` for none. */
  get httpPort(): number | null {
    return this.#fronts.port("http");
  }

  /** That of SOCKS5 and HTTP alike; `null` for none. */
  get mixedPort(): number | null {
    return this.#fronts.port("mixed");
  }

  /** Those of `forwards`, in their order. */
  get forwardPorts(): number[] {
    return this.#fronts.forwardPorts;
  }

  /** Clients at the ports of SOCKS5 and HTTP. */
  get clients(): number {
    return this.#fronts.clients;
  }

  async #take(request: WebSocketRequest): Promise<void> {
    const { path, json = true } = this.#options;
    const isOurs = json || request.subprotocols.includes(TUNNEL_SUBPROTOCOL);
    if (request.path !== path || !isOurs) return await rejectNotFound(request);
    const why = await this.#links.whyNoAgent(request, { byCertificate: !json });
    if (why !== null && !json) return await rejectNotFound(request);
    // An agent of AnyProxy says who it is by its first message.
    if (why) return await request.reject(401, { "www-authenticate": CHALLENGE }, `${why}\n`);
    await this.#links.takeSocket(request);
  }

  /** New links get this certificate; throws `NetError` if it is unusable, and keeps the old. */
  reload(certPem: string, keyPem: string): void {
    this.#server!.reload(certPem, keyPem);
  }

  /**
   * The same for those who sign agents' certificates. Where one of them is gone, all agents are
   * closed, to come again: nobody stays by a certificate that is not trusted any more.
   */
  reloadClientCa(clientCaPem: string): void {
    this.#server!.reloadClientCa(clientCaPem);
    const now = splitCertificates(clientCaPem);
    const isOneGone = this.#clientCas.some((one) => !now.includes(one));
    this.#clientCas = now;
    if (isOneGone) this.gateway.agents.close("the CAs of agents' certificates have changed");
  }

  /** Takes no new clients; ends everything once connections have ended, or after `forMs`. */
  async drain(forMs: number): Promise<void> {
    this.#fronts.close();
    this.#cluster?.drain();
    await this.gateway.drain(forMs);
    await this.stop();
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    for (const release of this.#releases.splice(0)) release();
    this.#ports.close();
    this.gateway.stop();
    await this.#fronts.stop();
    await this.#cluster?.close();
    await this.#server?.stop();
  }
}

/** What an ordinary web server says of what it does not have. */
function notFound(): Response {
  return new Response(NOT_FOUND, { status: 404 });
}

async function rejectNotFound(request: WebSocketRequest): Promise<void> {
  await request.reject(404, {}, NOT_FOUND);
}

function udpTimes(options: GatewayServerOptions): Required<IdleTimes> {
  const { udpIdleTimeoutMs: idleTimeoutMs = UDP_IDLE_TIMEOUT_MS } = options;
  const { udpUnansweredTimeoutMs = UDP_UNANSWERED_TIMEOUT_MS } = options;
  return { idleTimeoutMs, unansweredTimeoutMs: Math.min(idleTimeoutMs, udpUnansweredTimeoutMs) };
}
