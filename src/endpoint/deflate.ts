import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import type { DeflateRaw, InflateRaw } from "node:zlib";
import { setImmediate } from "node:timers/promises";
import { CloseCode, tooBig, WebSocketError } from "../protocol/websocket/close.ts";
import type { DeflateParameters } from "../protocol/websocket/permessage_deflate.ts";
import { concat } from "../protocol/wire/bytes.ts";

/** RFC 7692 §7.2.1: what every flush ends with is not sent; §7.2.2: and is appended again. */
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** zlib works on the thread of the event loop: what others do goes between pieces of this size. */
const PIECE_BYTES = 64 * 1024;

/** What a piece costs however small it is, in bytes: some 30 µs where a stream is made for it. */
const PIECE_COST_BYTES = 2 * 1024;

/**
 * RFC 7692 §7.2.3.4 allows any number of blocks with BFINAL, and whoever sets it does so once a
 * message; but each costs a new stream of zlib's, and no more than two bytes of the peer's.
 */
const MAX_FINAL_BLOCKS = 16;

/** What inflates comes in such pieces, and no more than one of them is above the limit. */
const INFLATED_BYTES = 16 * 1024;

/** How one direction is deflated. */
export interface DeflateWay {
  windowBits: number;
  /** Whether each message is begun without what went before: then nothing is kept between them. */
  noContextTakeover: boolean;
}

/** What is sent by this side. */
export function sendingWay(role: "client" | "server", agreed: DeflateParameters): DeflateWay {
  return role === "client"
    ? { windowBits: agreed.clientMaxWindowBits, noContextTakeover: agreed.clientNoContextTakeover }
    : { windowBits: agreed.serverMaxWindowBits, noContextTakeover: agreed.serverNoContextTakeover };
}

/** What is received by this side. */
export function receivingWay(role: "client" | "server", agreed: DeflateParameters): DeflateWay {
  return sendingWay(role === "client" ? "server" : "client", agreed);
}

/** Deflates messages, one after the other. */
export class Deflater {
  readonly #way: DeflateWay;
  #stream: ZlibStream | null = null;

  constructor(way: DeflateWay) {
    this.#way = way;
  }

  /** Whether the peer must get each message that was deflated, because the next refers to it. */
  get keepsContext(): boolean {
    return !this.#way.noContextTakeover;
  }

  /** RFC 7692 §7.2.1. One at a time. */
  async deflate(message: Uint8Array): Promise<Uint8Array> {
    // zlib makes 9 bits of 8, and with those looks back 250 bytes: no more than 8 bits allow.
    this.#stream ??= new ZlibStream(createDeflateRaw({ windowBits: this.#way.windowBits }));
    const parts: Uint8Array[] = [];
    await this.#stream.run(message, (part) => parts.push(part));
    if (this.#way.noContextTakeover) this.close();
    const whole = concat(parts);
    return whole.subarray(0, whole.length - TAIL.length);
  }

  /** Frees what is kept between messages. */
  close(): void {
    this.#stream?.close();
    this.#stream = null;
  }
}

/** Inflates messages, one after the other. */
export class Inflater {
  readonly #way: DeflateWay;
  /** Of those that are inflated from now on. */
  maxMessageBytes: number;
  #stream: ZlibStream | null = null;

  constructor(way: DeflateWay, maxMessageBytes: number) {
    this.#way = way;
    this.maxMessageBytes = maxMessageBytes;
  }

  /**
   * RFC 7692 §7.2.2. One at a time.
   *
   * @throws {WebSocketError} 1007 for what can't be inflated, 1009 as soon as it is too much, 1008
   * for more than 16 blocks with BFINAL
   */
  async inflate(payload: Uint8Array): Promise<Uint8Array> {
    const gathered = new Gathered(this.maxMessageBytes);
    let rest: Uint8Array = concat([payload, TAIL]);
    try {
      for (let finals = 1;; finals++) {
        this.#stream ??= new ZlibStream(createInflateRaw({
          windowBits: this.#way.windowBits,
          chunkSize: INFLATED_BYTES,
        }));
        const used = await this.#stream.run(rest, gathered.take);
        if (used === null) break;
        if (finals > MAX_FINAL_BLOCKS) throw tooManyFinals();
        // RFC 7692 §7.2.3.4: a block with BFINAL ends zlib's stream, but not the message.
        this.close();
        rest = rest.subarray(used);
        if (rest.length <= TAIL.length) break;
      }
    } catch (error) {
      this.close();
      throw error instanceof WebSocketError ? error : new WebSocketError(
        CloseCode.INVALID_FRAME_PAYLOAD_DATA,
        "Message that is not deflated as it should be",
      );
    }
    if (this.#way.noContextTakeover) this.close();
    return gathered.whole();
  }

  /** Frees what is kept between messages. */
  close(): void {
    this.#stream?.close();
    this.#stream = null;
  }
}

function tooManyFinals(): WebSocketError {
  return new WebSocketError(
    CloseCode.POLICY_VIOLATION,
    `Message of more than ${MAX_FINAL_BLOCKS} deflate blocks with BFINAL`,
  );
}

/** What inflates, up to a limit. */
class Gathered {
  readonly #limit: number;
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  readonly take = (part: Uint8Array): void => {
    this.#length += part.length;
    if (this.#length > this.#limit) throw tooBig("message", this.#limit);
    this.#parts.push(part);
  };

  whole(): Uint8Array {
    return concat(this.#parts, this.#length);
  }
}

/** A raw stream of zlib's that is run from flush to flush. */
class ZlibStream {
  readonly #stream: DeflateRaw | InflateRaw;
  #take: (part: Uint8Array) => void = () => {};
  #settle: (outcome: { error: unknown } | { ended: boolean }) => void = () => {};

  constructor(stream: DeflateRaw | InflateRaw) {
    this.#stream = stream;
    stream.on("data", (part: Uint8Array) => {
      try {
        this.#take(part);
      } catch (error) {
        this.#settle({ error });
        stream.destroy();
      }
    });
    stream.on("error", (error) => this.#settle({ error }));
    stream.on("end", () => this.#settle({ ended: true }));
  }

  /**
   * Puts `input` in and gives all that comes of it to `take`, which stops it by throwing. Gives how
   * much of `input` was used if the stream has ended by itself, otherwise `null`.
   */
  async run(input: Uint8Array, take: (part: Uint8Array) => void): Promise<number | null> {
    const before = this.#stream.bytesWritten;
    this.#take = take;
    try {
      for (let at = 0;; at += PIECE_BYTES) {
        const piece = input.subarray(at, at + PIECE_BYTES);
        await turnFor(piece.length);
        const last = at + PIECE_BYTES >= input.length;
        const ended = await this.#put(piece, last);
        if (ended) return this.#stream.bytesWritten - before;
        if (last) return null;
      }
    } finally {
      this.#take = () => {};
    }
  }

  /** Gives whether the stream has ended. */
  #put(piece: Uint8Array, last: boolean): Promise<boolean> {
    return new Promise<boolean>((resolve, reject): void => {
      // Of a stream that is gone nothing is heard.
      if (this.#stream.destroyed) return reject(closed());
      this.#settle = (outcome) => {
        this.#settle = () => {};
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome.ended);
      };
      const done = (error?: Error | null) => this.#settle(error ? { error } : { ended: false });
      this.#stream.write(piece, last ? undefined : done);
      if (last) this.#stream.flush(constants.Z_SYNC_FLUSH, done);
    });
  }

  close(): void {
    this.#settle({ error: closed() });
    this.#stream.destroy();
  }
}

// Of the event loop, which all streams of a thread share: many small pieces of many sockets take as
// long as a large one.
let spentBytes = 0;
let nextTurn: Promise<void> | null = null;

/** Gives way to what else the event loop has to do, unless little was done since it last did. */
async function turnFor(bytes: number): Promise<void> {
  while (spentBytes >= PIECE_BYTES) {
    await (nextTurn ??= setImmediate().then(() => {
      nextTurn = null;
      spentBytes = 0;
    }));
  }
  spentBytes += bytes + PIECE_COST_BYTES;
}

function closed(): Error {
  return new Error("closed while it was at work");
}
