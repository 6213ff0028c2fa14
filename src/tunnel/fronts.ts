import { type ListenAddress, ListenError } from "../ingress/listen.ts";
import type { Accepted, Refusal } from "../net/accepted.ts";
import { NetError } from "../net/error.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { listenRaw, type RawTcpServer } from "../net/raw_tcp.ts";
import { ClientGate } from "./client_gate.ts";
import { type ForwardPort, forwardPort } from "./forward_port.ts";
import type { Gateway } from "./gateway.ts";
import { HttpFront } from "./http_front.ts";
import { type ClientFront, MixedFront } from "./mixed_front.ts";
import type { GatewayObserver } from "./observer.ts";
import { SocksFront } from "./socks_front.ts";
import type { IdleTimes } from "./relay.ts";
import type { TunnelTarget } from "./target.ts";
import type { UdpFlowsOptions } from "./udp_flows.ts";
import type { Users } from "./users.ts";

/** A port where clients ask for connections. */
export interface FrontOptions {
  listen: ListenAddress;
  /** `null` where anybody may come in. */
  users: Users | null;
  /** Whose agents are taken where the user has none of his own. */
  group?: string;
}

/** A port that leads to one service behind a group's agents. */
export interface ForwardOptions {
  listen: ListenAddress;
  group: string;
  /** Its protocol is that of the port, too. */
  target: TunnelTarget;
}

/** The ports of a gateway where others than agents come in. */
export interface FrontsConfig {
  /** SOCKS5. */
  socks: FrontOptions | null;
  /** An HTTP proxy. */
  http?: FrontOptions | null;
  /** Both, told apart by the first byte. */
  mixed?: FrontOptions | null;
  forwards?: readonly ForwardOptions[];
}

export interface FrontsOptions extends FrontsConfig {
  gateway: Gateway;
  /** Clients at once at each port. */
  maxConnections: number;
  handshakeTimeoutMs: number;
  /** What all flows of datagrams share. */
  udp: Pick<UdpFlowsOptions, "places" | "maxFlows" | keyof IdleTimes>;
  sweeper: Sweeper;
  observer: GatewayObserver;
}

/** How long an HTTP client may be idle: as long as browsers keep a connection that might be of use. */
const KEEP_ALIVE_MS = 120_000;

type Kind = "socks" | "http" | "mixed";

/** All fronts of a gateway. */
export class Fronts {
  readonly #options: FrontsOptions;
  readonly #servers = new Map<Kind, RawTcpServer>();
  readonly #fronts: ClientFront[] = [];
  readonly #forwards: ForwardPort[] = [];

  constructor(options: FrontsOptions) {
    this.#options = options;
  }

  /** Throws `ListenError`; what listens then is for `stop` to end. */
  async listen(): Promise<void> {
    for (const kind of ["socks", "http", "mixed"] as const) {
      const front = this.#options[kind] ?? null;
      if (front !== null) this.#servers.set(kind, await this.#listen(kind, front));
    }
    for (const forward of this.#options.forwards ?? []) {
      this.#forwards.push(await this.#forward(forward));
    }
  }

  /** `null` where there is none of the kind. */
  port(kind: Kind): number | null {
    return this.#servers.get(kind)?.port ?? null;
  }

  /** In the order of the configuration. */
  get forwardPorts(): number[] {
    return this.#forwards.map(({ port }) => port);
  }

  /** Clients that are there now, whatever they are about. */
  get clients(): number {
    return [...this.#servers.values()].reduce((sum, { connections }) => sum + connections, 0);
  }

  #listen(kind: Kind, { listen, users, group }: FrontOptions): Promise<RawTcpServer> {
    const { observer, sweeper, maxConnections } = this.#options;
    const onBug = (where: string, error: unknown) => observer.bug(where, error);
    const front = this.#front(kind, new ClientGate({ users, group, observer }), onBug);
    this.#fronts.push(front);
    const onRefused = (refusal: Refusal) => observer.clientRefused?.(refusal);
    let clients = 0;
    const left = () => void clients--;
    const onAccept = (accepted: Accepted) => {
      if (clients >= maxConnections) {
        const message = `${maxConnections} clients are there already`;
        onRefused({ kind: "full", message, remote: accepted.remote });
        return accepted.stream.abort();
      }
      clients++;
      void front.take(accepted).then(left);
    };
    return inWords("TCP", listen, () => {
      const nothing = { maxHandshakes: 0, handshakeTimeoutMs: 0, onRefused };
      return listenRaw({ ...listen, ...nothing, sweeper, onAccept, onBug });
    });
  }

  #front(kind: Kind, gate: ClientGate, onBug: FrontsBug): ClientFront {
    const { gateway, sweeper, handshakeTimeoutMs } = this.#options;
    const common = { gateway, gate, sweeper, handshakeTimeoutMs, onBug };
    const socks = new SocksFront({ ...common, ...this.#udp() });
    const http = new HttpFront({ ...common, keepAliveMs: KEEP_ALIVE_MS });
    if (kind === "mixed") return new MixedFront({ ...common, socks, http });
    return kind === "socks" ? socks : http;
  }

  #forward({ listen, group, target }: ForwardOptions): Promise<ForwardPort> {
    const { protocol } = target;
    const route = () => ({ group, target });
    return inWords(protocol === "tcp" ? "TCP" : "UDP", listen, () => {
      return forwardPort({ ...this.#udp(), protocol, listen, route });
    });
  }

  #udp() {
    const { gateway, sweeper, observer, udp } = this.#options;
    const onBug = (where: string, error: unknown) => observer.bug(where, error);
    const onRefused = (refusal: Refusal) => observer.clientRefused?.(refusal);
    return { gateway, sweeper, ...udp, onBug, onRefused };
  }

  /**
   * Takes no new clients; what goes on for those that are there does so to its end. Ports that
   * forward refuse by the gateway.
   */
  close(): void {
    for (const server of this.#servers.values()) server.close();
    for (const front of this.#fronts) front.drain?.();
  }

  /** Frees all ports, and ends all clients. */
  async stop(): Promise<void> {
    for (const forward of this.#forwards) forward.close();
    await Promise.all([...this.#servers.values()].map((server) => server.closeAll()));
  }
}

type FrontsBug = (where: string, error: unknown) => void;

async function inWords<T>(
  transport: "TCP" | "UDP",
  listen: ListenAddress,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NetError) throw new ListenError(transport, listen, error);
    throw error;
  }
}
