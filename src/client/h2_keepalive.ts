import type { H2Driver } from "../ingress/h2_driver.ts";
import { NetError } from "../net/error.ts";
import { timerMs } from "../net/numbers.ts";

/** What is asked for by our PING; its answer is told by its coming. */
const PAYLOAD = new Uint8Array([0x68, 0x33, 0x77, 0x73, 2, 2, 2, 2]);
/** What the peer may do is paid for by time, which has to be told of. */
const TICK_MS = 5_000;

export interface KeepAliveOptions {
  /** Between two PINGs; 0 for none. */
  intervalMs: number;
  onDead: (error: NetError) => void;
}

/** RFC 9113 §6.7: finds out by PING whether the peer is still there. Keeps no process alive. */
export class KeepAlive {
  readonly #driver: H2Driver;
  readonly #options: KeepAliveOptions;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #isAsked = false;

  constructor(driver: H2Driver, options: KeepAliveOptions) {
    this.#driver = driver;
    this.#options = options;
    this.#tick();
    this.#every(TICK_MS, () => this.#tick());
    if (options.intervalMs > 0) this.#every(options.intervalMs, () => this.#ask());
  }

  #every(intervalMs: number, call: () => void): void {
    const timer = setInterval(call, timerMs(intervalMs));
    Deno.unrefTimer(timer);
    this.#timers.push(timer);
  }

  #tick(): void {
    this.#driver.h2.tick(performance.now());
  }

  #ask(): void {
    if (this.#isAsked) {
      const message = `no answer to PING within ${this.#options.intervalMs} ms`;
      return this.#options.onDead(new NetError("timeout", message));
    }
    this.#isAsked = true;
    this.#driver.h2.ping(PAYLOAD);
    this.#driver.flush();
  }

  pong(): void {
    this.#isAsked = false;
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}
