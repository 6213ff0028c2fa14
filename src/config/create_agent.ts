import { randomUUID } from "node:crypto";
import { Registry } from "../observe/registry.ts";
import type { ClientCertificate } from "../net/dial.ts";
import { timerMs } from "../net/numbers.ts";
import { Sweeper } from "../net/sweeper.ts";
import {
  type AgentProcessStats,
  type CountingAgentObserver,
  createAgentObserver,
} from "../observe/agent.ts";
import { errorsAlone } from "../observe/library.ts";
import type { Log } from "../observe/log.ts";
import { type Login, TUNNEL_VERSION } from "../protocol/tunnel/auth.ts";
import { type AgentOptions, TunnelAgent } from "../tunnel/agent.ts";
import { agentDial } from "../tunnel/agent_dial.ts";
import { Reach } from "../tunnel/reach.ts";
import { type AgentConfig, MIN_DELAY_MS, readAgentConfig, STABLE_MS } from "./agent.ts";
import { addValue } from "./kinds.ts";
import { Runs } from "./runs.ts";
import { tunnelNumbers } from "./tunnel_numbers.ts";

/** What `createAgent` is told; all else is as in `h3ws agent`. */
export interface CreateAgentOptions {
  /** Where to, as `--gateway`: `wss://gw.example:8443`, `gw.example:8443`. */
  gateways: readonly string[];
  /** Who it is: a name and a password, or the token of a user; a certificate does without. */
  login?: { readonly name: string; readonly password: string } | { readonly token: string };
  /** Certificates in PEM that the gateway's may be signed by, beside the public ones. */
  caCerts?: string[];
  /** SHA-256 of certificates: the gateway must have one of them, whoever signed it. */
  certificateHashes?: Uint8Array[];
  /** A certificate that says who it is, over TCP. */
  clientCertificate?: ClientCertificate;
  /** Its name: of those with one name a gateway keeps the newest. Default one of its own. */
  id?: string;
  /** The agents that stand in for each other. Default the first of its user. */
  group?: string;
  /**
   * What it connects to, as `--allow`: names, `/regexps/`, addresses and ranges, each with `:port`
   * behind it or not. Default all but this machine, link-local and other special addresses.
   */
  allowed?: readonly string[];
  /** What it does not connect to, whatever is allowed, as `--forbid`. */
  forbidden?: readonly string[];
  /** The services that may be asked for, and nothing else, as `--service`: `web=localhost:8080`. */
  services?: readonly string[];
  /** Ports of the gateway that lead to services, as `--open-port`: `8080=localhost:80`. */
  openPorts?: readonly string[];
  /** What is tried, in this order. Default `["quic", "ws"]`. */
  transports?: readonly ("quic" | "ws" | "json")[];
  /** Links to each gateway. Default 1. */
  replicas?: number;
  /** Connections at once. Default 1000. */
  maxStreams?: number;
  /** How long connecting to a target may take, and each step to a gateway. Default 10 s. */
  connectTimeoutMs?: number;
  /** How long QUIC may take before the next transport is tried. Default 1.5 s. */
  quicTimeoutMs?: number;
  /** The longest wait before it connects again. Default 30 s. */
  maxDelayMs?: number;
  /** A connection ends when no byte went either way for so long; 0 for never. Default 2 h. */
  idleTimeoutMs?: number;
  /** What may be under way on one connection that its reader has not taken. Default 256 KiB. */
  windowBytes?: number;
  /** Where lines go. Default: errors alone, to the console. */
  log?: Log;
  /** Stops the agent, which then starts no more. */
  signal?: AbortSignal;
}

/** An agent that can be started and stopped, again and again. */
export interface ManagedAgent extends AsyncDisposable {
  /** Its name. */
  readonly id: string;
  /**
   * Resolves once a gateway has taken it; until then it is tried again and again, as it is whenever a
   * link is lost. Rejects with an `Error` while it runs, or starts, and when it is stopped meanwhile,
   * and with the reason of `signal` if that was aborted.
   */
  start(): Promise<void>;
  /** Ends everything at once; nothing happens where nothing runs. */
  stop(): Promise<void>;
  /** Takes nothing new, waits for connections to end within `forMs` (default 10 s), then stops. */
  drain(forMs?: number): Promise<void>;
  /** From the end of a start to that of a stop or drain. */
  isRunning(): boolean;
  /** What `/stats` of `h3ws agent` tells, over all starts: whether a link stands, and to whom. */
  getStats(): AgentProcessStats;
  /** What `/metrics` of `h3ws agent` tells, over all starts, in the text format of Prometheus. */
  metrics(): Promise<string>;
  /** Drains for 10 s at most. */
  [Symbol.asyncDispose](): Promise<void>;
}

const SWEEP_MS = 250;
const DRAIN_MS = 10_000;

/**
 * The private end of the reverse tunnel, which looks for no gateway yet: what it reaches, those who
 * come to its gateways reach. An example stands at `createGateway`.
 *
 * @throws {TypeError} for a number that is none, and without a gateway, or a word of who it is
 * @throws {UsageError} for a gateway, a host, a service or a port that is none
 */
export function createAgent(options: CreateAgentOptions): ManagedAgent {
  if (!Array.isArray(options.gateways)) {
    throw new TypeError("gateways: is missing; a list of wss://host:port");
  }
  if (options.gateways.length === 0) throw new TypeError("gateways: there is none");
  if (options.login === undefined && options.clientCertificate === undefined) {
    throw new TypeError("login or clientCertificate: one of them must be given");
  }
  const config = configOf(options);
  const { log = errorsAlone, id = `agent-${randomUUID()}` } = options;
  const registry = new Registry();
  const observer = createAgentObserver({ registry, log, clientId: id });
  return new Managed(tunnelOptions(config, { options, id }), {
    ...{ id, registry, observer, signal: options.signal },
  });
}

/** What is said by words is read as of flags. */
function configOf(options: CreateAgentOptions): AgentConfig {
  const { gateways, allowed, forbidden, services, openPorts, transports, id, group } = options;
  const all = (values: readonly string[] | undefined) =>
    values?.reduce((text, one) => addValue(one, text), "");
  const read = readAgentConfig({
    ...{ gateway: all(gateways), allow: all(allowed), forbid: all(forbidden), id, group },
    ...{ service: all(services), "open-port": all(openPorts), transport: all(transports) },
  });
  return { ...read, ...tunnelNumbers(options) };
}

type OfRun = "sweeper" | "observer";

function tunnelOptions(
  config: AgentConfig,
  { options, id }: { options: CreateAgentOptions; id: string },
): Omit<AgentOptions, OfRun> {
  const { allowed, forbidden, services, openPorts, group, maxStreams, connectTimeoutMs } = config;
  const { caCerts, certificateHashes, clientCertificate } = options;
  const reach = new Reach({
    // None at all is not the same as none said.
    allowed: options.allowed === undefined ? null : allowed,
    ...{ forbidden, services, openPorts },
  });
  return {
    ...config,
    ...{ caCerts, certificateHashes, clientCertificate },
    ...{ stableMs: STABLE_MS, minDelayMs: MIN_DELAY_MS },
    connect: agentDial({ reach, connectTimeoutMs }),
    auth: {
      ...{ version: TUNNEL_VERSION, clientId: id, login: loginOf(options), group },
      ...{ agent: "h3ws", openPorts, maxConns: maxStreams },
    },
  };
}

function loginOf({ login }: CreateAgentOptions): Login | null {
  if (login === undefined) return null;
  if ("token" in login) return { token: login.token };
  return { username: login.name, password: login.password };
}

interface Parts {
  readonly id: string;
  readonly registry: Registry;
  readonly observer: CountingAgentObserver;
  readonly signal: AbortSignal | undefined;
}

interface Running {
  readonly agent: TunnelAgent;
  readonly sweeper: Sweeper;
}

class Managed implements ManagedAgent {
  readonly id: string;
  readonly #options: Omit<AgentOptions, OfRun>;
  readonly #parts: Parts;
  readonly #runs: Runs<Running>;

  constructor(options: Omit<AgentOptions, OfRun>, parts: Parts) {
    this.id = parts.id;
    this.#options = options;
    this.#parts = parts;
    this.#runs = new Runs({
      name: "The agent",
      begin: (stop) => this.#begin(stop),
      abort: () => void this.stop().catch((error) => parts.observer.bug("stop", error)),
      signal: parts.signal,
    });
  }

  async #begin(stop: AbortSignal): Promise<Running> {
    const { observer } = this.#parts;
    const linked = Promise.withResolvers<void>();
    const sweeper = new Sweeper(SWEEP_MS);
    const agent = new TunnelAgent({
      ...this.#options,
      sweeper,
      observer: {
        ...observer,
        linked(...told) {
          observer.linked(...told);
          linked.resolve();
        },
      },
    });
    // Whether it was in time shows after it.
    stop.addEventListener("abort", () => linked.resolve(), { once: true });
    await linked.promise;
    return { agent, sweeper };
  }

  start(): Promise<void> {
    return this.#runs.start();
  }

  stop(): Promise<void> {
    return this.#end((agent) => agent.stop());
  }

  drain(forMs: number = DRAIN_MS): Promise<void> {
    return this.#end((agent) => agent.drain(timerMs(forMs)));
  }

  #end(how: (agent: TunnelAgent) => Promise<void>): Promise<void> {
    return this.#runs.end(async ({ agent, sweeper }) => {
      await how(agent);
      sweeper.stop();
    });
  }

  isRunning(): boolean {
    return this.#runs.running !== null;
  }

  getStats(): AgentProcessStats {
    return this.#parts.observer.stats();
  }

  metrics(): Promise<string> {
    return this.#parts.registry.metrics();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }
}
