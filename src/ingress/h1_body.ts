// RFC 9112 §6, §7.1: the bodies of answers.
import { NetError } from "../net/error.ts";
import {
  chunkHeaderSize,
  CRLF,
  encodeLastChunk,
  writeChunkHeader,
} from "../protocol/http1/chunk.ts";
import type { Framing } from "../protocol/http1/framing.ts";
import { acceptsTrailers } from "../protocol/http1/trailers.ts";
import { concat } from "../protocol/wire/bytes.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { H1Link } from "./h1_link.ts";
import type { Content } from "./offer.ts";

/** What is ready within so many turns of the microtask queue goes out in one write. */
const SOON_TURNS = 6;
/** So much is gathered before it goes out; more only where one chunk is more. */
const GATHER_BYTES = 16384;
const FIRST_BUFFER_BYTES = 4096;

/** So much of a whole body goes out in one write with its head. */
const MAX_JOINED_BYTES = 64 * 1024;

const EMPTY = new Uint8Array(0);
const LAST_CHUNK = encodeLastChunk();

/** Writes a head, and a body that is there already. */
export function writeBody(link: H1Link, head: Uint8Array, body: Uint8Array): Promise<void> {
  if (body.length === 0) return link.write(head);
  if (body.length > MAX_JOINED_BYTES) return writeLong(link, head, body);
  return link.write(concat([head, body]));
}

async function writeLong(link: H1Link, head: Uint8Array, body: Uint8Array): Promise<void> {
  await link.write(concat([head, body.subarray(0, MAX_JOINED_BYTES)]));
  await link.write(body.subarray(MAX_JOINED_BYTES));
}

/** An answer whose content is streamed. */
export interface ContentAnswer {
  readonly link: H1Link;
  readonly head: Uint8Array;
  readonly framing: Framing;
  readonly content: Content;
  readonly requestFields: readonly Field[];
}

/**
 * Writes the head, then the content as it comes, each chunk as soon as there is no other. Rejects
 * when the content breaks off or is not of its length; then what was sent is not whole, and the
 * connection must be cut.
 */
export async function writeContent(answer: ContentAnswer): Promise<void> {
  const { link } = answer;
  const out = new Gathering(link);
  try {
    await gatherContent(answer, out);
  } finally {
    out.release();
  }
}

async function gatherContent(answer: ContentAnswer, out: Gathering): Promise<void> {
  const { link, framing, content } = answer;
  out.add(answer.head);
  let left = typeof framing === "number" ? framing : Infinity;
  for (;;) {
    let chunk: Uint8Array | null;
    try {
      chunk = await nextChunk(content, out);
    } catch (error) {
      // What came before goes out, so that the client sees where it broke off.
      await out.flush();
      throw error;
    }
    if (chunk === null) break;
    left -= chunk.length;
    if (left < 0) throw new TypeError("The content is longer than its length");
    if (framing === "chunked") out.addChunk(chunk);
    else if (out.length === 0 && chunk.length >= GATHER_BYTES / 4) await link.write(chunk);
    else out.add(chunk);
    if (out.length >= GATHER_BYTES) await out.flush();
  }
  if (typeof framing === "number" && left > 0) {
    await out.flush();
    throw new NetError("lost", "The content is shorter than its length");
  }
  if (framing === "chunked") out.add(lastChunk(answer));
  await out.flush();
}

function lastChunk({ content: { trailers }, requestFields }: ContentAnswer): Uint8Array {
  // RFC 9110 §6.5.1: trailers that the client did not say it reads are thrown away.
  if (trailers.length === 0 || !acceptsTrailers(requestFields)) return LAST_CHUNK;
  return encodeLastChunk(trailers);
}

/** The next chunk; if it is not there at once, what was gathered goes out first. */
async function nextChunk(content: Content, out: Gathering): Promise<Uint8Array | null> {
  const reading = content.read();
  if (out.length === 0) return await reading;
  let chunk: Uint8Array | null | undefined;
  let settled = false;
  reading.then((got) => {
    chunk = got;
    settled = true;
  }, () => settled = true);
  for (let turn = 0; turn < SOON_TURNS && !settled; turn++) await undefined;
  if (chunk !== undefined) return chunk;
  if (!settled) await out.flush();
  return await reading;
}

/** Bytes that go out in one write: copies, for a chunk is gone with the next read. */
class Gathering {
  readonly #link: H1Link;
  #bytes: Uint8Array = EMPTY;
  length = 0;

  constructor(link: H1Link) {
    this.#link = link;
    this.#bytes = link.spare ?? EMPTY;
    link.spare = null;
  }

  /** Leaves a small buffer to the next answer of the connection. */
  release(): void {
    if (this.#bytes.length === FIRST_BUFFER_BYTES) this.#link.spare = this.#bytes;
  }

  add(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** One chunk of the chunked coding. */
  addChunk(data: Uint8Array): void {
    this.#reserve(chunkHeaderSize(data.length) + data.length + CRLF.length);
    const at = writeChunkHeader(this.#bytes, this.length, data.length);
    this.#bytes.set(data, at);
    this.#bytes.set(CRLF, at + data.length);
    this.length = at + data.length + CRLF.length;
  }

  async flush(): Promise<void> {
    if (this.length === 0) return;
    const bytes = this.#bytes.subarray(0, this.length);
    this.length = 0;
    await this.#link.write(bytes);
    // An answer that is silent for long holds nothing large.
    if (this.#bytes.length > FIRST_BUFFER_BYTES) this.#bytes = EMPTY;
  }

  #reserve(more: number): void {
    const need = this.length + more;
    if (need <= this.#bytes.length) return;
    const size = this.length === 0 ? need : Math.max(need, 2 * this.#bytes.length);
    const grown = new Uint8Array(Math.max(size, FIRST_BUFFER_BYTES));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }
}
