import type { RequestStreamParser } from "../protocol/http3/request_stream.ts";
import { frameHeaderSize, FrameType, writeFrameHeader } from "../protocol/http3/frame.ts";
import type { QuicStream } from "../net/quic_stream.ts";
import { NetError } from "../net/error.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Tunnel } from "./offer.ts";

/** The bytes in the DATA frames of an accepted extended CONNECT (RFC 9220, RFC 9114 §4.4). */
export class H3Tunnel implements Tunnel {
  readonly headroom = 0;
  onReset: ((error: Error) => void) | null = null;
  onLost: ((error: Error) => void) | null = null;
  /** Nobody reads behind the end, and so would hear of what comes after it. */
  #ended = false;
  readonly #stream: QuicStream;
  readonly #parser: RequestStreamParser;
  readonly #broken: (error: PeerError) => void;
  readonly #aborted: (freed: Promise<void>) => void;
  /** What came with the head, and the read that went on while the answer was made. */
  readonly #rest: Uint8Array[];
  #early: Promise<Uint8Array | null> | null;

  constructor(options: {
    stream: QuicStream;
    parser: RequestStreamParser;
    rest: Uint8Array[];
    early: Promise<Uint8Array | null> | null;
    broken: (error: PeerError) => void;
    /** Told at an abort; `freed` resolves once the stream's memory can go. */
    aborted?: (freed: Promise<void>) => void;
  }) {
    this.#stream = options.stream;
    this.#parser = options.parser;
    this.#rest = options.rest;
    this.#early = options.early;
    this.#broken = options.broken;
    this.#aborted = options.aborted ?? (() => {});
  }

  read(): Promise<Uint8Array | null> {
    if (this.#rest.length > 0) return Promise.resolve(this.#rest.shift()!);
    const early = this.#early;
    if (early === null) return this.#stream.read().then(this.#unwrap);
    this.#early = null;
    return early.then(this.#unwrap);
  }

  /** The payloads of a chunk's frames; the next read if there are none. */
  readonly #unwrap = (chunk: Uint8Array | null): Uint8Array | null | Promise<Uint8Array | null> => {
    try {
      if (chunk === null) {
        this.#parser.end();
        this.#ended = true;
        return null;
      }
      const length = this.#parser.readTunnel(chunk);
      if (length === 0) return this.read();
      const start = this.#parser.tunnelStart;
      return chunk.subarray(start, start + length);
    } catch (error) {
      if (error instanceof PeerError) this.#broken(error);
      throw error;
    }
  };

  write(bytes: Uint8Array, headroom = 0): Promise<void> {
    const length = bytes.length;
    const size = frameHeaderSize(FrameType.DATA, length);
    let frame: Uint8Array;
    if (headroom >= size) {
      frame = new Uint8Array(bytes.buffer, bytes.byteOffset - size, size + length);
    } else {
      frame = new Uint8Array(size + length);
      frame.set(bytes, size);
    }
    writeFrameHeader(frame, 0, FrameType.DATA, length);
    return this.#stream.write(frame);
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  /** The connection is gone. */
  lose(): void {
    const error = new NetError("lost", "the connection is over");
    if (this.#ended) this.onReset?.(error);
    this.onLost?.(error);
    this.onLost = null;
  }

  stopReading(): void {
    this.#stream.stopReading();
  }

  abort(): void {
    this.onLost = null;
    this.#aborted(this.#stream.abort());
  }
}
