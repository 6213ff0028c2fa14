// RFC 9113 §8.1: heads and trailers, and what they do to their stream.
import type { Field } from "../wire/field.ts";
import { connectionError, H2Code, protocolError, streamError } from "./codes.ts";
import type { Core } from "./core.ts";
import type { H2Event } from "./events.ts";
import {
  checkTrailers,
  contentLength,
  malformed,
  readRequestHead,
  readResponseHead,
  type RequestHead,
  type ResponseHead,
} from "./fields.ts";
import type { FieldsFrame } from "./frame_event.ts";
import { exchangeOf, type Stream } from "./stream.ts";
import { Fate } from "./streams.ts";

/** The most interim responses before the final one. */
const MAX_INTERIMS = 32;

/** Takes field blocks, in the order they came. */
export class Messages {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Takes a field block; `null` for one that nobody wants.
   *
   * @throws {H2Error} of its stream or of the connection
   */
  take(frame: FieldsFrame): H2Event | null {
    const { streams } = this.#core;
    const { streamId } = frame;
    const stream = streams.get(streamId);
    if (stream !== undefined && !stream.isClosed) return this.#takeNext(stream, frame);
    switch (streams.fateOf(streamId)) {
      case Fate.IDLE:
        return this.#takeFirst(frame);
      case Fate.RESET:
        // RFC 9113 §5.1: what was sent before our RST_STREAM was seen is decoded and discarded.
        this.#core.decode(frame.block);
        this.#core.budget.overhead();
        return null;
      case Fate.FORGOTTEN:
        if (!this.#core.isLeftOut(streamId)) {
          // RFC 9113 §5.1.1: an identifier that is not greater than all before is PROTOCOL_ERROR.
          throw protocolError(`HEADERS on stream ${streamId}, which was passed over`);
        }
        this.#core.decode(frame.block);
        return null;
      case Fate.ENDED:
        // RFC 9113 §5.1: on a closed stream it is a connection error STREAM_CLOSED.
        throw connectionError(H2Code.STREAM_CLOSED, `HEADERS on closed stream ${streamId}`);
    }
  }

  /** HEADERS that open a stream. */
  #takeFirst(frame: FieldsFrame): H2Event | null {
    const core = this.#core;
    const { streams } = core;
    const { streamId, endStream } = frame;
    // RFC 9113 §5.1.1: clients open odd-numbered streams. §8.4: servers open none but by a push.
    if (core.role === "client" || !streams.isRemote(streamId)) {
      throw protocolError(`HEADERS open stream ${streamId}`);
    }
    const { fields, oversize } = core.decode(frame.block);
    streams.useRemoteId(streamId);
    // RFC 9113 §6.8: after a GOAWAY, what is above its last stream is ignored.
    if (core.isLeftOut(streamId)) return null;
    // RFC 9113 §5.1.2: a stream above SETTINGS_MAX_CONCURRENT_STREAMS is REFUSED_STREAM.
    if (streams.remoteCount >= core.local.maxConcurrentStreams) {
      throw streamError(H2Code.REFUSED_STREAM, "Too many concurrent streams");
    }
    checkDependency(frame);
    if (oversize) {
      const stream = streams.openRemote(streamId, "usual");
      stream.headReceived = true;
      if (endStream) core.remoteEnd(stream);
      return { type: "oversize", streamId, endStream };
    }
    const head = this.#readRequest(fields);
    const length = requestContent(head);
    // RFC 9113 §8.1.1: Content-Length that is not the sum of all DATA makes a message malformed.
    if (endStream && length > 0) throw malformed("Content-Length without content");
    const stream = streams.openRemote(streamId, exchangeOf(head.method));
    stream.headReceived = true;
    stream.contentLeft = length;
    stream.isTunnel = stream.exchange === "CONNECT";
    if (endStream) core.remoteEnd(stream);
    return { type: "request", streamId, head, endStream };
  }

  /** RFC 7540 §3.2: a request that came by HTTP/1.1, whole, is stream 1, half-closed (remote). */
  upgraded(head: RequestHead): H2Event {
    const { streams } = this.#core;
    const streamId = 1;
    streams.useRemoteId(streamId);
    const stream = streams.openRemote(streamId, exchangeOf(head.method));
    stream.headReceived = true;
    this.#core.remoteEnd(stream);
    return { type: "request", streamId, head, endStream: true };
  }

  #readRequest(fields: Field[]): RequestHead {
    const head = readRequestHead(fields);
    const { enableConnectProtocol, givesUnaskedProtocol } = this.#core.local;
    if (head.protocol !== null && !enableConnectProtocol && !givesUnaskedProtocol) {
      // RFC 8441 §3, RFC 9113 §8.3: :protocol is not defined where nobody said that it may be used.
      throw malformed("Pseudo-header field :protocol is not allowed here");
    }
    return head;
  }

  /** HEADERS on a stream that there is. */
  #takeNext(stream: Stream, frame: FieldsFrame): H2Event {
    const core = this.#core;
    const { streamId, endStream } = frame;
    const { fields, oversize } = core.decode(frame.block);
    // RFC 9113 §5.1: HEADERS after END_STREAM is a stream error STREAM_CLOSED.
    if (stream.remoteEnded) throw streamError(H2Code.STREAM_CLOSED, "HEADERS after END_STREAM");
    checkDependency(frame);
    if (stream.headReceived) return this.#takeTrailers(stream, frame, { fields, oversize });
    if (!oversize) return this.#takeResponse(stream, fields, endStream);
    stream.headReceived = true;
    if (endStream) core.remoteEnd(stream);
    return { type: "oversize", streamId, endStream };
  }

  #takeTrailers(
    stream: Stream,
    frame: FieldsFrame,
    { fields, oversize }: { fields: Field[]; oversize: boolean },
  ): H2Event {
    // RFC 9113 §8.1: HEADERS without END_STREAM behind a head makes a message malformed.
    if (!frame.endStream) throw malformed("Trailers without END_STREAM");
    // RFC 9113 §8.5: on a connected stream, frames other than DATA are a stream error.
    if (stream.isTunnel) throw malformed("HEADERS in a tunnel");
    if (oversize) throw streamError(H2Code.ENHANCE_YOUR_CALM, "Trailers are too large");
    checkTrailers(fields);
    // RFC 9113 §8.1.1: Content-Length that is not the sum of all DATA makes a message malformed.
    if (stream.contentLeft > 0) throw malformed("Less DATA than Content-Length says");
    this.#core.remoteEnd(stream);
    return { type: "trailers", streamId: stream.id, fields };
  }

  #takeResponse(stream: Stream, fields: Field[], endStream: boolean): H2Event {
    const streamId = stream.id;
    const head = readResponseHead(fields);
    if (head.status < 200) {
      // RFC 9113 §8.1: an interim response with END_STREAM is malformed.
      if (endStream) throw malformed("Interim response with END_STREAM");
      if (++stream.interims > MAX_INTERIMS) {
        throw streamError(H2Code.ENHANCE_YOUR_CALM, "Too many interim responses");
      }
      return { type: "informational", streamId, head };
    }
    const length = responseContent(stream, head);
    if (endStream && length > 0) throw malformed("Content-Length without content");
    stream.headReceived = true;
    stream.contentLeft = length;
    stream.isTunnel = isAccepted(stream, head.status);
    if (endStream) this.#core.remoteEnd(stream);
    return { type: "response", streamId, head, endStream };
  }
}

/** RFC 9110 §9.3.6: a 2xx to CONNECT, and only that, makes a tunnel. */
function isAccepted(stream: Stream, status: number): boolean {
  return stream.exchange === "CONNECT" && status >= 200 && status < 300;
}

/** RFC 7540 §5.3.1: a stream that depends on itself is a stream error PROTOCOL_ERROR. */
function checkDependency({ streamId, dependsOn }: FieldsFrame): void {
  if (dependsOn === streamId) throw malformed("Stream depends on itself");
}

/** How much content a request announces; -1 where it doesn't. */
function requestContent({ method, fields }: RequestHead): number {
  const length = contentLength(fields);
  // RFC 9113 §8.5: what comes behind the head of a CONNECT is the tunnel.
  return method === "CONNECT" ? -1 : length ?? -1;
}

/** How much content a response announces; -1 where it doesn't. */
function responseContent(stream: Stream, { status, fields }: ResponseHead): number {
  const length = contentLength(fields);
  // RFC 9110 §9.3.6: Content-Length in a 2xx to CONNECT MUST be ignored.
  if (isAccepted(stream, status)) return -1;
  // RFC 9113 §8.1.1: a response that has no content may say a Content-Length nevertheless.
  if (stream.exchange === "HEAD" || status === 204 || status === 304) return 0;
  return length ?? -1;
}
