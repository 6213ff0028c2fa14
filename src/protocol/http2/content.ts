// RFC 9113 §6.1, §6.9, §8.1.1: which DATA frames are taken.
import { connectionError, H2Code, type H2Error, protocolError, streamError } from "./codes.ts";
import type { Core } from "./core.ts";
import { malformed } from "./fields.ts";
import type { DataHeader } from "./frame_event.ts";
import type { Stream } from "./stream.ts";
import { Fate } from "./streams.ts";

/** Judges each DATA frame by its header, before its data comes. */
export class Content {
  /** Why the last frame that was not admitted was not; `null` when that is no error. */
  refusal: { streamId: number; error: H2Error } | null = null;
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Whether the data is wanted. Where it is not, it was given back to the connection's window.
   *
   * @throws {H2Error} of the connection
   */
  admit(header: DataHeader): boolean {
    const core = this.#core;
    const { streamId, dataBytes, paddingBytes } = header;
    const size = dataBytes + paddingBytes;
    // RFC 9113 §6.9: DATA MUST always be counted for the connection, even if it is in error.
    core.receiveWindow.received(size, "connection");
    const stream = core.streams.get(streamId);
    const error = stream === undefined || stream.isClosed
      ? this.#judgeClosed(streamId)
      : judge(stream, header);
    if (stream === undefined || stream.isClosed || error !== null) {
      core.giveBack(size);
      core.budget.overhead();
      this.refusal = error === null ? null : { streamId, error };
      return false;
    }
    core.budget.received(dataBytes, header.endStream);
    if (stream.contentLeft >= 0) stream.contentLeft -= dataBytes;
    if (paddingBytes > 0) {
      // RFC 9113 §6.1: padding is included in flow control; it is consumed as it comes.
      core.giveBack(paddingBytes);
      core.giveBackTo(stream, paddingBytes);
    }
    return true;
  }

  /** DATA on a stream that there is not. */
  #judgeClosed(streamId: number): H2Error | null {
    switch (this.#core.streams.fateOf(streamId)) {
      case Fate.IDLE:
        // RFC 9113 §5.1: any frame but HEADERS and PRIORITY on an idle stream is PROTOCOL_ERROR.
        throw protocolError(`DATA on idle stream ${streamId}`);
      case Fate.RESET:
        // RFC 9113 §5.1: what was sent before our RST_STREAM was seen is discarded.
        return null;
      case Fate.FORGOTTEN:
        // RFC 9113 §6.8: so is what our GOAWAY left out.
        if (this.#core.isLeftOut(streamId)) return null;
        // RFC 9113 §6.1: DATA on a stream that is not open is a stream error STREAM_CLOSED.
        return streamError(H2Code.STREAM_CLOSED, "DATA on a closed stream");
      case Fate.ENDED:
        // RFC 9113 §5.1: on a closed stream it is a connection error STREAM_CLOSED.
        throw connectionError(H2Code.STREAM_CLOSED, `DATA on closed stream ${streamId}`);
    }
  }
}

/** Why DATA is a stream error; counts it for the stream's window if it is not. */
function judge(stream: Stream, header: DataHeader): H2Error | null {
  const { dataBytes, paddingBytes, endStream } = header;
  // RFC 9113 §5.1: DATA after END_STREAM is a stream error STREAM_CLOSED.
  if (stream.remoteEnded) return streamError(H2Code.STREAM_CLOSED, "DATA after END_STREAM");
  // RFC 9113 §8.1: a message begins with HEADERS.
  if (!stream.headReceived) return malformed("DATA before the head of a response");
  if (dataBytes + paddingBytes > stream.receiveWindow.bytes) {
    // RFC 9113 §6.9.1: a sender MUST NOT send more than the window has.
    return streamError(H2Code.FLOW_CONTROL_ERROR, "More DATA than the stream's window has");
  }
  const left = stream.contentLeft;
  // RFC 9113 §8.1.1: Content-Length that is not the sum of all DATA makes a message malformed.
  if (left >= 0 && dataBytes > left) return malformed("More DATA than Content-Length says");
  if (left > dataBytes && endStream) return malformed("Less DATA than Content-Length says");
  stream.receiveWindow.received(dataBytes + paddingBytes, "stream");
  return null;
}
