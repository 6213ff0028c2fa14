import type { Registry } from "../observe/registry.ts";
import { gatewayKey } from "../config/file_tunnel_keys.ts";
import type { GatewayConfig } from "../config/gateway.ts";
import type { Dialer } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import { Sweeper } from "../net/sweeper.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { type CountingGatewayObserver, createGatewayObserver } from "../observe/gateway.ts";
import type { Log } from "../observe/log.ts";
import type { GatewayServer } from "../tunnel/gateway_server.ts";
import { routeDialer } from "../tunnel/route_dialer.ts";
import type { Watched } from "./file_watches.ts";
import { useUsers, watchedFiles } from "./gateway_files.ts";
import { gatewayFields, type GatewayParts, openGateway, readParts } from "./gateway_open.ts";

const SWEEP_MS = 250;

/** What it has in common with the proxy. */
interface Told {
  readonly log: Log;
  readonly observer: CountingGatewayObserver;
}

/** From its start to its end. */
interface Run extends Told {
  readonly server: GatewayServer;
  readonly sweeper: Sweeper;
}

/** The gateway in the process of a proxy: backends behind agents are dialled through it. */
export class ProxyGateway {
  readonly #config: GatewayConfig;
  readonly #parts: GatewayParts;
  #told: Told | null = null;
  #run: Run | null = null;

  private constructor(config: GatewayConfig, parts: GatewayParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Reads what its config names. Throws `UsageError`, `ConfigFileError` or `CommandError`. */
  static async read(config: GatewayConfig): Promise<ProxyGateway> {
    return new ProxyGateway(config, await readParts(config));
  }

  /** Connects through the agents of a group, once it is open. */
  readonly dialer = (group: string): Dialer => async (target, signal) => {
    if (this.#run === null) throw new NetError("unreachable", "the gateway is not open");
    return await routeDialer(this.#run.server.gateway, group)(target, signal);
  };

  /** From now on it counts, and writes lines. Called once, before `open`. */
  observe({ registry, log }: { registry: Registry; log: Log }): CountingGatewayObserver {
    const observer = createGatewayObserver({ registry, log });
    this.#told = { log, observer };
    return observer;
  }

  /**
   * Listens. Without a certificate of its own it has that of the proxy. Throws `CommandError` with
   * nothing left half started.
   */
  async open(pair: CertificatePair & { readonly certFile: string }): Promise<void> {
    const { files: { pair: own, clientCa }, users, cluster } = this.#parts;
    const { log, observer } = this.#told!;
    const sweeper = new Sweeper(SWEEP_MS);
    const config = { ...this.#config, certFile: this.#config.certFile ?? pair.certFile };
    const server = await openGateway(config, {
      ...{ pair: own ?? pair, users, cluster, clientCa, sweeper, observer, log },
      keyOf: gatewayKey,
    });
    this.#run = { ...this.#told!, server, sweeper };
    const { metrics: _, ...fields } = gatewayFields(config, { server, users, metrics: null });
    log.info("gateway.listening", fields);
  }

  /** Its files, but for the one that its section is in. */
  async watched(): Promise<Watched[]> {
    const { files, users } = this.#parts;
    const { server, log } = this.#run!;
    const configured = { config: this.#config, file: null };
    return await watchedFiles(configured, { files, users, server, log });
  }

  /** The proxy has another certificate now. */
  reload({ certPem, keyPem }: CertificatePair): void {
    if (this.#parts.files.pair === null) this.#run!.server.reload(certPem, keyPem);
  }

  /** Takes the users of what the file says now. Throws where that takes a restart. */
  use(next: GatewayConfig): void {
    useUsers(this.#config, next, { users: this.#parts.users, server: this.#run!.server });
  }

  /** Takes nothing new, and ends everything within the time that its section says. */
  async drain(): Promise<void> {
    const { server, sweeper, log } = this.#run!;
    const { drainMs: withinMs } = this.#config;
    const { connections, agents } = server.gateway;
    log.info("gateway.draining", { connections, agents: agents.list().length, withinMs });
    await server.drain(withinMs);
    sweeper.stop();
    log.info("gateway.stopped", {});
  }

  /** Ends everything that there is. */
  async stop(): Promise<void> {
    await this.#run?.server.stop();
    this.#run?.sweeper.stop();
  }
}
