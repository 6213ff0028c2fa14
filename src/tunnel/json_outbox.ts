import type { Socket } from "../endpoint/socket.ts";
import { encodeMessage } from "../protocol/tunnel/json.ts";
import type { JsonMessage } from "../protocol/tunnel/message.ts";
import type { JsonStream } from "./json_stream.ts";

/** The most bytes in one message; a datagram is never cut. */
const MAX_SENT_BYTES = 64 * 1024;

/** Answers that the peer has not taken; with more of them it is not heard. */
const MAX_ANSWERS = 1000;

/** What a link of JSON messages sends. */
export class JsonOutbox {
  readonly #socket: Socket;
  #answers = 0;
  /** Settles with the last data or "close": one message at a time is encoded. */
  #turn: Promise<void> = Promise.resolve();

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Sends what is not data, at once. Never rejects. */
  async say(message: JsonMessage): Promise<void> {
    this.#answers++;
    await this.#socket.send(encodeMessage(message)).catch(ignore);
    this.#answers--;
  }

  /** Answers what came; who takes no answers is not heard any more. */
  async answer(message: JsonMessage): Promise<void> {
    const said = this.say(message);
    if (this.#answers > MAX_ANSWERS) await said;
  }

  /** Resolves when the bytes may be reused. Rejects with `NetError`. */
  async data(stream: JsonStream, bytes: Uint8Array): Promise<void> {
    const sent: Promise<void>[] = [];
    for (let at = 0; at < bytes.length; at += MAX_SENT_BYTES) {
      const payload = bytes.subarray(at, at + MAX_SENT_BYTES);
      sent.push(
        this.#inTurn(() =>
          stream.isDeaf ? null : encodeMessage({ type: "data", connectionId: stream.id, payload })
        ),
      );
    }
    await Promise.all(sent);
  }

  /** Sends a "close" behind all data. */
  close(id: string, reason: string): void {
    const text = encodeMessage({ type: "close", connectionId: id, reason });
    void this.#inTurn(() => text).catch(ignore);
  }

  #inTurn(make: () => string | null): Promise<void> {
    const sent = this.#turn.then(async () => {
      const text = make();
      if (text !== null) await this.#socket.send(text);
    });
    this.#turn = sent.catch(ignore);
    return sent;
  }
}

/** Whatever ends a socket is told where it is read. */
function ignore(): void {}
