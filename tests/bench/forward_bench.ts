// What one ordinary request costs between its door and the backend's socket, without either:
// `deno bench tests/bench/forward_bench.ts`. The backend answers from memory.
import { H1Pool } from "../../src/client/h1_pool.ts";
import type { Body, Content, Offer, OfferRequest } from "../../src/ingress/offer.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { latin1Bytes } from "../../src/protocol/wire/latin1.ts";
import { forward } from "../../src/proxy/forward.ts";

const HEAD = "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nServer: x\r\n" +
  'Content-Type: text/plain\r\nETag: "abc"\r\n';
const SMALL = concat([latin1Bytes(`${HEAD}Content-Length: 1024\r\n\r\n`), new Uint8Array(1024)]);

/** Answers each write with `answer`, in one read. */
class MemoryStream implements ByteStream {
  readonly headroom = 0;
  readonly #answer: Uint8Array;
  #ready = 0;
  #wake: ((chunk: Uint8Array | null) => void) | null = null;

  constructor(answer: Uint8Array) {
    this.#answer = answer;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#ready === 0) return new Promise((resolve) => this.#wake = resolve);
    this.#ready--;
    return Promise.resolve(this.#answer);
  }

  write(): Promise<void> {
    const wake = this.#wake;
    this.#wake = null;
    if (wake === null) this.#ready++;
    else wake(this.#answer);
    return Promise.resolve();
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  abort(): void {
    this.#wake?.(null);
  }
}

const REQUEST: OfferRequest = {
  http: "2",
  method: "GET",
  protocol: null,
  scheme: "https",
  authority: "www.example.com",
  path: "/index.html?q=1",
  fields: [
    ["user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"],
    ["accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
    ["accept-language", "en-US,en;q=0.9"],
    ["accept-encoding", "gzip, deflate, br, zstd"],
    ["cookie", "session=0123456789abcdef0123456789abcdef"],
  ],
  remote: "192.0.2.7:50000",
};

class MemoryOffer implements Offer {
  readonly request = REQUEST;
  readonly content: Content | null;

  constructor(content: Content | null) {
    this.content = content;
  }

  onGone(): void {}

  inform(): Promise<void> {
    return Promise.resolve();
  }

  accept(): Promise<never> {
    return Promise.reject(new Error("no tunnel"));
  }

  async respond(_status: number, _fields: unknown, body?: Body): Promise<void> {
    if (body === undefined || body instanceof Uint8Array) return;
    while (await body.read() !== null);
  }

  abort(): void {}
}

class OnePart implements Content {
  readonly length: number;
  readonly trailers = [];
  #part: Uint8Array | null;

  constructor(part: Uint8Array) {
    this.#part = part;
    this.length = part.length;
  }

  read(): Promise<Uint8Array | null> {
    const part = this.#part;
    this.#part = null;
    return Promise.resolve(part);
  }

  cancel(): void {}
}

function targetFor(answer: Uint8Array): { pool: H1Pool; url: string; host: null; path: null } {
  const pool = new H1Pool({
    dial: () => Promise.resolve(new MemoryStream(answer)),
    maxConnections: 100,
    maxIdle: 100,
    idleTimeoutMs: 60_000,
    dialTimeoutMs: 1_000,
    waitTimeoutMs: 1_000,
    answerTimeoutMs: 60_000,
    contentTimeoutMs: 60_000,
    writeTimeoutMs: 60_000,
    maxHeaderBytes: 16_384,
    sweeper: new Sweeper(1_000),
  });
  return { pool, url: "http://backend.example", host: null, path: null };
}

const PART = new Uint8Array(1024);
const target = targetFor(SMALL);
/** So many at once, so that a turn of the event loop is shared by them as it is under load. */
const AT_ONCE = 50;

Deno.bench(`forward: ${AT_ONCE} GETs of 1 KiB`, async () => {
  await Promise.all(
    Array.from({ length: AT_ONCE }, () => forward(new MemoryOffer(null), target)),
  );
});

Deno.bench(`forward: ${AT_ONCE} POSTs of 1 KiB`, async () => {
  await Promise.all(
    Array.from({ length: AT_ONCE }, () => forward(new MemoryOffer(new OnePart(PART)), target)),
  );
});

Deno.bench("forward: a GET of 1 KiB, alone", async () => {
  await forward(new MemoryOffer(null), target);
});
