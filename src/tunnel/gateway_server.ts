import type { ListenAddress } from "../ingress/listen.ts";
import { ListenError } from "../ingress/listen.ts";
import type { Accepted } from "../net/accepted.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { listenRaw, type RawTcpServer } from "../net/raw_tcp.ts";
import { serve, type Server } from "../server/server.ts";
import type { ServeOptions } from "../server/options.ts";
import type { WebSocketRequest } from "../server/request.ts";
import { Admission } from "./admission.ts";
import type { AgentBalance } from "./agents.ts";
import { ClientGate } from "./client_gate.ts";
import { Gateway } from "./gateway.ts";
import { GatewayLinks, TUNNEL_SUBPROTOCOL } from "./gateway_links.ts";
import type { GatewayObserver } from "./observer.ts";
import { SocksFront } from "./socks_front.ts";
import type { Users } from "./users.ts";

/** Above all that is sent by frames and by JSON. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

/** A port where clients ask for connections. */
export interface FrontOptions {
  listen: ListenAddress;
  /** `null` where anybody may come in. */
  users: Users | null;
  /** Whose agents are taken where the user has none of his own. */
  group?: string;
}

export interface GatewayServerOptions {
  /** Where agents come in, by QUIC and by WebSocket over TLS. */
  listen: ListenAddress;
  certPem: string;
  keyPem: string;
  clientCaPem?: string | null;
  /** The path of the WebSocket. */
  path: string;
  /**
   * Whether agents of AnyProxy are served, which offer no subprotocol: then anybody can see that a
   * WebSocket is there. Default `true`.
   */
  json?: boolean;
  agents: Users;
  socks: FrontOptions | null;
  balance: AgentBalance;
  maxConnections: number;
  maxStreamsPerAgent: number;
  connectTimeoutMs: number;
  idleTimeoutMs: number;
  handshakeTimeoutMs: number;
  heartbeatMs: number;
  windowBytes: number;
  sweeper: Sweeper;
  observer: GatewayObserver;
  log?: ServeOptions["log"];
}

/** A gateway that listens. */
export class GatewayServer {
  readonly gateway: Gateway;
  readonly #options: GatewayServerOptions;
  readonly #links: GatewayLinks;
  #server: Server | null = null;
  #socks: RawTcpServer | null = null;

  constructor(options: GatewayServerOptions) {
    this.#options = options;
    const { sweeper, observer, agents: users } = options;
    const onBug = (where: string, error: unknown) => observer.bug(where, error);
    this.gateway = new Gateway(options);
    const { heartbeatMs, maxStreamsPerAgent: maxStreams } = options;
    this.#links = new GatewayLinks({
      gateway: this.gateway,
      admission: new Admission({ users, maxStreams, heartbeatMs, observer }),
      sweeper,
      authTimeoutMs: options.handshakeTimeoutMs,
      windowBytes: options.windowBytes,
      onBug,
    });
  }

  /** Resolves once it listens; throws `ListenError`, and then nothing is left. */
  async listen(): Promise<void> {
    const { listen, certPem, keyPem, clientCaPem, socks, heartbeatMs, log } = this.#options;
    this.#server = await serve({
      ...{ listen, certPem, keyPem, clientCaPem, log },
      altSvcPort: null,
      maxConnections: this.#options.maxConnections,
      handshakeTimeoutMs: this.#options.handshakeTimeoutMs,
      // Its own Pings keep a link alive.
      readTimeoutMs: 3 * heartbeatMs,
      idleTimeoutMs: 3 * heartbeatMs,
      keepaliveMs: heartbeatMs,
      pingIntervalMs: heartbeatMs,
      otherQuic: this.#links.quic,
      ...{ maxFrameBytes: MAX_MESSAGE_BYTES, maxMessageBytes: MAX_MESSAGE_BYTES },
      fetch: () => notFound(),
    }, (request) => this.#take(request));
    if (socks === null) return;
    try {
      this.#socks = await this.#listenSocks(socks);
    } catch (error) {
      await this.stop();
      throw new ListenError("TCP", socks.listen, error);
    }
  }

  /** The port of agents, by UDP and TCP. */
  get port(): number {
    return this.#server!.port!;
  }

  /** `null` for none. */
  get socksPort(): number | null {
    return this.#socks?.port ?? null;
  }

  async #take(request: WebSocketRequest): Promise<void> {
    const { path, json = true } = this.#options;
    const isOurs = json || request.subprotocols.includes(TUNNEL_SUBPROTOCOL);
    if (request.path !== path || !isOurs) return await request.reject(404);
    await this.#links.takeSocket(request);
  }

  #listenSocks({ listen, users, group }: FrontOptions): Promise<RawTcpServer> {
    const { observer, sweeper, handshakeTimeoutMs, maxConnections } = this.#options;
    const onBug = (where: string, error: unknown) => observer.bug(where, error);
    const { gateway } = this;
    const gate = new ClientGate({ users, group, observer });
    const front = new SocksFront({ gateway, gate, sweeper, handshakeTimeoutMs, onBug });
    return listenRaw({
      ...listen,
      sweeper,
      maxHandshakes: maxConnections,
      handshakeTimeoutMs,
      onBug,
      onAccept: (accepted: Accepted) => void front.take(accepted),
      onRefused: () => {},
    });
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    this.#socks?.close();
    this.gateway.stop();
    await this.#server?.stop();
  }
}

/** What an ordinary web server says of what it does not have. */
function notFound(): Response {
  return new Response("Not Found\n", { status: 404 });
}
