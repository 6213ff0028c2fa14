import type { Socket } from "../endpoint/socket.ts";
import { messageOf } from "../net/error.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { sizeOf } from "./websocket3_arguments.ts";

/** What a `WebSocket3` sends, in the order of the calls though the bytes of a Blob come later. */
export class Sends {
  readonly #socket: Socket;
  /** Bytes that the socket was not given: behind a Blob that is being read, or never. */
  #kept = 0;
  /** The reading of Blobs, and what waits for it; `null` when there is none. Never rejects. */
  #tail: Promise<void> | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** What was sent and not taken by the stream, in bytes. */
  get buffered(): number {
    return this.#kept + this.#socket.bufferedAmount;
  }

  /** Sends a message. */
  send(message: string | Uint8Array | Blob): void {
    if (this.#tail === null && !(message instanceof Blob)) return this.#give(message);
    const size = sizeOf(message);
    this.#kept += size;
    this.#later(async () => {
      const data = message instanceof Blob ? await message.bytes() : message;
      this.#kept -= size;
      this.#give(data);
    });
  }

  /** Only counts a message. */
  drop(message: string | Uint8Array | Blob): void {
    this.#kept += sizeOf(message);
  }

  /** Begins to close the socket. */
  close(code: number, reason: string): void {
    const closing = () => void this.#socket.close(code, reason);
    if (this.#tail === null) closing();
    else this.#later(closing);
  }

  #give(data: string | Uint8Array): void {
    const { bufferedAmount } = this.#socket;
    this.#socket.send(data).catch(() => {});
    // The peer may have closed: then it was not taken.
    if (this.#socket.bufferedAmount === bufferedAmount) this.drop(data);
  }

  /** Does it behind the Blobs that are being read. */
  #later(work: () => Promise<void> | void): void {
    const done = Promise.resolve(this.#tail).then(work);
    const tail: Promise<void> = done.catch((error) => {
      // A Blob of a file that is gone.
      void this.#socket.close(CloseCode.INTERNAL_ERROR, messageOf(error).slice(0, 40));
    }).then(() => {
      if (this.#tail === tail) this.#tail = null;
    });
    this.#tail = tail;
  }
}
