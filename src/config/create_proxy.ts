import type { Stats } from "../observe/counters.ts";
import { createMetricsObserver, errorsAlone, type MetricsObserver } from "../observe/library.ts";
import { guarded, type Listener, tellToo } from "../observe/told.ts";
import type { SessionEnd, SessionStart } from "../proxy/observer.ts";
import type { Proxy, ProxyOptions } from "../proxy/options.ts";
import { startProxy } from "../proxy/proxy.ts";
import { type CreateProxyOptions, createProxyOptions } from "./create_options.ts";
import { Runs } from "./runs.ts";

/** A proxy that can be started and stopped, again and again. */
export interface ManagedProxy extends AsyncDisposable {
  /** The address that it listens at; `null` while it does not run. */
  readonly address: string | null;
  /**
   * The port of `listen`, by UDP and TCP, or of `plainListen` where there is no other; `null` while
   * it does not run.
   */
  readonly port: number | null;
  /** The port in clear text; `null` for none, and while it does not run. */
  readonly plainPort: number | null;
  /**
   * What runs, for other certificates and routes while it does; `null` while nothing does. The next
   * start is with the options again.
   */
  readonly running: Proxy | null;
  /**
   * Resolves once it listens. Rejects with an `Error` while it runs, or starts, with `ListenError`
   * when a port can't be listened at, or a certificate not be used, and with the reason of `signal`
   * if that was aborted; then nothing is left.
   */
  start(): Promise<void>;
  /**
   * Ends everything at once; nothing happens where nothing runs. Its ports are free then; but a UDP
   * port that was any (0) only when Deno next collects garbage.
   */
  stop(): Promise<void>;
  /**
   * Takes nothing new, closes every session within `forMs` (default 10 s), then stops. With `Infinity`
   * each gets its Close within 30 s, and its answer is waited for.
   */
  drain(forMs?: number): Promise<void>;
  /** From the end of a start to that of a stop or drain. */
  isRunning(): boolean;
  /** What `/stats` of `h3ws proxy` tells, over all starts. */
  getStats(): Stats;
  /** What `/metrics` of `h3ws proxy` tells, over all starts, in the text format of Prometheus. */
  metrics(): Promise<string>;
  /** Drains for 10 s at most: as of a server of `serve`, and of `Deno.serve`, no peer is cut off. */
  [Symbol.asyncDispose](): Promise<void>;
}

const DRAIN_MS = 10_000;

/**
 * A proxy with metrics of its own, which does not listen yet. Any number of them may be in one
 * process.
 *
 * @throws {TypeError} for options that contradict each other, or a number that is none
 * @throws {UsageError} when `listen`, `plainListen`, `backend` or `path` is none
 */
export function createProxy(options: CreateProxyOptions): ManagedProxy {
  const counting = createMetricsObserver(options.log ?? errorsAlone);
  const hooked = tellToo(counting, hooksOf(options, counting), "hooks");
  const observer = tellToo(hooked, options.observer ?? {}, "observer");
  return new Managed(createProxyOptions(options, observer), counting, options.signal);
}

function hooksOf({ onOpen, onClose }: CreateProxyOptions, { bug }: MetricsObserver): Listener {
  if (onOpen === undefined && onClose === undefined) return {};
  const open = new Map<number, SessionStart>();
  const opened = guarded(onOpen ?? (() => {}), (error) => bug("onOpen", error));
  const closed = guarded(onClose ?? (() => {}), (error) => bug("onClose", error));
  return {
    sessionOpened(session) {
      open.set(session.id, session);
      opened(session);
    },
    sessionClosed(end: SessionEnd) {
      const session = open.get(end.id);
      open.delete(end.id);
      closed(session, end);
    },
  };
}

class Managed implements ManagedProxy {
  readonly #observer: MetricsObserver;
  readonly #runs: Runs<Proxy>;

  constructor(options: ProxyOptions, observer: MetricsObserver, signal: AbortSignal | undefined) {
    this.#observer = observer;
    this.#runs = new Runs({
      name: "The proxy",
      begin: () => startProxy(options),
      abort: () => void this.stop().catch((error) => observer.bug("stop", error)),
      signal,
    });
  }

  get running(): Proxy | null {
    return this.#runs.running;
  }

  get address(): string | null {
    return this.running?.hostname ?? null;
  }

  get port(): number | null {
    const { running } = this;
    return running === null ? null : running.port || running.plainPort;
  }

  get plainPort(): number | null {
    return this.running?.plainPort ?? null;
  }

  start(): Promise<void> {
    return this.#runs.start();
  }

  stop(): Promise<void> {
    return this.#runs.end((proxy) => proxy.stop());
  }

  drain(forMs: number = DRAIN_MS): Promise<void> {
    return this.#runs.end((proxy) => proxy.drain(forMs));
  }

  isRunning(): boolean {
    return this.running !== null;
  }

  getStats(): Stats {
    return this.#observer.stats();
  }

  metrics(): Promise<string> {
    return this.#observer.metrics();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }
}
