// A client's offer without a client, and a backend that is scripted byte by byte.
import type { Body, Content, Offer, OfferRequest, Tunnel } from "../../src/ingress/offer.ts";
import { H1Pool, type H1PoolOptions } from "../../src/client/h1_pool.ts";
import { NetError } from "../../src/net/error.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import type { ForwardTarget } from "../../src/proxy/forward.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { poolOptions, SWEEP_MS } from "../client/h1_pool_support.ts";
import { RawBackend } from "../support/backend.ts";
import { latin1 } from "../support/inbox.ts";
import { until } from "../support/until.ts";

export function request(init: Partial<OfferRequest> = {}): OfferRequest {
  return {
    http: "2",
    method: "GET",
    protocol: null,
    scheme: "https",
    authority: "a.example",
    path: "/",
    fields: [],
    remote: "192.0.2.7:50000",
    ...init,
  };
}

/** Takes the answer as a client does that is as fast as `take` lets it be. */
export class TestOffer implements Offer {
  readonly request: OfferRequest;
  readonly content: Content | null;
  readonly informed: [number, readonly Field[]][] = [];
  status = 0;
  fields: readonly Field[] = [];
  parts: Uint8Array[] = [];
  trailers: readonly Field[] = [];
  bodyLength: number | null | undefined = undefined;
  whole = false;
  /** Is waited for before each part. */
  take: () => Promise<void> = () => Promise.resolve();
  #gone: (() => void) | null = null;
  #isGone = false;

  constructor(init: Partial<OfferRequest> = {}, content: Content | null = null) {
    this.request = request(init);
    this.content = content;
  }

  get text(): string {
    return latin1(concat(this.parts));
  }

  onGone(callback: () => void): void {
    this.#gone = callback;
  }

  /** The client goes away. */
  leave(): void {
    this.#isGone = true;
    this.#gone?.();
  }

  inform(status: number, fields: readonly Field[]): Promise<void> {
    if (this.#isGone) return Promise.reject(gone());
    this.informed.push([status, fields]);
    return Promise.resolve();
  }

  accept(): Promise<Tunnel> {
    return Promise.reject(new Error("accept() is not expected"));
  }

  async respond(status: number, fields: readonly Field[], body?: Body): Promise<void> {
    if (this.status !== 0) throw new Error("This request was answered already");
    if (this.#isGone) throw gone();
    this.status = status;
    this.fields = fields;
    this.bodyLength = body?.length;
    if (body instanceof Uint8Array) this.parts.push(body);
    else if (body !== undefined) await this.#copy(body);
    this.whole = true;
    this.#gone = null;
  }

  async #copy(body: Content): Promise<void> {
    for (let part = await body.read(); part !== null; part = await body.read()) {
      await this.take();
      if (this.#isGone) throw gone();
      this.parts.push(part.slice());
    }
    this.trailers = body.trailers;
  }

  abort(): void {
    this.leave();
  }
}

function gone(): NetError {
  return new NetError("reset", "the client is gone");
}

export interface Setup {
  readonly backend: RawBackend;
  readonly target: ForwardTarget;
  readonly pool: H1Pool;
}

/** Runs `test`, and checks that no connection is left in use. */
export async function withTarget(
  options: Partial<ForwardTarget> & { pool?: never; timeouts?: Partial<H1PoolOptions> },
  test: (setup: Setup) => Promise<void>,
): Promise<void> {
  const { timeouts, ...target } = options;
  const backend = await RawBackend.listen();
  const sweeper = new Sweeper(SWEEP_MS);
  const pool = new H1Pool({ ...poolOptions(backend.port, sweeper), ...timeouts });
  const url = `http://127.0.0.1:${backend.port}`;
  try {
    await test({ backend, pool, target: { pool, url, host: null, path: null, ...target } });
    pool.close();
    await until("all connections to be dropped", () => pool.connections === 0, 5_000);
  } finally {
    pool.close();
    sweeper.stop();
    await backend.close();
  }
}
