// A pool, and a backend that is scripted byte by byte.
import assert from "node:assert/strict";
import {
  H1Pool,
  type H1PoolOptions,
  type H1Response,
  type RequestControl,
} from "../../src/client/h1_pool.ts";
import type { Content } from "../../src/ingress/offer.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { RawBackend } from "../support/backend.ts";
import { fromLatin1, latin1 } from "../support/inbox.ts";
import { until } from "../support/until.ts";

export const SWEEP_MS = 20;

export function poolOptions(port: number, sweeper: Sweeper): H1PoolOptions {
  return {
    dial: { hostname: "127.0.0.1", port },
    maxConnections: 8,
    maxIdle: 8,
    idleTimeoutMs: 60_000,
    dialTimeoutMs: 10_000,
    waitTimeoutMs: 10_000,
    answerTimeoutMs: 20_000,
    contentTimeoutMs: 20_000,
    writeTimeoutMs: 20_000,
    maxHeaderBytes: 16_384,
    sweeper,
  };
}

export interface Setup {
  readonly backend: RawBackend;
  readonly pool: H1Pool;
  readonly sweeper: Sweeper;
}

/** Runs `test`, and checks that nothing is left of it. */
export async function withPool(
  options: Partial<H1PoolOptions>,
  test: (setup: Setup) => Promise<void>,
): Promise<void> {
  const backend = await RawBackend.listen();
  const sweeper = new Sweeper(SWEEP_MS);
  const pool = new H1Pool({ ...poolOptions(backend.port, sweeper), ...options });
  try {
    await test({ backend, pool, sweeper });
    pool.close();
    await until("all connections of the pool to be dropped", () => pool.connections === 0, 5_000);
    assert.equal(sweeper.size, 0, "something is still swept");
  } finally {
    pool.close();
    sweeper.stop();
    await backend.close();
  }
}

export interface Ask extends Partial<RequestControl> {
  method?: string;
  target?: string;
  fields?: readonly Field[];
  content?: Content | null;
}

export function ask(pool: H1Pool, asked: Ask = {}): Promise<H1Response> {
  const { method = "GET", target = "/", fields = [["host", "a.example"]], content = null } = asked;
  const signal = new AbortController().signal;
  return pool.request({ method, target, fields }, content, { signal, ...asked });
}

/** All that comes, as latin1. */
export async function textOf(response: { content: Content | null }): Promise<string> {
  let text = "";
  const { content } = response;
  if (content === null) return "";
  for (let part = await content.read(); part !== null; part = await content.read()) {
    text += latin1(part);
  }
  return text;
}

/** Content that is fed by hand. */
export class Fed implements Content {
  readonly length: number | null;
  trailers: readonly Field[] = [];
  cancelled = false;
  reads = 0;
  readonly #parts: (Uint8Array | null | Error)[] = [];
  #wake: (() => void) | null = null;

  /** `parts` are there from the start; `whole` says that nothing comes behind them. */
  constructor(length: number | null, parts: readonly string[] = [], whole: boolean = true) {
    this.length = length;
    this.#parts.push(...parts.map(fromLatin1));
    if (whole) this.#parts.push(null);
  }

  push(part: string | Uint8Array | null | Error): void {
    this.#parts.push(typeof part === "string" ? fromLatin1(part) : part);
    this.#wake?.();
  }

  async read(): Promise<Uint8Array | null> {
    this.reads++;
    while (this.#parts.length === 0) {
      if (this.cancelled) throw new Error("read after cancel");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const part = this.#parts.shift()!;
    if (part instanceof Error) throw part;
    return part;
  }

  cancel(): void {
    this.cancelled = true;
    this.#wake?.();
  }
}

export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
