import { bytes, seconds, time, whole } from "./bench_format.ts";
import type { Progress } from "./load.ts";

/** Where a load goes and how long, for a view of it. */
export interface ViewOptions {
  readonly url: string;
  readonly http: string;
  readonly warmupMs: number;
  readonly durationMs: number;
  /** Of the terminal, as it is now; 0 where it does not say. */
  size(): { columns: number; rows: number };
  write(text: string): void;
}

/** What is seen of a load while it runs. */
export interface View {
  show(now: Progress): void;
  /** Leaves nothing behind that is not a whole line. */
  end(): void;
}

/** Nothing. */
export const noView: View = { show() {}, end() {} };

const BAR = 24;
const DEFAULT_COLUMNS = 80;

/**
 * One block of lines on a terminal, written over by the next in one piece, so that nothing flickers
 * (DEC mode 2026 for terminals that know it); gone at the end.
 */
export function liveView(options: ViewOptions): View {
  const rates = new Rates();
  let height = 0;
  const back = () => height === 0 ? "" : `\x1b[${height}A\r`;
  return {
    show(now) {
      const lines = block(now, rates.of(now), options);
      const text = lines.map((line) => `${line}\x1b[K\n`).join("");
      options.write(`\x1b[?2026h${back()}${text}\x1b[J\x1b[?2026l`);
      height = lines.length;
    },
    end() {
      if (height > 0) options.write(`${back()}\x1b[J`);
      height = 0;
    },
  };
}

interface Rate {
  roundTrips: number;
  bytesSent: number;
  bytesReceived: number;
}

/** What came in a second, since it was last looked at. */
class Rates {
  #last: Progress | null = null;

  of(now: Progress): Rate {
    const last = this.#last?.phase === now.phase ? this.#last : null;
    this.#last = now;
    const lastedMs = now.elapsedMs - (last?.elapsedMs ?? 0);
    const perSecond = (key: keyof Rate) =>
      lastedMs <= 0 ? 0 : (now[key] - (last?.[key] ?? 0)) * 1000 / lastedMs;
    return {
      roundTrips: perSecond("roundTrips"),
      bytesSent: perSecond("bytesSent"),
      bytesReceived: perSecond("bytesReceived"),
    };
  }
}

function block(now: Progress, rate: Rate, options: ViewOptions): string[] {
  const { url, http } = options;
  const { p50, p99, max } = now.latencyUs;
  const rows = [
    `${url} over HTTP/${http}`,
    `${now.phase.padEnd(12)} ${bar(now, options)}`,
    `sockets      ${whole(now.sockets)} of ${whole(now.wanted)}`,
    `round trips  ${whole(now.roundTrips)}, ${whole(rate.roundTrips)}/s`,
    `bytes        ${bytes(rate.bytesSent)}/s out, ${bytes(rate.bytesReceived)}/s in`,
    `latency      p50 ${time(p50)}  p99 ${time(p99)}  max ${time(max)}`,
    `errors       ${whole(now.errors)}`,
  ];
  // A block that is higher than the terminal could not be gone back over.
  const { columns, rows: height } = options.size();
  const shown = rows.slice(0, height > 1 ? height - 1 : rows.length);
  return shown.map((row) => cut(row, (columns > 0 ? columns : DEFAULT_COLUMNS) - 1));
}

function bar(now: Progress, options: ViewOptions): string {
  const { phase, elapsedMs } = now;
  if (phase === "opening") return seconds(elapsedMs);
  const wholeMs = phase === "warmup" ? options.warmupMs : options.durationMs;
  const done = Math.min(BAR, Math.floor(elapsedMs / wholeMs * BAR));
  return `${"█".repeat(done)}${"░".repeat(BAR - done)} ${seconds(elapsedMs)} of ` +
    seconds(wholeMs);
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

const LINE_EVERY_MS = 5_000;

/** A plain line every five seconds, for a file or a pipe. */
export function plainView(options: ViewOptions): View {
  const rates = new Rates();
  let phase: Progress["phase"] | null = null;
  let nextMs = LINE_EVERY_MS;
  return {
    show(now) {
      if (phase !== now.phase) nextMs = LINE_EVERY_MS;
      phase = now.phase;
      if (now.elapsedMs < nextMs) return;
      nextMs = now.elapsedMs + LINE_EVERY_MS;
      const { sockets, wanted, roundTrips, errors, latencyUs: { p50, p99 } } = now;
      const at = `${now.phase} ${seconds(now.elapsedMs)}`;
      const open = `${whole(sockets)} of ${whole(wanted)} sockets`;
      const told = now.phase !== "running"
        ? `${whole(errors)} errors`
        : `${whole(roundTrips)} round trips, ${whole(rates.of(now).roundTrips)}/s, p50 ` +
          `${time(p50)}, p99 ${time(p99)}, ${whole(errors)} errors`;
      options.write(`${at}: ${open}, ${told}\n`);
    },
    end() {},
  };
}
