// One conversation, however its bytes come: a stream in memory that overwrites each chunk as soon as
// the next is read, and that gives the next at once.
import assert from "node:assert/strict";
import type { Accepted } from "../../src/ingress/door.ts";
import { H1Connection } from "../../src/ingress/h1_connection.ts";
import type { Offer } from "../../src/ingress/offer.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { within } from "../support/within.ts";
import { bytes, echo, echoed, HOST, latin1, readAll } from "./h1_support.ts";

const HEADROOM = 16;

class Scribbled implements ByteStream {
  readonly headroom = HEADROOM;
  written = "";
  writes = 0;
  reading = false;
  readonly #parts: string[];
  #last: Uint8Array = new Uint8Array(0);

  constructor(parts: string[]) {
    this.#parts = parts.filter((part) => part !== "");
  }

  read(): Promise<Uint8Array | null> {
    assert.equal(this.reading, false, "two reads at a time");
    this.#last.fill(0x58);
    const part = this.#parts.shift();
    if (part === undefined) return Promise.resolve(null);
    const buffer = new Uint8Array(HEADROOM + part.length);
    this.#last = buffer.subarray(HEADROOM);
    this.#last.set(bytes(part));
    this.reading = true;
    return Promise.resolve().then(() => {
      this.reading = false;
      return this.#last;
    });
  }

  write(chunk: Uint8Array): Promise<void> {
    this.written += latin1(chunk);
    this.writes++;
    return Promise.resolve();
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  abort(): void {}
}

const REQUESTS = [
  `GET /a HTTP/1.1\r\n${HOST}\r\n`,
  `POST /b HTTP/1.1\r\n${HOST}Content-Length: 11\r\n\r\nhello there`,
  `\r\nPUT /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n there\r\n0\r\nA: b\r\n\r\n`,
  `POST /unread HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
  `GET /d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
  `GET /tunnel HTTP/1.1\r\n${HOST}Connection: x, Upgrade\r\nUpgrade: foo\r\n\r\n`,
];
const TAIL = "GET /never HTTP/1.1\r\n\r\n and whatever";
const ALL = REQUESTS.join("") + TAIL;
const WANT = echoed("GET a.example /a []") + echoed("POST a.example /b [hello there]") +
  echoed("PUT a.example /c [hello there]") + echoed("unread") +
  echoed("GET  /d []", "Connection: keep-alive\r\n") +
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n" + TAIL;

async function answer(offer: Offer, watched: boolean): Promise<void> {
  if (watched) offer.onGone(() => {});
  await undefined;
  const { path } = offer.request;
  if (path === "/unread") return await offer.respond(200, [], bytes("unread"));
  if (path !== "/tunnel") return await echo(offer);
  assert.equal(await readAll(offer.content), "");
  const tunnel = await offer.accept([]);
  for (let chunk = await tunnel.read(); chunk !== null; chunk = await tunnel.read()) {
    new Uint8Array(chunk.buffer, chunk.byteOffset - HEADROOM, HEADROOM).fill(0);
    await tunnel.write(chunk);
  }
  await tunnel.closeWrite();
}

async function converse(parts: string[], watched: boolean): Promise<Scribbled> {
  const stream = new Scribbled(parts);
  const failures: unknown[] = [];
  const sweeper = new Sweeper(1000);
  const accepted: Accepted = {
    stream,
    remote: "192.0.2.1:1",
    secure: true,
    alpn: null,
    serverName: null,
    clientCertificate: null,
  };
  const connection = new H1Connection(accepted, {
    maxHeaderBytes: 1000,
    headTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    writeTimeoutMs: 60_000,
    sweeper,
    onOffer: (offer) => answer(offer, watched),
    onHeadRefused: (status) => failures.push(status),
    onPeerError: (error) => failures.push(error),
    onBug: (_where, error) => failures.push(error),
  });
  await within("the conversation", connection.run());
  assert.equal(sweeper.size, 0);
  sweeper.stop();
  assert.deepEqual(failures, []);
  return stream;
}

/** Numbers from 0 to 1 that are the same each time. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
}

for (const watched of [false, true]) {
  const who = watched ? "a client that is watched" : "a client";
  Deno.test(`h1 door: six requests of ${who}: whole, byte by byte, in two anywhere, at random`, async () => {
    assert.equal((await converse([ALL], watched)).written, WANT, "whole");
    assert.equal((await converse([...ALL], watched)).written, WANT, "byte by byte");
    for (let cut = 1; cut < ALL.length; cut++) {
      const { written } = await converse([ALL.slice(0, cut), ALL.slice(cut)], watched);
      assert.equal(written, WANT, `cut at ${cut}`);
    }
    const random = lcg(7);
    for (let run = 0; run < 200; run++) {
      const parts: string[] = [];
      for (let at = 0; at < ALL.length;) {
        const length = 1 + Math.floor(random() * random() * 120);
        parts.push(ALL.slice(at, at + length));
        at += length;
      }
      assert.equal((await converse(parts, watched)).written, WANT, JSON.stringify(parts));
    }
  });
}

Deno.test("h1 door: each answer is one write", async () => {
  const { writes } = await converse(REQUESTS.slice(0, 5), false);
  assert.equal(writes, 5);
});
