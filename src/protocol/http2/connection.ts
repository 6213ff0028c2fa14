import type { Field } from "../wire/field.ts";
import type { Parser } from "../wire/parser.ts";
import { H2Code, H2Error } from "./codes.ts";
import { Core } from "./core.ts";
import type { H2Event } from "./events.ts";
import { MAX_STREAM_ID, type Role } from "./frame.ts";
import { FrameParser } from "./frame_parser.ts";
import { type Http2Options, maxFieldBlockBytes } from "./options.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import type { Settings } from "./settings.ts";
import type { StreamState } from "./stream.ts";

/**
 * RFC 9113: one end of a connection, without its I/O. What comes from the peer goes in by `push` and
 * comes out of `next` as events; what the methods, and the answers that the protocol wants, have to
 * send waits in `output`.
 *
 * Take `output` whenever something was pushed or sent, and before the connection is closed: a fault
 * that `next` throws has queued its GOAWAY. A fault is thrown by `next` and `end` ever after; then
 * what waits is to be sent, and the connection closed. Faults of a single stream are events.
 *
 * There is no clock in here: `tick` says what time it is, every few seconds at least, or a peer that
 * is patient but idle runs out of what it may do.
 */
export class Http2Connection implements Parser<H2Event> {
  readonly role: Role;
  readonly limit: number;

  readonly #core: Core;
  readonly #parser: FrameParser;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  #fault: H2Error | null = null;

  constructor(options: Http2Options) {
    const core = new Core(options);
    this.#core = core;
    this.role = options.role;
    this.#receiver = new Receiver(core);
    this.#sender = new Sender(core);
    const { content } = this.#receiver;
    this.#parser = new FrameParser({
      role: options.role,
      maxFrameBytes: core.local.maxFrameBytes,
      maxBlockBytes: maxFieldBlockBytes(core.local),
      maxContinuations: core.limits.maxContinuations,
      admitData: (header) => content.admit(header),
    });
    this.limit = this.#parser.limit;
    if (options.upgrade !== undefined) this.#receiver.upgraded(options.upgrade);
  }

  get buffered(): number {
    return this.#parser.buffered;
  }

  push(chunk: Uint8Array): void {
    if (this.#fault === null) this.#parser.push(chunk);
  }

  /** @throws {H2Error} of the connection; its GOAWAY is queued */
  next(): H2Event | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      for (;;) {
        const pending = this.#receiver.pending();
        if (pending !== null) return pending;
        const frame = this.#parser.next();
        if (frame === null) return null;
        const event = this.#receiver.take(frame);
        if (event !== null) return event;
      }
    } catch (error) {
      if (error instanceof H2Error) this.#fail(error);
      throw error;
    }
  }

  /** @throws {H2Error} PROTOCOL_ERROR when a frame, a field block or the preface is cut off */
  end(): void {
    if (this.#fault !== null) throw this.#fault;
    try {
      this.#parser.end();
    } catch (error) {
      if (error instanceof H2Error) this.#fail(error);
      throw error;
    }
  }

  /** What time it is, by any clock that never goes back: pays for what the peer may do. */
  tick(nowMs: number): void {
    this.#core.budget.tick(nowMs);
    this.#core.output.trim();
  }

  /** What the peer said of itself; the defaults before it did. */
  get peerSettings(): Readonly<Settings> {
    return this.#core.peerSettings;
  }

  /** Whether the peer's SETTINGS came, which its preface ends with (RFC 9113 §3.4). */
  get settingsReceived(): boolean {
    return this.#core.settingsReceived;
  }

  /** Whether the peer has acknowledged our settings: RFC 9113 §6.5.3 has a code for too late. */
  get settingsAcknowledged(): boolean {
    return this.#core.settingsAcknowledged;
  }

  /**
   * Which field block is open, counted from 1; 0 for none. RFC 9113 §4.3: nothing else can come
   * before its end, for which there is no limit of time in here.
   */
  get openFieldBlock(): number {
    return this.#parser.openBlock;
  }

  /** How many streams are open or half-closed. */
  get streams(): number {
    return this.#core.streams.remoteCount + this.#core.streams.localCount;
  }

  /** Whether no stream is left, and GOAWAY, ours or the peer's, lets none come: time to close. */
  get isDone(): boolean {
    if (this.#fault !== null) return true;
    const { goawaySent, goawayReceived } = this.#core;
    const isLast = (goawaySent ?? MAX_STREAM_ID) < MAX_STREAM_ID || goawayReceived !== null;
    return isLast && this.streams === 0;
  }

  /** RFC 9113 §5.1: the state of a stream that the owner knows of. */
  stateOf(streamId: number): StreamState {
    return this.#core.streams.get(streamId)?.state ?? "closed";
  }

  /** Client: whether `openStream` may be called now. */
  get canOpenStream(): boolean {
    return this.#fault === null && this.#sender.canOpenStream;
  }

  /**
   * Client: begins a request, whose section `encodeRequest` made; gives the stream's identifier.
   *
   * @throws {Error} where `canOpenStream` is `false`
   */
  openStream(section: readonly Field[], endStream: boolean): number {
    return this.#sender.openStream(section, endStream);
  }

  /**
   * Server: sends an interim or final response, whose section `encodeResponse` made. Gives `false`
   * where the stream was reset. RFC 9113 §8.1: who ends a response before the request has ended,
   * and wants no more of it, calls `reset` with NO_ERROR then.
   */
  sendHeaders(streamId: number, section: readonly Field[], endStream: boolean): boolean {
    return this.#sender.sendHeaders(streamId, section, endStream);
  }

  /**
   * Sends trailers, whose section `encodeTrailers` made, and the stream's end with them. Gives
   * `false` where the stream was reset.
   */
  sendTrailers(streamId: number, fields: readonly Field[]): boolean {
    return this.#sender.sendTrailers(streamId, fields);
  }

  /** How many bytes of DATA may go on this stream now. */
  sendable(streamId: number): number {
    return this.#sender.sendable(streamId);
  }

  /**
   * Sends as much of `bytes` as the windows have room for, by a copy, and gives how much that is;
   * for the rest a `window` event comes. END_STREAM goes with the last byte alone. Takes nothing
   * where the stream was reset, or we ended it.
   */
  sendData(streamId: number, bytes: Uint8Array, endStream: boolean): number {
    return this.#sender.sendData(streamId, bytes, endStream);
  }

  /**
   * So many bytes of `data` events went on, or will never: the peer may send as many again. What
   * was not consumed when the stream was reset is done with.
   */
  consumed(streamId: number, bytes: number): void {
    const core = this.#core;
    const stream = core.streams.get(streamId);
    if (stream === undefined) return;
    if (bytes > stream.unconsumed) throw new Error(`Consumed ${bytes} of ${stream.unconsumed}`);
    stream.unconsumed -= bytes;
    core.giveBack(bytes);
    core.giveBackTo(stream, bytes);
    if (stream.isClosed && stream.unconsumed === 0) core.streams.forget(stream);
  }

  /** RFC 9113 §6.4: ends a stream, which may be closed already. */
  reset(streamId: number, code: H2Code): void {
    const stream = this.#core.streams.get(streamId);
    if (stream === undefined) return;
    if (stream.isClosed) this.#core.drop(streamId, false);
    else this.#core.resetStream(streamId, code);
  }

  /** RFC 9113 §6.7: asks for a `pong` with the same 8 bytes. */
  ping(payload: Uint8Array): void {
    this.#core.output.ping(payload, false);
  }

  /**
   * RFC 9113 §6.8: the first of two steps of a graceful shutdown: no new streams, please. Those that
   * are on their way are served; `goaway`, a round trip later, names the last of them.
   */
  drain(): void {
    if (this.#core.goawaySent === null) this.#goaway(MAX_STREAM_ID, H2Code.NO_ERROR, "");
  }

  /**
   * RFC 9113 §6.8: serves no stream of the peer's above `lastStreamId`, by default the last there
   * is. With a code that is an error, the connection is to be closed.
   */
  goaway(code: H2Code = H2Code.NO_ERROR, lastStreamId?: number): void {
    this.#goaway(lastStreamId ?? this.#core.streams.highestRemote, code, "");
  }

  /** How much waits to be sent. */
  get outputBytes(): number {
    return this.#core.output.at;
  }

  /** All that waits, to be sent now: a view that holds until the next `output`. */
  output(): Uint8Array {
    return this.#core.output.take();
  }

  /** RFC 9113 §5.4.1: a connection error ends with GOAWAY. */
  #fail(error: H2Error): void {
    this.#fault = error;
    const debug = error.message.replace(/[^\x20-\x7e]/g, "?");
    this.#goaway(this.#core.streams.highestRemote, error.code, debug);
  }

  /** RFC 9113 §6.8: endpoints MUST NOT increase the last stream identifier. */
  #goaway(lastStreamId: number, code: number, debug: string): void {
    const last = Math.min(lastStreamId, this.#core.goawaySent ?? MAX_STREAM_ID);
    this.#core.goawaySent = last;
    this.#core.output.goaway(last, code, debug);
  }
}
