import { H2Code, H2Error, protocolError, streamError, tooMuch } from "./codes.ts";
import { Content } from "./content.ts";
import type { Core } from "./core.ts";
import type { H2Event } from "./events.ts";
import type { Frame } from "./frame_event.ts";
import { Messages } from "./messages.ts";
import { applySettings, SettingId } from "./settings.ts";
import type { Stream } from "./stream.ts";
import { Fate } from "./streams.ts";
import type { Upgrade } from "./upgrade.ts";

/** RFC 9113 §5, §6: what each frame does to the connection and its streams. */
export class Receiver {
  readonly content: Content;
  readonly #core: Core;
  readonly #messages: Messages;
  /** What is to be told first of all. */
  #first: H2Event | null = null;
  /** Streams that the peer's GOAWAY left out, to be told of. */
  #leftOut: number[] = [];

  constructor(core: Core) {
    this.#core = core;
    this.content = new Content(core);
    this.#messages = new Messages(core);
  }

  /** What is to be told before the next frame is taken; `null` for nothing. */
  pending(): H2Event | null {
    const first = this.#first;
    if (first !== null) {
      this.#first = null;
      return first;
    }
    const streamId = this.#leftOut.pop();
    if (streamId === undefined) return null;
    return { type: "reset", streamId, code: H2Code.REFUSED_STREAM };
  }

  /** RFC 7540 §3.2.1: the settings need no acknowledgement: the 101 was one. */
  upgraded({ settings, request }: Upgrade): void {
    this.#applySettings(settings);
    this.#first = this.#messages.upgraded(request);
  }

  /**
   * Takes a frame; `null` where there is nothing to tell.
   *
   * @throws {H2Error} of the connection
   */
  take(frame: Frame): H2Event | null {
    const event = this.#takeOrReset(frame);
    const { output, limits } = this.#core;
    // RFC 9113 §10.5: answers that pile up because the peer doesn't read them.
    if (output.replyBytes > limits.maxReplyBytes) throw tooMuch("Too many answers wait");
    return event;
  }

  /** RFC 9113 §5.4.2: a stream error ends with RST_STREAM. */
  #takeOrReset(frame: Frame): H2Event | null {
    try {
      return this.#dispatch(frame);
    } catch (error) {
      if (!(error instanceof H2Error) || error.scope !== "stream") throw error;
      return this.#fail("streamId" in frame ? frame.streamId : 0, error);
    }
  }

  #fail(streamId: number, error: H2Error): H2Event {
    const { role, budget } = this.#core;
    this.#core.resetStream(streamId, error.code as H2Code);
    if (role === "server") budget.reset();
    return { type: "streamError", streamId, error };
  }

  #dispatch(frame: Frame): H2Event | null {
    switch (frame.type) {
      case "data":
        return this.#takeData(frame);
      case "windowUpdate":
        return this.#takeWindowUpdate(frame.streamId, frame.increment);
      case "fields":
        return this.#messages.take(frame);
      case "discarded":
        return this.#takeDiscarded();
      case "rstStream":
        return this.#takeReset(frame.streamId, frame.code);
      case "settings":
        return this.#takeSettings(frame.payload);
      case "settingsAck":
        return this.#takeSettingsAck();
      case "ping":
        return this.#takePing(frame.payload, frame.ack);
      case "goaway":
        return this.#takeGoaway(frame.lastStreamId, frame.code);
      case "priority":
        return this.#takePriority(frame.streamId, frame.dependsOn);
      case "unknown":
        this.#core.budget.overhead();
        return null;
    }
  }

  #takeData(frame: Frame & H2Event & { type: "data" }): H2Event | null {
    const stream = this.#core.streams.get(frame.streamId);
    if (stream === undefined) {
      // We reset the stream since the frame began.
      this.#core.giveBack(frame.bytes.length);
      return null;
    }
    stream.unconsumed += frame.bytes.length;
    if (frame.endStream) this.#core.remoteEnd(stream);
    return frame;
  }

  #takeDiscarded(): H2Event | null {
    const { refusal } = this.content;
    this.content.refusal = null;
    return refusal === null ? null : this.#fail(refusal.streamId, refusal.error);
  }

  #takeReset(streamId: number, code: number): H2Event | null {
    const { role, budget } = this.#core;
    budget.overhead();
    const stream = this.#liveStream(streamId, "RST_STREAM");
    if (stream === null) return null;
    // RFC 9113 §10.5, CVE-2023-44487: a stream that is opened to be reset costs the peer nothing.
    if (role === "server") budget.reset();
    this.#core.drop(streamId, false);
    return { type: "reset", streamId, code };
  }

  #takeWindowUpdate(streamId: number, increment: number): H2Event | null {
    const core = this.#core;
    core.budget.overhead();
    if (streamId === 0) {
      // RFC 9113 §6.9: an increment of 0 is an error, for the connection one of the connection.
      if (increment === 0) throw protocolError("WINDOW_UPDATE of 0 on the connection");
      const mayGoOn = core.sendWindow.grow(increment, "connection");
      return mayGoOn ? { type: "window", streamId } : null;
    }
    const stream = this.#liveStream(streamId, "WINDOW_UPDATE");
    if (stream === null) return null;
    // RFC 9113 §6.9: an increment of 0 is a stream error PROTOCOL_ERROR.
    if (increment === 0) throw streamError(H2Code.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    const mayGoOn = stream.sendWindow.grow(increment, "stream");
    return mayGoOn && !stream.localEnded ? { type: "window", streamId } : null;
  }

  /** RFC 9113 §6.5.3: settings are applied, and acknowledged at once. */
  #takeSettings(payload: Uint8Array): H2Event {
    const { budget, output, peerSettings } = this.#core;
    this.#core.settingsReceived = true;
    budget.settings();
    this.#applySettings(payload);
    output.settingsAck();
    return { type: "settings", settings: { ...peerSettings } };
  }

  #applySettings(payload: Uint8Array): void {
    const { role, encoder, peerSettings, streams } = this.#core;
    const before = peerSettings.initialWindowSize;
    applySettings(peerSettings, payload, {
      role,
      changed: (id, value) => {
        if (id === SettingId.HEADER_TABLE_SIZE) encoder.setMaxTableBytes(value);
      },
    });
    streams.windows.send = peerSettings.initialWindowSize;
    const change = peerSettings.initialWindowSize - before;
    // RFC 9113 §6.9.2: the windows of all streams change, and may become negative.
    for (const stream of streams.all()) {
      if (change !== 0 && !stream.localEnded) stream.sendWindow.grow(change, "connection");
    }
  }

  #takeSettingsAck(): null {
    // RFC 9113 §6.5.3: what was not sent can't be acknowledged.
    if (this.#core.settingsAcknowledged) throw protocolError("SETTINGS acknowledged twice");
    this.#core.acknowledged();
    return null;
  }

  #takePing(payload: Uint8Array, ack: boolean): H2Event | null {
    if (ack) return { type: "pong", payload };
    this.#core.budget.ping();
    // RFC 9113 §6.7: a PING MUST be answered, with the same payload.
    this.#core.output.ping(payload, true);
    return null;
  }

  #takeGoaway(lastStreamId: number, code: number): H2Event {
    const core = this.#core;
    core.budget.overhead();
    // RFC 9113 §6.8: endpoints MUST NOT increase the last stream identifier.
    if (lastStreamId > (core.goawayReceived ?? Infinity)) {
      throw protocolError(`GOAWAY rose from ${core.goawayReceived} to ${lastStreamId}`);
    }
    core.goawayReceived = lastStreamId;
    // RFC 9113 §6.8: what is above it was never processed.
    for (const { id, isClosed } of core.streams.all()) {
      if (id > lastStreamId && !core.streams.isRemote(id) && !isClosed) this.#leftOut.push(id);
    }
    for (const id of this.#leftOut) core.drop(id, false);
    this.#leftOut.reverse();
    return { type: "goaway", lastStreamId, code };
  }

  /** RFC 9113 §5.3.2: priorities are deprecated, and do nothing. */
  #takePriority(streamId: number, dependsOn: number): null {
    const { budget, streams } = this.#core;
    budget.overhead();
    if (dependsOn !== streamId) return null;
    // RFC 7540 §5.3.1: a stream that depends on itself is a stream error PROTOCOL_ERROR. RFC 9113
    // §5.1: but no RST_STREAM on an idle stream, and nothing on a closed one.
    if (streams.get(streamId) !== undefined) {
      throw streamError(H2Code.PROTOCOL_ERROR, "Stream depends on itself");
    }
    if (streams.fateOf(streamId) === Fate.IDLE) {
      throw protocolError(`Idle stream ${streamId} depends on itself`);
    }
    return null;
  }

  /**
   * The stream, if it is not closed; `null` otherwise.
   *
   * @throws {H2Error} PROTOCOL_ERROR of the connection when it is idle
   */
  #liveStream(streamId: number, what: string): Stream | null {
    const { streams } = this.#core;
    const stream = streams.get(streamId);
    // RFC 9113 §5.1: WINDOW_UPDATE and RST_STREAM may come late on a closed stream.
    if (stream !== undefined) return stream.isClosed ? null : stream;
    // RFC 9113 §5.1: any frame but HEADERS and PRIORITY on an idle stream is PROTOCOL_ERROR.
    if (streams.fateOf(streamId) === Fate.IDLE) {
      throw protocolError(`${what} on idle stream ${streamId}`);
    }
    return null;
  }
}
