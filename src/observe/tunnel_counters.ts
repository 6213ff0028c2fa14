import { Buckets, doubling } from "./buckets.ts";
import type { RelayEnd, Traffic } from "../tunnel/relay.ts";

const DIAL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DURATION_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
const CONNECTION_BYTES = doubling(512, 19);

/** What is counted of connections through a tunnel: of all of them, or of those of one agent. */
export class Passed {
  active = 0;
  total = 0;
  /** Those that did not come to be, and those that broke. */
  errors = 0;
  refused = 0;
  /** Of those that have ended. */
  bytesToTarget = 0;
  bytesToClient = 0;
  readonly #open = new Set<Readonly<Traffic>>();

  /** Bytes both of those that have ended and of those that are open. */
  get bytes(): Traffic {
    const sum = { bytesToTarget: this.bytesToTarget, bytesToClient: this.bytesToClient };
    for (const { bytesToTarget, bytesToClient } of this.#open) {
      sum.bytesToTarget += bytesToTarget;
      sum.bytesToClient += bytesToClient;
    }
    return sum;
  }

  opened(traffic: Readonly<Traffic>): void {
    this.active++;
    this.total++;
    this.#open.add(traffic);
  }

  refuse(): void {
    this.refused++;
    this.errors++;
  }

  closed(traffic: Readonly<Traffic>, end: RelayEnd): void {
    this.active--;
    this.#open.delete(traffic);
    this.bytesToTarget += end.bytesToTarget;
    this.bytesToClient += end.bytesToClient;
    if (isBroken(end)) this.errors++;
  }

  /** The same by the names that AnyProxy has for it. */
  stats(): PassedStats {
    const { active, total, errors, refused, bytes } = this;
    const asked = total + refused;
    return {
      active_connections: active,
      total_connections: total,
      bytes_sent: bytes.bytesToTarget,
      bytes_received: bytes.bytesToClient,
      error_count: errors,
      success_rate: asked === 0 ? 1 : total / asked,
    };
  }
}

/** Whether it did not end as its two sides wished. */
function isBroken({ by, reason }: RelayEnd): boolean {
  return by !== "us" && reason !== "end of stream";
}

/** What `/stats` and `/agents` tell of connections. */
export interface PassedStats {
  /** Open now. */
  active_connections: number;
  /** Opened since the start. */
  total_connections: number;
  /** To targets. */
  bytes_sent: number;
  /** From targets. */
  bytes_received: number;
  /** Connections that were asked for and did not come to be, and those that broke. */
  error_count: number;
  /** Opened of those that were asked for, from 0 to 1; 1 where none was. */
  success_rate: number;
}

/** What a gateway and an agent both count. */
export class TunnelCounters {
  readonly passed: Passed = new Passed();
  /** By the name of the code. */
  readonly refused: Record<string, number>;
  readonly closes: Record<RelayEnd["by"], number> = { client: 0, target: 0, us: 0 };
  readonly dialSeconds: Buckets = new Buckets(DIAL_SECONDS);
  readonly durationSeconds: Buckets = new Buckets(DURATION_SECONDS);
  readonly connectionBytesToTarget: Buckets = new Buckets(CONNECTION_BYTES);
  readonly connectionBytesToClient: Buckets = new Buckets(CONNECTION_BYTES);
  readonly #traffic = new Map<number, Traffic>();
  readonly #asked = new Set<number>();

  /** @param codes names of why connections are refused */
  constructor(codes: readonly string[]) {
    this.refused = Object.fromEntries(codes.map((code) => [code, 0]));
  }

  /** Where the bytes of an open connection are counted. */
  traffic(id: number): Traffic {
    return this.#traffic.get(id) ?? { bytesToTarget: 0, bytesToClient: 0 };
  }

  /** Connections that are asked for, and neither open nor refused yet. */
  get opening(): number {
    return this.#asked.size;
  }

  asked(id: number): void {
    this.#asked.add(id);
  }

  opened(id: number, dialMs: number): Traffic {
    this.#asked.delete(id);
    const traffic = { bytesToTarget: 0, bytesToClient: 0 };
    this.#traffic.set(id, traffic);
    this.passed.opened(traffic);
    this.dialSeconds.observe(dialMs / 1000);
    return traffic;
  }

  refuse(id: number, code: string): void {
    this.#asked.delete(id);
    this.passed.refuse();
    this.refused[code]++;
  }

  closed(id: number, end: RelayEnd & { durationMs: number }): Traffic {
    const traffic = this.traffic(id);
    this.#traffic.delete(id);
    this.passed.closed(traffic, end);
    this.closes[end.by]++;
    this.durationSeconds.observe(end.durationMs / 1000);
    this.connectionBytesToTarget.observe(end.bytesToTarget);
    this.connectionBytesToClient.observe(end.bytesToClient);
    return traffic;
  }
}
