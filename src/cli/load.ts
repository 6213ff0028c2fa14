import { build, type Histogram } from "hdr-histogram-js";
import { connectWebSocket, UpgradeRefused } from "../client/connect.ts";
import { H3Client } from "../client/h3_client.ts";
import type { Message, Socket } from "../endpoint/socket.ts";
import { messageOf, NetError } from "../net/error.ts";

export interface LoadOptions {
  url: string;
  http: "1.1" | "3";
  connections: number;
  /** WebSockets on each connection; over HTTP/1.1 each is a connection of its own. */
  streams: number;
  /** Payload bytes of each message. */
  sizeBytes: number;
  durationMs: number;
  /** Round trips a second over all sockets; 0 for as many as come. */
  ratePerSecond: number;
  text: boolean;
  protocols?: string[];
  caCerts?: string[];
  certificateHashes?: Uint8Array[];
  insecure?: boolean;
  onProgress?: (now: Progress) => void;
  signal?: AbortSignal;
}

export interface Progress {
  elapsedMs: number;
  sockets: number;
  roundTrips: number;
  errors: number;
}

/** Times are in microseconds. */
export interface LoadReport {
  url: string;
  http: string;
  sockets: number;
  sizeBytes: number;
  seconds: number;
  roundTrips: number;
  roundTripsPerSecond: number;
  /** 10^6 bytes of payload a second, each way. */
  megabytesPerSecond: number;
  latencyUs: { p50: number; p90: number; p99: number; p999: number; max: number };
  connectUs: { p50: number; p90: number; p99: number; p999: number; max: number };
  errors: number;
  errorTexts: Record<string, number>;
}

const PROGRESS_MS = 500;
const MAX_ERROR_TEXTS = 16;

/** How long one connection, and one WebSocket on it, may take to open. */
const OPEN_TIMEOUT_MS = 10_000;

/** Sockets that are opened at the same time. */
const OPENING = 32;

/** Opens all sockets, sends and awaits echoes on each for `durationMs`, closes them, reports. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const load = new Load(options);
  await load.open();
  try {
    return await load.run();
  } finally {
    await load.close();
  }
}

class Load {
  readonly #options: LoadOptions;
  readonly #latency = histogram();
  readonly #connect = histogram();
  readonly #sockets: Socket[] = [];
  readonly #clients: H3Client[] = [];
  readonly #errorTexts: Record<string, number> = {};
  #errors = 0;
  #roundTrips = 0;
  #stopping = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { connections } = this.#options;
    let next = 0;
    const open = async () => {
      while (next < connections && !this.#options.signal?.aborted) {
        next++;
        await this.#openConnection();
      }
    };
    await Promise.all(Array.from({ length: Math.min(OPENING, connections) }, open));
  }

  async #openConnection(): Promise<void> {
    const { http, streams, signal } = this.#options;
    let client: H3Client | undefined;
    try {
      if (http === "3") client = await this.#connectQuic();
    } catch (error) {
      if (!signal?.aborted) this.#failed(error);
      return;
    }
    for (let i = 0; i < streams && !signal?.aborted; i++) {
      if (await this.#openSocket(client) || client === undefined) continue;
      // What one connection has no room for, or no life, it has none for in ten seconds more.
      return this.#failed(noAnswer(i === 0 ? "" : `, ${full(i)}`), streams - i);
    }
  }

  async #connectQuic(): Promise<H3Client> {
    const { url, caCerts, certificateHashes, signal } = this.#options;
    const { hostname, port } = new URL(url);
    const timeout = AbortSignal.timeout(OPEN_TIMEOUT_MS);
    try {
      const client = await H3Client.connect({
        hostname: hostname.replace(/^\[|\]$/g, ""),
        port: Number(port || 443),
        caCerts,
        certificateHashes,
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      });
      this.#clients.push(client);
      return client;
    } catch (error) {
      throw timeout.aborted ? noAnswer() : error;
    }
  }

  /** Gives whether there was an answer, of whatever kind. */
  async #openSocket(connection: H3Client | undefined): Promise<boolean> {
    const { url, http, caCerts, insecure, protocols, signal } = this.#options;
    const startedMs = performance.now();
    try {
      const socket = await connectWebSocket(url, {
        httpVersion: http,
        connection,
        caCerts,
        insecure,
        protocols,
        signal,
        timeoutMs: OPEN_TIMEOUT_MS,
      });
      this.#connect.recordValue(microseconds(startedMs));
      this.#sockets.push(socket);
    } catch (error) {
      if (signal?.aborted) return true;
      const timedOut = error instanceof NetError && error.kind === "timeout";
      if (timedOut && connection !== undefined) return false;
      this.#failed(timedOut ? noAnswer() : error);
    }
    return true;
  }

  async run(): Promise<LoadReport> {
    const { durationMs, onProgress, signal } = this.#options;
    const startedMs = performance.now();
    const stop = () => this.#stopping = true;
    const timer = setTimeout(stop, durationMs);
    signal?.addEventListener("abort", stop, { once: true });
    const progress = onProgress === undefined ? undefined : setInterval(() =>
      onProgress({
        elapsedMs: performance.now() - startedMs,
        sockets: this.#sockets.length,
        roundTrips: this.#roundTrips,
        errors: this.#errors,
      }), PROGRESS_MS);
    await Promise.all(this.#sockets.map((socket, i) => this.#echo(socket, i)));
    clearTimeout(timer);
    clearInterval(progress);
    return this.#report((performance.now() - startedMs) / 1000);
  }

  async #echo(socket: Socket, index: number): Promise<void> {
    const { ratePerSecond, sizeBytes, text } = this.#options;
    const payload = makePayload(sizeBytes, text);
    const everyMs = ratePerSecond > 0 ? 1000 * this.#sockets.length / ratePerSecond : 0;
    let dueMs = performance.now() + everyMs * index / this.#sockets.length;
    try {
      while (!this.#stopping) {
        if (everyMs > 0) {
          await until(dueMs);
          if (this.#stopping) return;
        }
        // With a rate, what the peer's slowness delays counts as its latency.
        const sentMs = everyMs > 0 ? dueMs : performance.now();
        dueMs += everyMs;
        await socket.send(payload);
        const echo = await socket.receive();
        if (echo === null) throw new Error(await endText(socket));
        if (echo.length !== payload.length) throw new Error("the echo differs from what was sent");
        this.#latency.recordValue(microseconds(sentMs));
        this.#roundTrips++;
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown, times = 1): void {
    this.#errors += times;
    const text = textOf(error);
    if (text in this.#errorTexts || Object.keys(this.#errorTexts).length < MAX_ERROR_TEXTS) {
      this.#errorTexts[text] = (this.#errorTexts[text] ?? 0) + times;
    }
  }

  #report(seconds: number): LoadReport {
    const { url, http, sizeBytes } = this.#options;
    return {
      url,
      http,
      sockets: this.#sockets.length,
      sizeBytes,
      seconds,
      roundTrips: this.#roundTrips,
      roundTripsPerSecond: this.#roundTrips / seconds,
      megabytesPerSecond: this.#roundTrips * sizeBytes / 1e6 / seconds,
      latencyUs: percentiles(this.#latency),
      connectUs: percentiles(this.#connect),
      errors: this.#errors,
      errorTexts: this.#errorTexts,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.close()));
    for (const client of this.#clients) client.close();
    // The process may end now, and the servers are to know that their peers are gone.
    await Promise.all(this.#clients.map((client) => client.closed));
  }
}

function noAnswer(where = ""): NetError {
  return new NetError("timeout", `no answer within ${OPEN_TIMEOUT_MS / 1000} s${where}`);
}

/** Why there may be no answer (RFC 9000 §4.6): the client waits until it may open a stream. */
const full = (sockets: number) =>
  `with ${sockets} WebSockets open on the connection; if the server takes no more on one, ` +
  `--connections gives more`;

/** The report names the URL once, for all of them. */
function textOf(error: unknown): string {
  return error instanceof UpgradeRefused ? `the server answered ${error.status}` : messageOf(error);
}

function histogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 3_600_000_000,
    numberOfSignificantValueDigits: 3,
  });
}

function percentiles(h: Histogram) {
  if (h.totalCount === 0) return { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  // The histogram gives the upper end of a value's bucket, which may be above the largest value.
  const at = (percentile: number) => Math.min(h.getValueAtPercentile(percentile), h.maxValue);
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: h.maxValue };
}

function microseconds(sinceMs: number): number {
  return Math.max(1, Math.round((performance.now() - sinceMs) * 1000));
}

function makePayload(sizeBytes: number, text: boolean): Message {
  if (text) return "x".repeat(sizeBytes);
  const payload = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) payload[i] = i;
  return payload;
}

async function until(atMs: number): Promise<void> {
  const waitMs = atMs - performance.now();
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
}

async function endText(socket: Socket): Promise<string> {
  const { code, reason } = await socket.closed;
  return `closed with ${code}${reason === "" ? "" : ` ${reason}`}`;
}
