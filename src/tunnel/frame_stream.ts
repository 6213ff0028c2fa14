import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { encodePrefixed } from "../protocol/tunnel/encode.ts";
import type { Frame } from "../protocol/tunnel/frame.ts";
import { concat } from "../protocol/wire/bytes.ts";
import { FrameDecoder } from "../protocol/tunnel/frame_decoder.ts";

/** The frames of a stream, each with its length before it. */
export class FrameStream {
  readonly #stream: ByteStream;
  readonly #decoder = new FrameDecoder();

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /**
   * The next frame; `null` at the end.
   *
   * @throws {TunnelError} for what is no frame
   * @throws {NetError} when the stream is lost
   */
  async next(): Promise<Frame | null> {
    for (;;) {
      const frame = this.#decoder.next();
      if (frame !== null) return frame;
      const chunk = await this.#stream.read();
      if (chunk === null) {
        this.#decoder.end();
        return null;
      }
      // A chunk is only lent, and a frame may be asked for later.
      this.#decoder.push(chunk.slice());
    }
  }

  /** The next frame, which has to come. */
  async expect(): Promise<Frame> {
    const frame = await this.next();
    if (frame === null) throw new NetError("lost", "the stream ended before an answer");
    return frame;
  }

  /** What came behind the last frame, where no more of them come. */
  rest(): Uint8Array {
    return this.#decoder.rest();
  }

  /** All of them in one write. */
  send(...frames: Frame[]): Promise<void> {
    const encoded = frames.map(encodePrefixed);
    return this.#stream.write(encoded.length === 1 ? encoded[0] : concat(encoded));
  }
}
