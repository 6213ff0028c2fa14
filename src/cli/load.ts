import { parseTarget } from "../client/target.ts";
import type { Socket, SocketEnd } from "../endpoint/socket.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { systemClock } from "./load_clock.ts";
import { faultText } from "./load_fault.ts";
import { closedLoop, openLoop, type Work, WrongEcho } from "./load_loops.ts";
import { type Client, NoRoomInTime, OPEN_TIMEOUT_MS, openAll } from "./load_open.ts";
import type { LoadOptions, Progress } from "./load_options.ts";
import { makePayloads } from "./load_payload.ts";
import { Recorder } from "./load_recorder.ts";
import { type LoadReport, reportOf } from "./load_report.ts";
import { dueBefore, type Schedule } from "./load_schedule.ts";
import { intervalFor } from "./load_timeline.ts";

export type { LoadOptions, Progress } from "./load_options.ts";
export type { LoadReport } from "./load_report.ts";

const PROGRESS_MS = 500;

/** How long echoes are waited for at the end; less for somebody who asked to end it. */
const GRACE_MS = 5_000;
const STOPPED_GRACE_MS = 1_000;

/** Opens all sockets, sends and awaits echoes on each for `durationMs`, closes them, reports. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const load = new Load(options);
  try {
    await load.open();
    await load.run();
  } finally {
    await load.close();
  }
  return load.report();
}

class Load {
  readonly #options: LoadOptions;
  readonly #recorder: Recorder;
  readonly #clock;
  readonly #sockets: Socket[] = [];
  readonly #clients: Client[] = [];
  readonly #endedByUs = new Set<Socket>();
  readonly #startedAt = new Date();
  /** Fires when nothing more is to be sent, before its time. */
  readonly #stop = new AbortController();
  #phase: Progress["phase"] = "opening";
  #phaseMs: number;
  #connections = 0;
  #deflated = 0;
  #taken = 0;
  #beginMs: number;
  #endedMs = 0;
  /** When sending ended, by its time or before. */
  #sentMs = Infinity;
  #isOver = false;

  constructor(options: LoadOptions) {
    const { durationMs, expectedIntervalMs = 0, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#beginMs = this.#phaseMs = clock.now();
    this.#recorder = new Recorder({ intervalMs: intervalFor(durationMs), expectedIntervalMs });
  }

  async open(): Promise<void> {
    const progress = this.#reportProgress();
    const { connectRate = 0, signal = new AbortController().signal } = this.#options;
    let asked = 0;
    const pace = () => {
      const dueMs = connectRate > 0 ? this.#phaseMs + asked++ * 1000 / connectRate : 0;
      return this.#clock.sleep(dueMs - this.#clock.now(), signal);
    };
    try {
      await openAll({
        ...{ options: this.#options, recorder: this.#recorder, signal, pace },
        opened: (socket) => this.#opened(socket),
        connected: (client) => {
          this.#clients.push(client);
          this.#connections++;
        },
        failed: (error, sockets) => {
          this.#recorder.sessions.failed += sockets;
          this.#failed(error, sockets);
        },
      });
    } finally {
      clearInterval(progress);
    }
  }

  #opened(socket: Socket): void {
    const openedMs = this.#clock.now();
    this.#sockets.push(socket);
    this.#recorder.sessions.opened++;
    if (this.#options.http === "1.1") this.#connections++;
    if (socket.extensions.includes("permessage-deflate")) this.#deflated++;
    void socket.closed.then((end) => {
      const nowMs = this.#clock.now();
      if (this.#isOurs(socket, end)) this.#recorder.closed(nowMs - openedMs);
      else this.#recorder.lost(end, nowMs - openedMs, nowMs);
      if (this.#recorder.open === 0) this.#stop.abort();
    });
  }

  /** Whether a session ended as it should: it may have been lost just before we ended it. */
  #isOurs(socket: Socket, { by, code, wasClean }: SocketEnd): boolean {
    if (by !== "us" || !this.#endedByUs.has(socket)) return false;
    // What breaks a rule is ended by us as well, with another code.
    return wasClean || code === CloseCode.ABNORMAL_CLOSURE;
  }

  #failed(error: unknown, times = 1): void {
    const { url, http, caFile } = this.#options;
    const context = { target: parseTarget(url), http, timeoutMs: OPEN_TIMEOUT_MS, caFile };
    const text = error instanceof NoRoomInTime ? error.message : faultText(error, context);
    this.#recorder.failed(text, this.#clock.now(), times);
  }

  #reportProgress(): ReturnType<typeof setInterval> | undefined {
    const { onProgress, connections, streams } = this.#options;
    if (onProgress === undefined) return undefined;
    const { latency, counts } = this.#recorder;
    return setInterval(() => {
      const nowMs = this.#clock.now();
      if (this.#phase === "warmup" && nowMs >= this.#recorder.fromMs) {
        this.#phase = "running";
        this.#phaseMs = this.#recorder.fromMs;
      }
      const { bytesSent, bytesReceived, roundTrips, errors } = counts;
      onProgress({
        phase: this.#phase,
        elapsedMs: nowMs - this.#phaseMs,
        sockets: this.#recorder.open,
        wanted: connections * streams,
        ...{ roundTrips, errors, bytesSent, bytesReceived },
        latencyUs: { p50: latency.at(50), p99: latency.at(99), max: latency.at(100) },
      });
    }, PROGRESS_MS);
  }

  async run(): Promise<void> {
    const { warmupMs = 0, durationMs, signal } = this.#options;
    this.#beginMs = this.#phaseMs = this.#clock.now();
    this.#phase = warmupMs > 0 ? "warmup" : "running";
    this.#recorder.begin(this.#beginMs + warmupMs);
    const endMs = this.#beginMs + warmupMs + durationMs;
    const stop = () => this.#stop.abort();
    if (signal?.aborted || this.#recorder.open === 0) stop();
    signal?.addEventListener("abort", stop, { once: true });
    const progress = this.#reportProgress();
    const pinging = this.#pingInTurn();
    // What was due before the end is still sent after it, if it was held back.
    const ending = this.#clock.sleep(endMs - this.#clock.now(), this.#stop.signal);
    const work = this.#work(endMs);
    const loops = this.#sockets.map((socket, i) => this.#echo(socket, work, i));
    const done = Promise.all(loops);
    try {
      await Promise.race([ending, done]);
      this.#sentMs = Math.min(endMs, this.#clock.now());
      await this.#answered(done);
    } finally {
      this.#endedMs = this.#clock.now();
      stop();
      signal?.removeEventListener("abort", stop);
      clearInterval(progress);
      await pinging;
    }
  }

  /** Waits for the echoes of what was sent, but not for ever. */
  async #answered(done: Promise<unknown>): Promise<void> {
    const { signal, graceMs = signal?.aborted ? STOPPED_GRACE_MS : GRACE_MS } = this.#options;
    const over = new AbortController();
    const late = this.#clock.sleep(graceMs, over.signal).then(() => "late" as const);
    const outcome = await Promise.race([done, late]);
    over.abort();
    if (outcome !== "late") return;
    this.#endedMs = this.#clock.now();
    const before = this.#recorder.counts.unanswered;
    this.#isOver = true;
    for (const socket of this.#sockets) this.#abort(socket);
    await done;
    const unanswered = this.#recorder.counts.unanswered - before;
    const text = `no echo within ${graceMs / 1000} s of the end`;
    this.#recorder.failed(text, this.#endedMs, unanswered);
  }

  #work(endMs: number): Work {
    const { sizeBytes, maxSizeBytes = sizeBytes, text, messages = 0 } = this.#options;
    return {
      clock: this.#clock,
      recorder: this.#recorder,
      payloads: makePayloads({ minBytes: sizeBytes, maxBytes: maxSizeBytes, text }),
      beginMs: this.#beginMs,
      endMs,
      stop: this.#stop.signal,
      take: () => {
        // The warmup takes nothing of them.
        if (messages === 0 || this.#clock.now() < this.#recorder.fromMs) return true;
        return this.#taken++ < messages;
      },
    };
  }

  get #schedule(): Schedule {
    const { ratePerSecond, rampMs = 0 } = this.#options;
    return { ratePerSecond, rampMs };
  }

  async #echo(socket: Socket, work: Work, index: number): Promise<void> {
    const { ratePerSecond, rampMs = 0, thinkMs = 0 } = this.#options;
    const step = this.#sockets.length;
    try {
      if (ratePerSecond > 0) {
        return await openLoop(socket, work, { schedule: this.#schedule, first: index, step });
      }
      const joinsMs = Math.min(work.beginMs + rampMs * index / step, work.endMs);
      await this.#clock.sleep(joinsMs - this.#clock.now(), work.stop);
      await closedLoop(socket, work, thinkMs);
    } catch (error) {
      // How a socket has ended is told by its end.
      if (!(error instanceof WrongEcho) || this.#isOver) return;
      this.#failed(error);
      this.#abort(socket);
    }
  }

  #abort(socket: Socket): void {
    this.#endedByUs.add(socket);
    socket.abort();
  }

  /** One Ping each interval, on one socket after the other. */
  async #pingInTurn(): Promise<void> {
    const { pingIntervalMs = 0 } = this.#options;
    const { signal } = this.#stop;
    if (pingIntervalMs === 0) return;
    for (let i = 0; !signal.aborted; i++) {
      await this.#clock.sleep(pingIntervalMs, signal);
      if (signal.aborted || this.#clock.now() < this.#recorder.fromMs) continue;
      const socket = this.#sockets[i % this.#sockets.length];
      void socket.ping().then((ms) => this.#recorder.ping.record(ms), () => {});
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => {
      this.#endedByUs.add(socket);
      return socket.close();
    }));
    for (const client of this.#clients) client.close();
    // The process may end now, and the servers are to know that their peers are gone.
    await Promise.all(this.#clients.map((client) => client.closed));
  }

  report(): LoadReport {
    const { signal, warmupMs = 0, messages = 0 } = this.#options;
    const wholeMs = warmupMs + this.#options.durationMs;
    const schedule = this.#schedule;
    const lasted = Math.min(wholeMs, this.#sentMs - this.#beginMs);
    const due = dueBefore(lasted, schedule) - dueBefore(Math.min(lasted, warmupMs), schedule);
    const isOpen = schedule.ratePerSecond > 0;
    return reportOf(this.#options, this.#recorder, {
      startedAt: this.#startedAt,
      endedMs: this.#endedMs,
      connections: this.#connections,
      deflated: this.#deflated,
      stoppedEarly: signal?.aborted ?? false,
      due: isOpen ? (messages > 0 ? Math.min(messages, due) : due) : null,
    });
  }
}
