import { NetError } from "../net/error.ts";
import type { QuicStream } from "../net/quic_stream.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { H3Code, H3Error } from "../protocol/http3/codes.ts";
import { checkTrailers } from "../protocol/http3/fields.ts";
import type { RequestStreamParser } from "../protocol/http3/request_stream.ts";
import { decodeFieldSection } from "../protocol/qpack/decoder.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { Content } from "./offer.ts";

export interface H3ContentOptions {
  stream: QuicStream;
  /** Has told the head; what it tells next is the content. */
  parser: RequestStreamParser;
  /** The Content-Length of the head. */
  length: number | null;
  /** Of the trailer section. */
  maxHeaderBytes: number;
  /** How long the next bytes may take to come. */
  timeoutMs: number;
  sweeper: Sweeper;
  /** The peer broke a rule. */
  broken: (error: PeerError) => void;
}

/** The DATA frames of a message, and the trailers behind them (RFC 9114 §4.1). */
export class H3Content implements Content {
  readonly length: number | null;
  readonly #options: H3ContentOptions;
  #trailers: readonly Field[] = [];
  #ended = false;

  constructor(options: H3ContentOptions) {
    this.#options = options;
    this.length = options.length;
    if (options.length !== null) options.parser.expectContent(options.length);
  }

  get trailers(): readonly Field[] {
    return this.#trailers;
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#ended) return null;
    const { parser, broken } = this.#options;
    try {
      for (;;) {
        const event = parser.next();
        if (event === null) {
          const chunk = await this.#nextChunk();
          if (chunk === null) {
            parser.end();
            this.#ended = true;
            return null;
          }
          parser.push(chunk);
        } else if (event.type === "data") {
          if (event.bytes.length > 0) return event.bytes;
        } else {
          this.#trailers = this.#readTrailers(event.type === "trailers" ? event.block : null);
        }
      }
    } catch (error) {
      if (error instanceof PeerError) broken(error);
      throw error;
    }
  }

  async #nextChunk(): Promise<Uint8Array | null> {
    const { stream, sweeper, timeoutMs } = this.#options;
    let late = false;
    const deadline = new Deadline(sweeper, timeoutMs, () => {
      late = true;
      stream.stopReading();
    });
    try {
      return await stream.read();
    } catch (error) {
      throw late ? new NetError("timeout", "content comes too slowly") : error;
    } finally {
      deadline.clear();
    }
  }

  #readTrailers(block: Uint8Array | null): Field[] {
    const { maxHeaderBytes } = this.#options;
    const section = block === null ? null : decodeFieldSection(block, maxHeaderBytes);
    if (section === null || section.oversize) {
      const message = `Trailers of more than ${maxHeaderBytes} bytes`;
      throw new H3Error(H3Code.H3_EXCESSIVE_LOAD, "stream", message);
    }
    checkTrailers(section.fields);
    return section.fields;
  }

  cancel(): void {
    this.#ended = true;
    this.#options.stream.stopReading();
  }
}
