import type { Field } from "../wire/field.ts";
import { getField } from "../wire/field.ts";
import type { Core } from "./core.ts";
import { MAX_SENT_FRAME_BYTES } from "./output.ts";
import { exchangeOf, type Stream } from "./stream.ts";

/** What we send on streams. */
export class Sender {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  get canOpenStream(): boolean {
    const { role, streams, peerSettings, goawayReceived, goawaySent } = this.#core;
    const most = peerSettings.maxConcurrentStreams ?? Infinity;
    // RFC 9113 §6.8: after a GOAWAY no stream MUST be opened. §5.1.2: nor above the peer's limit.
    return role === "client" && goawayReceived === null && goawaySent === null &&
      streams.localCount < most && streams.hasLocalIds;
  }

  openStream(section: readonly Field[], endStream: boolean): number {
    const { streams, output } = this.#core;
    if (!this.canOpenStream) throw new Error("No stream can be opened on this connection");
    const stream = streams.openLocal(exchangeOf(getField(section, ":method") ?? ""));
    stream.headSent = true;
    output.headers(stream.id, section, endStream);
    if (endStream) this.#core.localEnd(stream);
    return stream.id;
  }

  /** `false` where the stream is no more. */
  sendHeaders(streamId: number, section: readonly Field[], endStream: boolean): boolean {
    const stream = this.#writable(streamId);
    if (stream === null) return false;
    const isInterim = section[0][1].charCodeAt(0) === 0x31 && section[0][0] === ":status";
    if (stream.headSent) throw new Error("Second head of a message");
    if (isInterim && endStream) throw new Error("Interim response with END_STREAM");
    stream.headSent = !isInterim;
    this.#core.output.headers(streamId, section, endStream);
    if (endStream) this.#core.localEnd(stream);
    return true;
  }

  /** `false` where the stream is no more. */
  sendTrailers(streamId: number, fields: readonly Field[]): boolean {
    const stream = this.#writable(streamId);
    if (stream === null) return false;
    if (!stream.headSent) throw new Error("Trailers before a head");
    this.#core.output.headers(streamId, fields, true);
    this.#core.localEnd(stream);
    return true;
  }

  sendable(streamId: number): number {
    const stream = this.#writable(streamId);
    return stream === null ? 0 : this.#room(stream);
  }

  /** Gives how many bytes were taken. */
  sendData(streamId: number, bytes: Uint8Array, endStream: boolean): number {
    const stream = this.#writable(streamId);
    if (stream === null) return 0;
    if (!stream.headSent) throw new Error("DATA before a head");
    const size = Math.min(bytes.length, this.#room(stream));
    const isAll = size === bytes.length;
    if (size === 0 && !(isAll && endStream)) return 0;
    this.#writeData(streamId, isAll ? bytes : bytes.subarray(0, size), isAll && endStream);
    stream.sendWindow.sent(size);
    this.#core.sendWindow.sent(size);
    this.#core.budget.sent(size, !isAll);
    if (isAll && endStream) this.#core.localEnd(stream);
    return size;
  }

  #writeData(streamId: number, bytes: Uint8Array, endStream: boolean): void {
    const { output } = this.#core;
    const { length } = bytes;
    if (length <= MAX_SENT_FRAME_BYTES) {
      output.data(streamId, bytes, endStream);
      return;
    }
    for (let at = 0; at < length; at += MAX_SENT_FRAME_BYTES) {
      const end = Math.min(length, at + MAX_SENT_FRAME_BYTES);
      output.data(streamId, bytes.subarray(at, end), endStream && end === length);
    }
  }

  /** RFC 9113 §6.9.1: what both windows have room for. */
  #room(stream: Stream): number {
    return Math.max(0, Math.min(stream.sendWindow.bytes, this.#core.sendWindow.bytes));
  }

  /** The stream, if we may send on it still. */
  #writable(streamId: number): Stream | null {
    const stream = this.#core.streams.get(streamId);
    return stream === undefined || stream.localEnded ? null : stream;
  }
}
