// A world for `reconnecting` whose connections, time and chance are in the hands of a test.
import { setImmediate } from "node:timers";
import { ReconnectingSocket } from "../../src/client/reconnecting.ts";
import type { Clock, ReconnectingOptions } from "../../src/client/reconnecting.ts";
import type { ConnectOptions } from "../../src/client/connect.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { NetError } from "../../src/net/error.ts";
import { socketPair } from "../endpoint/pair.ts";
import { within } from "../support/within.ts";

/** Time that passes when it is told to. */
export class TestClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; run: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How long until each timer, in order. */
  get waits(): number[] {
    return [...this.#timers].map(({ atMs }) => atMs - this.#nowMs).sort((a, b) => a - b);
  }

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.atMs - b.atMs)) {
      if (timer.atMs > this.#nowMs || !this.#timers.delete(timer)) continue;
      timer.run();
    }
    await settled();
  }
}

/** Lets all run that is ready, but no timer. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** One call of `connect`. */
export interface Attempt {
  readonly url: string;
  readonly options: ConnectOptions;
  /** It succeeds, with that socket or one of a pair; gives the server's side of the pair. */
  open(socket?: Socket): Promise<Socket>;
  fail(error?: unknown): Promise<void>;
}

export class World {
  readonly clock: TestClock = new TestClock();
  /** What the hooks were told. */
  readonly told: string[] = [];
  readonly socket: ReconnectingSocket;
  readonly #attempts: Attempt[] = [];
  #wake: () => void = () => {};
  #count = 0;

  constructor(options: ReconnectingOptions = {}) {
    this.socket = new ReconnectingSocket("ws://host.example/", {
      clock: this.clock,
      random: () => 1,
      connect: (url, options) => this.#connect(url, options!),
      onOpen: ({ http }, attempt) => this.told.push(`open ${http} ${attempt}`),
      onClose: ({ code }, delayMs) => this.told.push(`close ${code} ${delayMs}`),
      ...options,
    });
  }

  /** How often it was tried to connect. */
  get count(): number {
    return this.#count;
  }

  #connect(url: string | URL, options: ConnectOptions): Promise<Socket> {
    this.#count++;
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    options.signal!.addEventListener("abort", () => reject(new NetError("aborted", "given up")));
    this.#attempts.push({
      ...{ url: String(url), options },
      async open(socket) {
        const { client, server } = socketPair({});
        resolve(socket ?? client);
        await settled();
        return server;
      },
      async fail(error = new NetError("refused", "refused")) {
        reject(error);
        await settled();
      },
    });
    this.#wake();
    return promise;
  }

  /** The next attempt to connect. */
  async attempt(): Promise<Attempt> {
    while (this.#attempts.length === 0) {
      const called = new Promise<void>((resolve) => this.#wake = resolve);
      await within("an attempt to connect", called);
    }
    return this.#attempts.shift()!;
  }

  /** The server's side of the next attempt, which succeeds. */
  async open(): Promise<Socket> {
    return await (await this.attempt()).open();
  }

  /** Lets pass the wait before the next attempt, which succeeds. */
  async reopen(): Promise<Socket> {
    await settled();
    await this.clock.pass(this.clock.waits[0]);
    return await this.open();
  }
}
