import { parseTarget } from "../client/target.ts";
import { systemClock } from "./load_clock.ts";
import { Churn, Pace } from "./load_churn.ts";
import { faultText } from "./load_fault.ts";
import { closedLoop, openLoop, type Turn, type Work, WrongEcho } from "./load_loops.ts";
import { NoRoomInTime, OPEN_TIMEOUT_MS, openAll } from "./load_open.ts";
import type { LoadOptions, Progress } from "./load_options.ts";
import { makePayloads } from "./load_payload.ts";
import { Recorder } from "./load_recorder.ts";
import { type LoadReport, reportOf } from "./load_report.ts";
import { dueAfterMs, dueBefore, type Schedule } from "./load_schedule.ts";
import { LoadSockets, type Place } from "./load_sockets.ts";
import { intervalFor } from "./load_timeline.ts";

export type { LoadOptions, Progress } from "./load_options.ts";
export type { LoadReport } from "./load_report.ts";

const PROGRESS_MS = 500;

/** How long echoes are waited for at the end; less for somebody who asked to end it. */
const GRACE_MS = 5_000;
const STOPPED_GRACE_MS = 1_000;

/** Until the next try, where a socket could not be opened in the place of another. */
const RETRY_MS = 1_000;

/** What came of a load: its sums, and what they are of. */
export interface Loaded {
  readonly report: LoadReport;
  readonly recorder: Recorder;
}

/** Opens all sockets, sends and awaits echoes on each for `durationMs`, closes them, reports. */
export async function runLoad(options: LoadOptions): Promise<Loaded> {
  const load = new Load(options);
  try {
    await load.open();
    await load.run();
  } finally {
    await load.close();
  }
  return load.done();
}

class Load {
  readonly #options: LoadOptions;
  readonly #recorder: Recorder;
  readonly #clock;
  readonly #sockets: LoadSockets;
  readonly #churn: Churn;
  readonly #pace: Pace;
  readonly #startedAt = new Date();
  /** Fires when nothing more is to be sent, before its time. */
  readonly #stop = new AbortController();
  /** Fires when no WebSocket is to be opened any more. */
  readonly #opensNoMore = new AbortController();
  readonly #opening: AbortSignal;
  #phase: Progress["phase"] = "opening";
  #phaseMs: number;
  #taken = 0;
  #beginMs: number;
  /** When sending ended, by its time or before. */
  #sentMs = Infinity;
  #isOver = false;

  constructor(options: LoadOptions) {
    const { durationMs, expectedIntervalMs = 0, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#beginMs = this.#phaseMs = clock.now();
    this.#recorder = new Recorder({ intervalMs: intervalFor(durationMs), expectedIntervalMs });
    const ours = this.#opensNoMore.signal;
    this.#opening = options.signal === undefined ? ours : AbortSignal.any([ours, options.signal]);
    this.#churn = new Churn(options);
    this.#pace = new Pace(options.connectRate ?? 0, clock);
    this.#sockets = new LoadSockets({
      ...{ recorder: this.#recorder, clock, isAlone: options.http === "1.1" },
      onNone: () => {
        if (!this.#churn.isOn) this.#stop.abort();
      },
    });
  }

  async open(): Promise<void> {
    const progress = this.#reportProgress();
    const signal = this.#opening;
    try {
      await openAll({
        ...{ options: this.#options, recorder: this.#recorder, signal },
        pace: () => this.#pace.next(signal),
        opened: (socket, again) => this.#sockets.add(socket, again),
        connected: (client) => this.#sockets.connected(client),
        failed: (error, sockets) => {
          this.#recorder.sessions.failed += sockets;
          this.#failed(error, sockets);
        },
      });
    } finally {
      clearInterval(progress);
    }
  }

  #failed(error: unknown, times = 1): void {
    const { url, http, caFile, openTimeoutMs: timeoutMs = OPEN_TIMEOUT_MS } = this.#options;
    const context = { target: parseTarget(url), http, timeoutMs, caFile };
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
    const loops = this.#sockets.places.map((place, i) => this.#echo(place, work, i));
    const done = Promise.all(loops);
    try {
      await Promise.race([ending, done]);
      this.#sentMs = Math.min(endMs, this.#clock.now());
      // At a rate, what was due is to be sent still.
      if (this.#options.ratePerSecond === 0) this.#opensNoMore.abort();
      await this.#answered(done);
    } finally {
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
    const before = this.#recorder.counts.unanswered;
    this.#isOver = true;
    this.#opensNoMore.abort();
    for (const place of this.#sockets.places) this.#sockets.abort(place);
    await done;
    const unanswered = this.#recorder.counts.unanswered - before;
    const text = `no echo within ${graceMs / 1000} s of the end`;
    this.#recorder.failed(text, this.#endedMs, unanswered);
  }

  /** To wait for what never comes is no part of what is measured. */
  get #endedMs(): number {
    return Math.max(this.#sentMs, this.#recorder.lastEchoMs);
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

  async #echo(place: Place, work: Work, index: number): Promise<void> {
    const { ratePerSecond, rampMs = 0 } = this.#options;
    const step = this.#sockets.places.length;
    if (ratePerSecond === 0) {
      const joinsMs = Math.min(work.beginMs + rampMs * index / step, work.endMs);
      await this.#clock.sleep(joinsMs - this.#clock.now(), work.stop);
    }
    const turn = { schedule: this.#schedule, next: index, step };
    for (let n = 0;; n++) {
      await this.#session(place, this.#churn.session(work, { n, index, step }), turn);
      if (!this.#churn.isOn || !this.#goesOn(work, turn)) return;
      await this.#sockets.close(place);
      while (!await this.#renew(place)) {
        await this.#clock.sleep(RETRY_MS, this.#opening);
        if (!this.#goesOn(work, turn)) return;
      }
    }
  }

  /** Whether there is more to be sent in a place. */
  #goesOn({ beginMs, endMs }: Work, { schedule, next }: Turn): boolean {
    const { messages = 0 } = this.#options;
    if (this.#opening.aborted || (messages > 0 && this.#taken >= messages)) return false;
    const isOpen = schedule.ratePerSecond > 0;
    return (isOpen ? beginMs + dueAfterMs(next, schedule) : this.#clock.now()) < endMs;
  }

  async #session(place: Place, work: Work, turn: Turn): Promise<void> {
    const { ratePerSecond, thinkMs = 0 } = this.#options;
    try {
      if (ratePerSecond > 0) return await openLoop(place.socket, work, turn);
      await closedLoop(place.socket, work, thinkMs);
    } catch (error) {
      // How a socket has ended is told by its end.
      if (!(error instanceof WrongEcho) || this.#isOver) return;
      this.#failed(error);
      this.#sockets.abort(place);
    }
  }

  /** Whether another socket was opened. */
  async #renew(place: Place): Promise<boolean> {
    const signal = this.#opening;
    await this.#pace.next(signal);
    if (signal.aborted) return false;
    try {
      await this.#sockets.renew(place);
      return true;
    } catch (error) {
      if (!signal.aborted) {
        this.#recorder.sessions.failed++;
        this.#failed(error);
      }
      return false;
    }
  }

  /** One Ping each interval, on one socket after the other. */
  async #pingInTurn(): Promise<void> {
    const { pingIntervalMs = 0 } = this.#options;
    const { signal } = this.#stop;
    if (pingIntervalMs === 0) return;
    for (let i = 0; !signal.aborted; i++) {
      await this.#clock.sleep(pingIntervalMs, signal);
      if (signal.aborted || this.#clock.now() < this.#recorder.fromMs) continue;
      const { places } = this.#sockets;
      const { socket } = places[i % places.length];
      void socket.ping().then((ms) => this.#recorder.ping.record(ms), () => {});
    }
  }

  async close(): Promise<void> {
    this.#opensNoMore.abort();
    await this.#sockets.end();
  }

  done(): Loaded {
    const { signal, warmupMs = 0, messages = 0 } = this.#options;
    const wholeMs = warmupMs + this.#options.durationMs;
    const schedule = this.#schedule;
    const lasted = Math.min(wholeMs, this.#sentMs - this.#beginMs);
    const due = dueBefore(lasted, schedule) - dueBefore(Math.min(lasted, warmupMs), schedule);
    const isOpen = schedule.ratePerSecond > 0;
    const { places, connections, deflated } = this.#sockets;
    const report = reportOf(this.#options, this.#recorder, {
      ...{ startedAt: this.#startedAt, endedMs: this.#endedMs },
      ...{ sockets: places.length, connections, deflated },
      stoppedEarly: signal?.aborted ?? false,
      due: isOpen ? (messages > 0 ? Math.min(messages, due) : due) : null,
    });
    return { report, recorder: this.#recorder };
  }
}
