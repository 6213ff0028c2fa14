import { Registry } from "../observe/registry.ts";
import type { Dialer } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import { timerMs } from "../net/numbers.ts";
import { Sweeper } from "../net/sweeper.ts";
import {
  type AgentStats,
  type CountingGatewayObserver,
  createGatewayObserver,
  type GatewayStats,
} from "../observe/gateway.ts";
import { errorsAlone } from "../observe/library.ts";
import type { Log } from "../observe/log.ts";
import { DEFAULT_GROUP } from "../tunnel/admission.ts";
import { GatewayServer } from "../tunnel/gateway_server.ts";
import { routeDialer } from "../tunnel/route_dialer.ts";
import { type Authenticate, type User, Users } from "../tunnel/users.ts";
import { addValue } from "./kinds.ts";
import { type GatewayConfig, readGatewayConfig } from "./gateway.ts";
import { gatewayOptions } from "./gateway_options.ts";
import { Runs } from "./runs.ts";
import { tunnelNumbers } from "./tunnel_numbers.ts";

/** What `createGateway` is told; all else is as in `h3ws gateway`. */
export interface CreateGatewayOptions {
  /** Where agents come in, by UDP and TCP, as `--listen`: `:8443`, `127.0.0.1:0`. Default `:8443`. */
  listen?: string;
  /** The certificate chain in PEM, the server's own first. */
  certPem: string;
  /** Its private key in PEM. */
  keyPem: string;
  /** Certificates in PEM that agents over TCP must have one of, or one signed by. */
  clientCaPem?: string;
  /** Who may come in, as an agent and as a client; or a function that says who somebody is. */
  users: readonly User[] | Authenticate;
  /** The path of the agents' WebSocket. Default `/ws`. */
  path?: string;
  /** Whether agents of AnyProxy are taken. Default `true`. */
  json?: boolean;
  /** Which agent of a group is tried first. Default `round-robin`. */
  balance?: "round-robin" | "least-sessions" | "failover";
  /** Where clients ask for connections by SOCKS5, as `--socks`. Default `off`. */
  socks?: string;
  /** Where they do by HTTP, as `--http`. Default `off`. */
  http?: string;
  /** Where they do by either, as `--mixed`. Default `off`. */
  mixed?: string;
  /** Ports that lead to one service each, as `--forward`: `:5432=db.internal:5432`. */
  forwards?: readonly string[];
  /** Ports, and ranges of them, that agents may ask for, as `--open-ports`: `9000-9100`. */
  openPorts?: readonly string[];
  /** Whether clients are taken without a word of who they are. Default `false`. */
  anonymous?: boolean;
  /** Whose agents serve clients that have no group of their own. Default `default`. */
  group?: string;
  /** Connections at once, and TCP connections at each address. Default 20000. */
  maxConnections?: number;
  /** Connections at once by one link of an agent. Default 10000. */
  maxStreamsPerAgent?: number;
  /** How long agents may take to connect to a target, all that are tried together. Default 15 s. */
  connectTimeoutMs?: number;
  /** A connection ends when no byte went either way for so long; 0 for never. Default 2 h. */
  idleTimeoutMs?: number;
  /** How long anybody may take to say who he is and what he wants. Default 10 s. */
  handshakeTimeoutMs?: number;
  /** Between Pings to agents; a link that is silent for three times as long is lost. Default 5 s. */
  heartbeatMs?: number;
  /** What may be under way on one connection that its reader has not taken. Default 256 KiB. */
  windowBytes?: number;
  /** Where lines go. Default: errors alone, to the console. */
  log?: Log;
  /** Stops the gateway, which then starts no more. */
  signal?: AbortSignal;
}

/** A gateway that can be started and stopped, again and again. */
export interface ManagedGateway extends AsyncDisposable {
  /** The port of agents, by UDP and TCP; `null` while it does not run. */
  readonly port: number | null;
  /** That of SOCKS5; `null` for none. */
  readonly socksPort: number | null;
  /** That of HTTP; `null` for none. */
  readonly httpPort: number | null;
  /** That of both; `null` for none. */
  readonly mixedPort: number | null;
  /** Those of `forwards`, in their order; none while it does not run. */
  readonly forwardPorts: number[];
  /**
   * Connects through the agents of a group, `default` if no other is said, whenever the gateway runs:
   * what `createProxy` does with its option `gateway`, and what any `dial` takes as its `dialer`.
   */
  dialer(group?: string): Dialer;
  /**
   * Resolves once it listens. Rejects with an `Error` while it runs, or starts, with `ListenError`
   * when a port can't be listened at, or the certificate not be used, and with the reason of `signal`
   * if that was aborted; then nothing is left.
   */
  start(): Promise<void>;
  /** Ends everything at once; nothing happens where nothing runs. */
  stop(): Promise<void>;
  /** Takes nothing new, waits for connections to end within `forMs` (default 10 s), then stops. */
  drain(forMs?: number): Promise<void>;
  /** From the end of a start to that of a stop or drain. */
  isRunning(): boolean;
  /** What `/agents` of `h3ws gateway` tells: agents that are there, and those that were, newest first. */
  agents(): AgentStats[];
  /** What `/stats` of `h3ws gateway` tells, over all starts. */
  getStats(): GatewayStats;
  /** What `/metrics` of `h3ws gateway` tells, over all starts, in the text format of Prometheus. */
  metrics(): Promise<string>;
  /** Drains for 10 s at most. */
  [Symbol.asyncDispose](): Promise<void>;
}

const SWEEP_MS = 250;
const DRAIN_MS = 10_000;

/**
 * The public end of the reverse tunnel, which does not listen yet. Whoever proxies through it drains
 * it last.
 *
 * ```ts
 * import { connectWebSocket, createAgent, createGateway, createProxy } from "h3ws";
 *
 * const certPem = await Deno.readTextFile("cert.pem");
 * const keyPem = await Deno.readTextFile("key.pem");
 * const caCerts = [await Deno.readTextFile("ca.pem")];
 * const login = { name: "ann", password: "secret" };
 *
 * // On a public machine:
 * const gateway = createGateway({ listen: "127.0.0.1:0", certPem, keyPem, users: [login] });
 * await gateway.start();
 * const proxy = createProxy({
 *   ...{ listen: "127.0.0.1:0", certPem, keyPem, gateway },
 *   backend: "agent://default/127.0.0.1:8080",
 * });
 * await proxy.start();
 *
 * // On a private one:
 * const agent = createAgent({
 *   ...{ gateways: [`localhost:${gateway.port}`], login, caCerts },
 *   allowed: ["127.0.0.1"],
 * });
 * await agent.start();
 *
 * const socket = await connectWebSocket(`wss://localhost:${proxy.port}/ws`, { caCerts });
 * await socket.send("hello");
 * console.log(await socket.receive(), gateway.agents().length); // "hello" 1
 * await socket.close();
 * for (const one of [proxy, agent, gateway]) await one.drain();
 * ```
 *
 * @throws {TypeError} without users, for a number that is none, and a hash of a password that is none
 * @throws {UsageError} for an address, a port or a path that is none
 */
export function createGateway(options: CreateGatewayOptions): ManagedGateway {
  const { users, log = errorsAlone } = options;
  if (typeof users !== "function" && !Array.isArray(users)) {
    throw new TypeError("users: is missing; a list, or a function");
  }
  const own = typeof users === "function"
    ? new Users([], { authenticate: users })
    : new Users(users);
  const registry = new Registry();
  const observer = createGatewayObserver({ registry, log });
  return new Managed(configOf(options), { options, users: own, registry, observer, log });
}

/** What is said by words is read as of flags. */
function configOf(options: CreateGatewayOptions): GatewayConfig {
  const { listen, path, socks = "off", http, mixed, forwards = [], openPorts = [] } = options;
  const all = (values: readonly string[]) => values.reduce((text, one) => addValue(one, text), "");
  const { group, balance } = options;
  const read = readGatewayConfig({
    ...{ listen, path, socks, http, mixed, group, balance },
    ...{ forward: all(forwards), "open-ports": all(openPorts) },
  });
  const { json = read.json, anonymous = read.anonymous } = options;
  return { ...read, json, anonymous, ...tunnelNumbers(options) };
}

interface Parts {
  readonly options: CreateGatewayOptions;
  readonly users: Users;
  readonly registry: Registry;
  readonly observer: CountingGatewayObserver;
  readonly log: Log;
}

interface Running {
  readonly server: GatewayServer;
  readonly sweeper: Sweeper;
}

class Managed implements ManagedGateway {
  readonly #config: GatewayConfig;
  readonly #parts: Parts;
  readonly #runs: Runs<Running>;

  constructor(config: GatewayConfig, parts: Parts) {
    this.#config = config;
    this.#parts = parts;
    this.#runs = new Runs({
      name: "The gateway",
      begin: () => this.#begin(),
      abort: () => void this.stop().catch((error) => parts.observer.bug("stop", error)),
      signal: parts.options.signal,
    });
  }

  async #begin(): Promise<Running> {
    const { options: { certPem, keyPem, clientCaPem }, users, observer, log } = this.#parts;
    const sweeper = new Sweeper(SWEEP_MS);
    const server = new GatewayServer(gatewayOptions(this.#config, {
      ...{ certPem, keyPem, clientCaPem, sweeper, observer, log },
      ...{ agents: users, clients: users },
    }));
    try {
      await server.listen();
    } catch (error) {
      sweeper.stop();
      throw error;
    }
    return { server, sweeper };
  }

  get #server(): GatewayServer | null {
    return this.#runs.running?.server ?? null;
  }

  get port(): number | null {
    return this.#server?.port ?? null;
  }

  get socksPort(): number | null {
    return this.#server?.socksPort ?? null;
  }

  get httpPort(): number | null {
    return this.#server?.httpPort ?? null;
  }

  get mixedPort(): number | null {
    return this.#server?.mixedPort ?? null;
  }

  get forwardPorts(): number[] {
    return this.#server?.forwardPorts ?? [];
  }

  dialer(group: string = DEFAULT_GROUP): Dialer {
    return async (target, signal) => {
      const server = this.#server;
      if (server === null) throw new NetError("unreachable", "the gateway does not run");
      return await routeDialer(server.gateway, group)(target, signal);
    };
  }

  start(): Promise<void> {
    return this.#runs.start();
  }

  stop(): Promise<void> {
    return this.#end((server) => server.stop());
  }

  drain(forMs: number = DRAIN_MS): Promise<void> {
    return this.#end((server) => server.drain(timerMs(forMs)));
  }

  #end(how: (server: GatewayServer) => Promise<void>): Promise<void> {
    return this.#runs.end(async ({ server, sweeper }) => {
      await how(server);
      sweeper.stop();
    });
  }

  isRunning(): boolean {
    return this.#server !== null;
  }

  agents(): AgentStats[] {
    return this.#parts.observer.agents();
  }

  getStats(): GatewayStats {
    return this.#parts.observer.stats();
  }

  metrics(): Promise<string> {
    return this.#parts.registry.metrics();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }
}
