import type { FrameHeader } from "./header.ts";
import { Opcode } from "./opcode.ts";
import type { Traffic } from "./traffic.ts";

export interface TallyOptions {
  masked: boolean;
  allowedRsv: number;
  /** The lower one of the limits for frames and for messages. */
  maxBytes: number;
  traffic: Traffic;
}

/** Where one direction of one session stands between frames and messages, and what it counted. */
export class Tally {
  /** What has passed in this session. */
  bytes = 0;
  messages = 0;
  frames = 0;
  /** Payload bytes to come of the data frame we are in. */
  left = 0;
  /** Whether a message has begun of which some is still to come, and its payload up to now. */
  inMessage = false;
  messageBytes = 0;

  #fin = false;
  #opcode: number = Opcode.CONTINUATION;
  readonly #traffic: Traffic;
  readonly #maxBytes: number;
  /** What the second byte of a frame has in its top bit, and what the first may have besides. */
  readonly #mask: number;
  readonly #ignoredBits: number;

  constructor(options: TallyOptions) {
    this.#traffic = options.traffic;
    this.#maxBytes = options.maxBytes;
    this.#mask = options.masked ? 0x80 : 0;
    this.#ignoredBits = options.allowedRsv << 4;
  }

  /** Takes up a frame that was judged good; all of it but a data frame's payload has passed. */
  enter(header: FrameHeader): void {
    const traffic = this.#traffic;
    this.frames++;
    switch (header.opcode) {
      case Opcode.CLOSE:
        traffic.frameClose++;
        return;
      case Opcode.PING:
        traffic.framePing++;
        return;
      case Opcode.PONG:
        traffic.framePong++;
        return;
      case Opcode.CONTINUATION:
        traffic.frameCont++;
        break;
      case Opcode.TEXT:
        traffic.frameText++;
        this.#opcode = Opcode.TEXT;
        break;
      default:
        traffic.frameBinary++;
        this.#opcode = Opcode.BINARY;
    }
    this.inMessage = true;
    this.messageBytes += header.length;
    this.#fin = header.fin;
    this.left = header.length;
    if (header.length === 0 && header.fin) this.#endMessage();
  }

  /** Passes payload, `available` bytes at most; gives how many. */
  skip(available: number): number {
    const left = this.left;
    if (left > available) {
      this.left = left - available;
      return available;
    }
    this.left = 0;
    if (this.#fin) this.#endMessage();
    return left;
  }

  /** Counts bytes that were passed on. */
  count(bytes: number): void {
    this.bytes += bytes;
    this.#traffic.bytes += bytes;
  }

  /**
   * Passes the messages from `at` on that are the plainest and by far the most: each one frame
   * with FIN, whole in `chunk`, its length below 65536 and the limits. Gives where the first other
   * thing begins, which `checkHeader` then has to judge. It is `enter` and `skip` for such frames
   * in a tight loop, at a quarter of their cost.
   */
  sprint(chunk: Uint8Array, at: number): number {
    if (this.inMessage) return at;
    const { sizesText, sizesBinary } = this.#traffic;
    const texts = sizesText.count;
    const binaries = sizesBinary.count;
    const end = chunk.length;
    while (end - at >= 2) {
      const first = chunk[at] & ~this.#ignoredBits;
      if (first !== FIN_TEXT && first !== FIN_BINARY) break;
      let length = chunk[at + 1] ^ this.#mask;
      let size = this.#mask === 0 ? 2 : 6;
      if (length === 126 && end - at >= 4) {
        length = (chunk[at + 2] << 8) | chunk[at + 3];
        if (length < 126) break;
        size += 2;
      } else if (length > 125) break;
      if (length > this.#maxBytes || size + length > end - at) break;
      (first === FIN_TEXT ? sizesText : sizesBinary).observe(length);
      at += size + length;
    }
    this.#add(sizesText.count - texts, sizesBinary.count - binaries);
    return at;
  }

  #add(texts: number, binaries: number): void {
    const traffic = this.#traffic;
    traffic.frameText += texts;
    traffic.messagesText += texts;
    traffic.frameBinary += binaries;
    traffic.messagesBinary += binaries;
    this.frames += texts + binaries;
    this.messages += texts + binaries;
  }

  #endMessage(): void {
    const traffic = this.#traffic;
    this.messages++;
    if (this.#opcode === Opcode.TEXT) {
      traffic.messagesText++;
      traffic.sizesText.observe(this.messageBytes);
    } else {
      traffic.messagesBinary++;
      traffic.sizesBinary.observe(this.messageBytes);
    }
    this.inMessage = false;
    this.messageBytes = 0;
  }
}

/** The first byte of a frame that is a whole message. */
const FIN_TEXT = 0x80 | Opcode.TEXT;
const FIN_BINARY = 0x80 | Opcode.BINARY;
