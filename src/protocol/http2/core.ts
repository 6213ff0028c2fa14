import { HpackDecoder } from "../hpack/decoder.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import type { Field } from "../wire/field.ts";
import { Budget } from "./budget.ts";
import { asH2Error, type H2Code } from "./codes.ts";
import { MAX_STREAM_ID, type Role } from "./frame.ts";
import {
  allLimits,
  announced,
  type Http2Options,
  type Limits,
  type LocalSettings,
  localSettings,
} from "./options.ts";
import { Output } from "./output.ts";
import { defaultSettings, settingRows, type Settings } from "./settings.ts";
import type { Stream } from "./stream.ts";
import { StreamTable } from "./streams.ts";
import { DEFAULT_WINDOW_BYTES, ReceiveWindow, SendWindow } from "./window.ts";

/** What is remembered of streams that we reset: more than a peer can have open. */
const MIN_REMEMBERED_RESETS = 256;

/** What receiving and sending have in common: the state of a connection. */
export class Core {
  readonly role: Role;
  readonly local: LocalSettings;
  readonly limits: Limits;
  readonly budget: Budget;
  readonly output: Output;
  readonly streams: StreamTable;
  /** RFC 9113 §6.9.1: the windows of the connection. */
  readonly sendWindow = new SendWindow(DEFAULT_WINDOW_BYTES);
  readonly receiveWindow = new ReceiveWindow(DEFAULT_WINDOW_BYTES);
  /** What the peer said of itself. */
  readonly peerSettings: Settings = defaultSettings();
  readonly encoder: HpackEncoder;
  /** Whether the peer's SETTINGS came. */
  settingsReceived = false;
  /** Whether the peer knows of our settings. */
  settingsAcknowledged = false;
  /** RFC 9113 §6.8: the last stream that our GOAWAY names; `null` before there was one. */
  goawaySent: number | null = null;
  /** The same of the peer's. */
  goawayReceived: number | null = null;
  readonly #decoder: HpackDecoder;

  constructor(options: Http2Options) {
    this.role = options.role;
    this.local = localSettings(options);
    this.limits = allLimits(options);
    this.budget = new Budget(this.limits);
    this.#decoder = new HpackDecoder({ maxFields: this.local.maxFields });
    this.encoder = new HpackEncoder({ maxTableBytes: this.local.headerTableBytes });
    this.output = new Output(this.encoder);
    const resets = Math.max(MIN_REMEMBERED_RESETS, 2 * this.local.maxConcurrentStreams);
    this.streams = new StreamTable(this.role, resets);
    this.#writePreface();
  }

  /**
   * RFC 9113 §4.3: decodes a field block, as it must be even if nobody wants it.
   *
   * @throws {H2Error} COMPRESSION_ERROR of the connection
   */
  decode(block: Uint8Array): { fields: Field[]; oversize: boolean } {
    try {
      return this.#decoder.decode(block, this.local.maxHeaderBytes);
    } catch (error) {
      throw asH2Error(error);
    }
  }

  /** RFC 9113 §6.5.3: the peer has applied our settings. */
  acknowledged(): void {
    this.settingsAcknowledged = true;
    this.#decoder.setMaxTableBytes(this.local.headerTableBytes);
    const { windows } = this.streams;
    const change = this.local.initialWindowBytes - windows.receive;
    windows.receive = this.local.initialWindowBytes;
    for (const stream of this.streams.all()) stream.receiveWindow.adjust(change);
  }

  /** Gives so many bytes back to the connection's window. */
  giveBack(bytes: number): void {
    const back = this.receiveWindow.taken(bytes, this.local.connectionWindowBytes);
    if (back > 0) this.output.windowUpdate(0, back);
  }

  /** The same for a stream's window, while the peer needs it. */
  giveBackTo(stream: Stream, bytes: number): void {
    if (stream.remoteEnded) return;
    const back = stream.receiveWindow.taken(bytes, this.local.initialWindowBytes);
    if (back > 0) this.output.windowUpdate(stream.id, back);
  }

  /** RFC 9113 §5.1: the peer sent END_STREAM. */
  remoteEnd(stream: Stream): void {
    stream.remoteEnded = true;
    if (stream.localEnded) this.#completed(stream);
  }

  /** RFC 9113 §5.1: we sent END_STREAM. */
  localEnd(stream: Stream): void {
    stream.localEnded = true;
    if (stream.remoteEnded) this.#completed(stream);
  }

  /** RFC 9113 §5.4.2: RST_STREAM, for a stream that is not idle. */
  resetStream(streamId: number, code: H2Code): void {
    this.output.rstStream(streamId, code);
    this.drop(streamId, true);
  }

  /** A stream was reset, by us or by the peer: what is not consumed of it never will be. */
  drop(streamId: number, byUs: boolean): void {
    const unconsumed = this.streams.get(streamId)?.unconsumed ?? 0;
    this.streams.reset(streamId, byUs);
    if (unconsumed > 0) this.giveBack(unconsumed);
  }

  /** RFC 9113 §6.8: whether our GOAWAY said that this stream of the peer is not served. */
  isLeftOut(streamId: number): boolean {
    return this.streams.isRemote(streamId) && streamId > (this.goawaySent ?? MAX_STREAM_ID);
  }

  #completed(stream: Stream): void {
    this.budget.completed();
    this.streams.ended(stream);
  }

  /** RFC 9113 §3.4, and the window of the connection, which no setting can tell. */
  #writePreface(): void {
    if (this.role === "client") this.output.clientPreface();
    this.output.settings(settingRows(announced(this.local, this.role), this.role));
    const more = this.local.connectionWindowBytes - DEFAULT_WINDOW_BYTES;
    if (more === 0) return;
    this.receiveWindow.adjust(more);
    this.output.windowUpdate(0, more);
  }
}
