import type { ByteStream } from "../net/byte_stream.ts";
import type { CancelSignal } from "../net/cancel.ts";
import { messageOf, NetError, toNetError } from "../net/error.ts";
import type { Sweeper, Swept } from "../net/sweeper.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { Linger } from "./linger.ts";

/** A side that nobody reads for so long is looked at, whether it is still there. */
const LOOK_AFTER_MS = 5_000;

/** How a relayed connection ended, and what went through it. */
export interface RelayEnd extends Readonly<Traffic> {
  /** Who ended it first: the side that asked, the side that was asked for, or we. */
  readonly by: "client" | "target" | "us";
  /** In words; `end of stream` where both sides ended theirs. */
  readonly reason: string;
}

/** Bytes of one connection so far: who carries them adds to it. */
export interface Traffic {
  bytesToTarget: number;
  bytesToClient: number;
}

/** One that can tell that it is over where nobody reads or writes it: behind its own end. */
interface Resettable extends ByteStream {
  onReset?: ((error: NetError) => void) | null;
}

/** When a relayed connection is idle. */
export interface IdleTimes {
  /** It ends when no byte went either way for so long; 0 for never. */
  idleTimeoutMs: number;
  /** What counts instead for as long as nothing came back from the target. */
  unansweredTimeoutMs?: number;
}

export interface RelayOptions {
  client: Resettable;
  target: Resettable;
  sweeper: Sweeper;
  idle: IdleTimes;
  /** Ends it; the reason is that of its abort, in words. */
  signal?: CancelSignal;
  /** Told of the bytes of each chunk before it goes on; a promise holds it up. */
  throttle?: (bytes: number) => Promise<void> | null;
  /** Counts what passes, from nothing on. */
  traffic?: Traffic;
  /** Told of what neither side can have thrown. */
  onBug?: (where: string, error: unknown) => void;
}

/** Carries bytes both ways until both sides have ended, or one is lost. Never rejects. */
export function relay(options: RelayOptions): Promise<RelayEnd> {
  return new Relay(options).run();
}

class Relay implements Swept {
  readonly #options: RelayOptions;
  #movedMs: number;
  /** Since when nobody reads a side, as the other one does not take what came; or it has ended. */
  readonly #unreadSinceMs = { client: Infinity, target: Infinity };
  #end: Pick<RelayEnd, "by" | "reason"> | null = null;
  /** What goes on with those that are held up. */
  #held: Set<() => void> | null = null;
  #firstFin: "client" | "target" | null = null;
  readonly #traffic: Traffic;
  #linger: Linger | null = null;
  /** Ways that have not ended. */
  #carrying = 2;
  #resolve: (end: RelayEnd) => void = () => {};

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#traffic = options.traffic ?? { bytesToTarget: 0, bytesToClient: 0 };
    this.#movedMs = performance.now();
  }

  run(): Promise<RelayEnd> {
    const { client, target, sweeper, signal } = this.#options;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    client.onReset = ({ message }) => this.#stop("client", message);
    target.onReset = ({ message }) => this.#stop("target", message);
    sweeper.add(this);
    if (signal?.aborted) this.#onAbort();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      void this.#carry("client");
      void this.#carry("target");
    });
  }

  readonly #onAbort = (): void => {
    this.#stop("us", messageOf(this.#options.signal?.reason ?? "aborted"));
  };

  /** One way has ended. */
  #carried(): void {
    if (--this.#carrying > 0) return;
    const { client, target, sweeper, signal } = this.#options;
    this.#linger?.clear();
    sweeper.delete(this);
    signal?.removeEventListener("abort", this.#onAbort);
    client.onReset = target.onReset = null;
    client.abort();
    target.abort();
    this.#resolve({
      ...(this.#end ?? { by: this.#firstFin ?? "us", reason: "end of stream" }),
      ...this.#traffic,
    });
  }

  /** What comes from one side goes to the other, to its FIN. Never rejects. */
  async #carry(from: "client" | "target"): Promise<void> {
    const { client, target, sweeper, throttle, idle } = this.#options;
    const source = from === "client" ? client : target;
    const sink = from === "client" ? target : client;
    let writing = false;
    try {
      for (;;) {
        const chunk = await source.read();
        if (chunk === null) break;
        const { length } = chunk;
        this.#unreadSinceMs[from] = sweeper.nowMs;
        if (from === "client") this.#traffic.bytesToTarget += length;
        else this.#traffic.bytesToClient += length;
        const held = throttle?.(length) ?? null;
        if (held !== null) await this.#hold(held);
        writing = true;
        await sink.write(chunk, source.headroom);
        writing = false;
        this.#unreadSinceMs[from] = Infinity;
        if (idle.idleTimeoutMs > 0) this.#movedMs = sweeper.nowMs;
      }
      this.#unreadSinceMs[from] = sweeper.nowMs;
      this.#firstFin ??= from;
      writing = true;
      await sink.closeWrite();
      if (source.endsBothWays) {
        this.#linger = new Linger(sink, sweeper, () => this.#stop(from, "end of stream"));
      }
    } catch (error) {
      const isPeers = error instanceof NetError || error instanceof PeerError;
      if (!isPeers) this.#options.onBug?.("tunnel relay", error);
      const other = from === "client" ? "target" : "client";
      this.#stop(writing ? other : from, toNetError(error).message);
    }
    this.#carried();
  }

  /** Until it may go on, or it is over. */
  async #hold(held: Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    (this.#held ??= new Set()).add(resolve);
    held.then(resolve, reject);
    try {
      await promise;
    } finally {
      this.#held?.delete(resolve);
    }
  }

  sweep(nowMs: number): void {
    const { idleTimeoutMs, unansweredTimeoutMs = idleTimeoutMs } = this.#options.idle;
    const isAnswered = this.#traffic.bytesToClient > 0;
    const mostMs = isAnswered ? idleTimeoutMs : unansweredTimeoutMs;
    if (mostMs > 0 && nowMs - this.#movedMs >= mostMs) {
      this.#stop("us", `idle for ${mostMs} ms`);
    }
    this.#look("client", nowMs);
    this.#look("target", nowMs);
  }

  /** RST is seen by who reads. What came before it is on its way for as long as it is taken. */
  #look(side: "client" | "target", nowMs: number): void {
    if (nowMs - this.#unreadSinceMs[side] < LOOK_AFTER_MS) return;
    if (this.#options[side].isLost?.()) this.#stop(side, "connection reset");
  }

  #stop(by: RelayEnd["by"], reason: string): void {
    if (this.#end !== null) return;
    this.#end = { by, reason };
    for (const resume of this.#held ?? []) resume();
    this.#options.client.abort(reason);
    this.#options.target.abort(reason);
  }
}
