import { TunnelCode, TunnelError } from "./code.ts";
import { encodeFrame } from "./encode.ts";
import type { Frame } from "./frame.ts";

/** The messages that wait to be sent. */
export class MuxOutput {
  /** How many bytes wait. */
  bytes = 0;
  /** How often `take` was called. */
  turn = 0;
  readonly #maxReplies: number;
  #replies = 0;
  #messages: Uint8Array[] = [];

  constructor(maxReplies: number) {
    this.#maxReplies = maxReplies;
  }

  /** How many messages wait. */
  get length(): number {
    return this.#messages.length;
  }

  add(frame: Frame): void {
    const message = encodeFrame(frame);
    this.#messages.push(message);
    this.bytes += message.length;
  }

  /**
   * Adds what answers the peer without the owner's doing: it decides how many they are.
   *
   * @throws {TunnelError} RATE_LIMITED of the connection, where it doesn't read its answers
   */
  reply(frame: Frame): void {
    if (++this.#replies > this.#maxReplies) {
      throw new TunnelError(TunnelCode.RATE_LIMITED, "connection", "Too many answers wait");
    }
    this.add(frame);
  }

  /** All that waits, in order, to be sent now. */
  take(): Uint8Array[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#replies = 0;
    this.bytes = 0;
    this.turn++;
    return messages;
  }
}
