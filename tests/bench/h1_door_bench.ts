// What the HTTP/1.1 door costs above its socket: `deno bench -A tests/bench/h1_door_bench.ts`. Each
// run takes 1000 requests of a client in memory, one after the other, on one connection.

import type { Accepted, DoorOptions } from "../../src/ingress/door.ts";
import { H1Connection } from "../../src/ingress/h1_connection.ts";
import type { Content, Offer } from "../../src/ingress/offer.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { latin1Bytes } from "../../src/protocol/wire/latin1.ts";

const REQUESTS = 1000;
const BODY = new Uint8Array(1024).fill(120);

/** A client that asks again once it has its answer, which is one write. */
class Client implements ByteStream {
  readonly headroom = 0;
  written = 0;
  #asked = 0;
  #resolve: ((chunk: Uint8Array | null) => void) | null = null;
  readonly #request: Uint8Array;

  constructor(request: Uint8Array) {
    this.#request = request;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#asked++ === 0) return Promise.resolve(this.#request);
    return new Promise((resolve) => this.#resolve = resolve);
  }

  write(bytes: Uint8Array): Promise<void> {
    this.written += bytes.length;
    const resolve = this.#resolve;
    const isLast = this.#asked > REQUESTS;
    if (resolve !== null) resolve(isLast ? null : this.#request);
    else if (this.#asked > 1) throw new Error("A write without a read");
    this.#resolve = null;
    return Promise.resolve();
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  abort(): void {
    this.#resolve?.(null);
  }
}

/** Content that is there at once, as that of a backend whose answer came in one piece. */
class Streamed implements Content {
  readonly trailers: readonly Field[] = [];
  #given = false;

  constructor(readonly length: number | null) {}

  read(): Promise<Uint8Array | null> {
    if (this.#given) return Promise.resolve(null);
    this.#given = true;
    return Promise.resolve(BODY);
  }

  cancel(): void {}
}

const ANSWER: Field[] = [
  ["date", "Thu, 01 Jan 2026 10:00:00 GMT"],
  ["content-type", "text/plain; charset=utf-8"],
  ["server", "nginx"],
  ["etag", '"6954f2a0-400"'],
];

async function run(request: Uint8Array, answer: (offer: Offer) => Promise<void>): Promise<void> {
  const sweeper = new Sweeper(1000);
  const options: DoorOptions = {
    maxHeaderBytes: 16384,
    headTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    writeTimeoutMs: 10_000,
    sweeper,
    onOffer: (offer) => {
      offer.onGone(() => {});
      return answer(offer);
    },
    onHeadRefused: () => {},
    onPeerError: () => {},
    onBug: (_where, error) => {
      throw error;
    },
  };
  const client = new Client(request);
  const accepted: Accepted = {
    stream: client,
    remote: "192.0.2.1:1234",
    secure: false,
    alpn: null,
    serverName: null,
    clientCertificate: null,
  };
  await new H1Connection(accepted, options).run();
  sweeper.stop();
  if (client.written < REQUESTS * 1000) throw new Error(`${client.written} bytes of answers`);
}

const SMALL = latin1Bytes(
  "GET /a HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: wrk\r\nAccept: */*\r\n\r\n",
);
const POST = latin1Bytes(
  "POST /a HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n\r\nhello",
);

// `Deno.bench` waits for async functions only.
Deno.bench(`${REQUESTS} GETs, a body of 1 KiB`, async () => {
  await run(SMALL, (offer) => offer.respond(200, ANSWER, BODY));
});
Deno.bench(`${REQUESTS} GETs, content of 1 KiB with its length`, async () => {
  await run(SMALL, (offer) => offer.respond(200, ANSWER, new Streamed(1024)));
});
Deno.bench(`${REQUESTS} GETs, content of 1 KiB in chunks`, async () => {
  await run(SMALL, (offer) => offer.respond(200, ANSWER, new Streamed(null)));
});
Deno.bench(`${REQUESTS} POSTs that are read, a body of 1 KiB`, async () => {
  await run(POST, async (offer) => {
    while (await offer.content!.read() !== null);
    await offer.respond(200, ANSWER, BODY);
  });
});
