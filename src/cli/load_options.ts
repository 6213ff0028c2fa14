import type { ClientCertificate } from "../net/dial.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { LoadClock } from "./load_clock.ts";

/** The HTTP versions that can carry a load. */
export type LoadHttp = "1.1" | "2" | "3";

/** Where a load goes, and whom it trusts there. */
export interface LoadTarget {
  url: string;
  http: LoadHttp;
  caCerts?: string[];
  /** Where those are from, for what is told of a certificate; `null` for none. */
  caFile?: string | null;
  certificateHashes?: Uint8Array[];
  /** Takes any certificate; not over HTTP/3. */
  insecure?: boolean;
  /** Who one comes as; not over HTTP/3. */
  clientCertificate?: ClientCertificate;
  /** The host that is asked for; default the URL's. */
  host?: string;
  protocols?: readonly string[];
  headers?: readonly Field[];
  /** Offers permessage-deflate. */
  deflate?: boolean;
}

/** What a load is. */
export interface LoadOptions extends LoadTarget {
  connections: number;
  /** WebSockets on each connection; over HTTP/1.1 each is a connection of its own. */
  streams: number;
  /** WebSockets that are opened in a second; 0 for as many as come. */
  connectRate?: number;
  /** How long a connection, and each WebSocket on it, may take to open; default 10 s. */
  openTimeoutMs?: number;
  /** Payload bytes of each message; with `maxSizeBytes` the fewest. */
  sizeBytes: number;
  maxSizeBytes?: number;
  text: boolean;
  /** How long a socket lives until it is closed and another opened in its place; 0: to the end. */
  sessionMs?: number;
  /** The same by messages; 0 for any number. */
  sessionMessages?: number;
  /** The next one gets a connection of its own too: `streams` is 1. */
  newConnections?: boolean;
  /** How long it is measured. */
  durationMs: number;
  /** How long before that messages go without being counted. */
  warmupMs?: number;
  /** Round trips after which it ends; 0 for no such end. */
  messages?: number;
  /** The open model: messages a second over all sockets; 0 for the closed model. */
  ratePerSecond: number;
  /** How long the rate grows from nothing; of the closed model, how long the sockets join in. */
  rampMs?: number;
  /** Of the closed model: the pause between an echo and the next message. */
  thinkMs?: number;
  /** Of the closed model: corrects its latency for coordinated omission; 0 for not. */
  expectedIntervalMs?: number;
  /** Between two Pings, each on another socket; 0 for none. */
  pingIntervalMs?: number;
  /** How long echoes are waited for at the end. */
  graceMs?: number;
  clock?: LoadClock;
  onProgress?: (now: Progress) => void;
  /** Ends it early. */
  signal?: AbortSignal;
}

/** How a load stands. Times are in microseconds, over all so far. */
export interface Progress {
  phase: "opening" | "warmup" | "running";
  /** Of the phase. */
  elapsedMs: number;
  sockets: number;
  wanted: number;
  roundTrips: number;
  bytesSent: number;
  bytesReceived: number;
  errors: number;
  latencyUs: { p50: number; p99: number; max: number };
}
