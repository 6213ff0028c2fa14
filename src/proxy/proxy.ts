import { type Doors, listenDoors } from "../ingress/doors.ts";
import { timerMs } from "../net/numbers.ts";
import { Sweeper } from "../net/sweeper.ts";
import type { CmuxRoutes } from "./cmux_routes.ts";
import { Handler } from "./handler.ts";
import { makeCmux, makeRoutes } from "./make_routes.ts";
import type { CertificatePair, Proxy, ProxyOptions } from "./options.ts";
import type { Route } from "./route.ts";
import { closeForReload, MIN_SWEEP_MS, type Routes, sweepIntervalMs } from "./routes.ts";

/** Sessions get their Close within this part of a drain; the rest is for their answers. */
const DRAIN_SPREAD = 0.8;
/** Their deadlines are met this part of a drain late at most. */
const DRAIN_SWEEP = 0.05;
/** Over so long they get it in a drain without an end. */
const ENDLESS_MS = 30_000;

/** Resolves once it listens; rejects with `ListenError`, and then nothing is left. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const proxy = new ProxyServer(options);
  await proxy.listen();
  return proxy;
}

class ProxyServer implements Proxy {
  readonly #options: ProxyOptions;
  readonly #sweeper: Sweeper;
  readonly #routes: Routes;
  readonly #cmux: CmuxRoutes | null;
  readonly #handler: Handler;
  #listening: Doors | null = null;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#sweeper = new Sweeper(sweepIntervalMs(options));
    this.#routes = makeRoutes(options, this.#sweeper);
    this.#cmux = makeCmux(options, { sweeper: this.#sweeper, proxy: this });
    this.#handler = new Handler({
      ...options,
      cmux: this.#cmux,
      trustedProxies: options.trustedProxies ?? undefined,
      routes: this.#routes,
      sweeper: this.#sweeper,
      altSvc: (http) => this.#listening?.altSvc(http) ?? null,
    });
  }

  async listen(): Promise<void> {
    try {
      await listenDoors({
        ...this.#options,
        ...(this.#options.http2 === false && { alpnProtocols: ["http/1.1"] }),
        sweeper: this.#sweeper,
        onOffer: (offer) => this.#handler.take(offer),
      }, (doors) => this.#listening = doors);
    } catch (error) {
      this.#endSessions();
      this.#end();
      throw error;
    }
  }

  get #doors(): Doors {
    if (this.#listening === null) throw new Error("The proxy does not listen yet");
    return this.#listening;
  }

  get hostname(): string {
    return this.#doors.hostname;
  }

  get port(): number {
    return this.#doors.port;
  }

  get plainPort(): number | null {
    return this.#doors.plainPort;
  }

  get sessions(): number {
    return this.#handler.sessions;
  }

  get connections(): number {
    return this.#doors.connections;
  }

  reload(certPem: string, keyPem: string, others?: readonly CertificatePair[]): void {
    this.#doors.reload(certPem, keyPem, others);
  }

  reloadClientCa(clientCaPem: string): void {
    this.#doors.reloadClientCa(clientCaPem);
  }

  replaceRoutes(routes: readonly Route[]): void {
    for (const { sessions } of this.#routes.replace(routes)) {
      for (const session of sessions) closeForReload(session);
    }
  }

  async drain(forMs: number): Promise<void> {
    this.#handler.drain();
    const drained = this.#doors.drain();
    const nowMs = performance.now();
    const overMs = forMs === Infinity ? ENDLESS_MS : forMs;
    this.#sweeper.quicken(Math.max(MIN_SWEEP_MS, overMs * DRAIN_SWEEP));
    for (const session of this.#sessions()) {
      session.closeAt(nowMs + Math.random() * overMs * DRAIN_SPREAD);
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, timerMs(forMs)));
    await Promise.race([drained, late]);
    clearTimeout(timer);
    await this.stop();
  }

  *#sessions() {
    for (const { sessions } of this.#routes.live) yield* sessions;
    for (const { sessions } of this.#cmux?.live ?? []) yield* sessions;
  }

  async stop(): Promise<void> {
    // Before their connections end, for which the clients would be recorded.
    this.#endSessions();
    await this.#doors.stop();
    this.#end();
  }

  #endSessions(): void {
    this.#handler.drain();
    for (const session of this.#sessions()) session.stop();
  }

  #end(): void {
    this.#routes.stop();
    this.#cmux?.stop();
    this.#sweeper.stop();
  }
}
