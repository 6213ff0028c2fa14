import process from "node:process";
import { PREFIX, registerCounter, registerGauge } from "./metrics.ts";
import type { Registry } from "./registry.ts";

const MEMORY = {
  rss: "Bytes of memory that the process holds",
  heapUsed: "Bytes of the JavaScript heap in use",
  heapTotal: "Bytes of the JavaScript heap",
  external: "Bytes that JavaScript objects hold outside of the heap",
} as const satisfies Partial<Record<keyof Deno.MemoryUsage, string>>;

export interface RuntimeMetricsOptions {
  /** The version of h3ws. */
  version: string;
  /** What the names begin with; default `h3ws_proxy_`. */
  prefix?: string;
  /** The event loop's lag in seconds; without it there is no such metric. */
  eventLoopLag?: () => number;
}

/** Registers what the process itself uses: memory, CPU, event loop, and its version. */
export function registerRuntime(registry: Registry, options: RuntimeMetricsOptions): void {
  const { version, eventLoopLag, prefix = PREFIX } = options;
  for (const [key, help] of Object.entries(MEMORY) as [keyof typeof MEMORY, string][]) {
    const name = key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
    registerGauge(
      { registry, name: `${prefix}runtime_${name}_bytes`, help },
      () => [[{}, Deno.memoryUsage()[key]]],
    );
  }
  registerCounter({
    registry,
    name: `${prefix}runtime_cpu_seconds_total`,
    help: "CPU time of the process, user and system, over all threads",
  }, () => [[{}, cpuSeconds()]]);
  if (eventLoopLag) {
    registerGauge({
      registry,
      name: `${prefix}runtime_event_loop_lag_seconds`,
      help: "The longest delay of a timer in the last seconds",
    }, () => [[{}, eventLoopLag()]]);
  }
  registerGauge({
    registry,
    name: `${prefix}build_info`,
    help: "Always 1; the label tells the version",
    labelNames: ["version"],
  }, () => [[{ version }, 1]]);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
