import { headerSize, readHeader } from "../../src/protocol/websocket/header.ts";
import { applyMask } from "../../src/protocol/websocket/mask.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { within } from "./within.ts";

/** A frame of a WebSocket as it was seen on the wire. */
export interface SeenFrame {
  fin: boolean;
  rsv: number;
  opcode: number;
  masked: boolean;
  /** Unmasked. */
  payload: Uint8Array;
  /** The whole frame as it came. */
  bytes: Uint8Array;
}

/** How a way for bytes ended: FIN, or something broke. */
export type Ending = "fin" | "broken";

/** Reads a way for bytes by pieces of any size. Nothing is read before it is asked for. */
export class Inbox {
  readonly #what: string;
  readonly #source: () => Promise<Uint8Array | null>;
  #bytes: Uint8Array = new Uint8Array(0);
  #ending: Ending | null = null;
  #pulling: Promise<void> | null = null;

  /** `source` gives the next bytes, `null` at FIN, and rejects when the way is broken. */
  constructor(what: string, source: () => Promise<Uint8Array | null>) {
    this.#what = what;
    this.#source = source;
  }

  /** How it ended, as far as it was read. */
  get ending(): Ending | null {
    return this.#ending;
  }

  /** What has come and was not taken yet. */
  get pending(): Uint8Array {
    return this.#bytes;
  }

  #pull(): Promise<void> {
    return this.#pulling ??= this.#read().finally(() => this.#pulling = null);
  }

  async #read(): Promise<void> {
    try {
      const chunk = await this.#source();
      if (chunk === null) this.#ending = "fin";
      else this.#bytes = concat([this.#bytes, chunk]);
    } catch {
      this.#ending = "broken";
    }
  }

  /** Whether so many bytes have come; `false` when it ended before. */
  async has(count: number): Promise<boolean> {
    while (this.#bytes.length < count && this.#ending === null) {
      await within(`${count} bytes ${this.#what}, have ${this.#bytes.length}`, this.#pull());
    }
    return this.#bytes.length >= count;
  }

  /** The next `count` bytes; throws when it ended before. */
  async take(count: number): Promise<Uint8Array> {
    if (!await this.has(count)) {
      throw new Error(`${this.#what}: ${this.#ending} after ${this.#bytes.length} of ${count} B`);
    }
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    return taken;
  }

  /** Everything up to and with `mark`, as latin1. */
  async takeUpTo(mark: string): Promise<string> {
    for (;;) {
      const text = latin1(this.#bytes);
      const at = text.indexOf(mark);
      if (at >= 0) return latin1(await this.take(at + mark.length));
      if (!await this.has(this.#bytes.length + 1)) {
        throw new Error(`${this.#what}: ${this.#ending} after ${JSON.stringify(text)}`);
      }
    }
  }

  /** The next frame; `null` when it ended where a frame may end. */
  async frame(): Promise<SeenFrame | null> {
    if (!await this.has(2)) {
      if (this.#bytes.length > 0) await this.take(2);
      return null;
    }
    const size = headerSize(this.#bytes[1]);
    await this.has(size);
    const header = readHeader(await this.#peek(size), 0);
    const bytes = await this.take(size + header.length);
    const payload = bytes.slice(size);
    if (header.masked) applyMask(payload, bytes.subarray(size - 4, size));
    const { fin, rsv, opcode, masked } = header;
    return { fin, rsv, opcode, masked, payload, bytes };
  }

  async #peek(count: number): Promise<Uint8Array> {
    const bytes = await this.take(count);
    this.#bytes = concat([bytes, this.#bytes]);
    return bytes;
  }

  /** Everything up to the end. */
  async rest(): Promise<Uint8Array> {
    while (this.#ending === null) await within(`the end ${this.#what}`, this.#pull());
    return await this.take(this.#bytes.length);
  }
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

export function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
