import { TunnelCode } from "./code.ts";
import { type Frame, invalid, MAX_WINDOW_BYTES } from "./frame.ts";
import type { MuxState } from "./mux_state.ts";
import type { MuxStream } from "./mux_stream.ts";

/**
 * What a link tells its owner. Nothing more comes of a stream after `refused` and `reset`, nor after
 * `fin` where FIN was sent.
 *
 * - `open`: the gateway wants a stream: `accept` or `refuse` it. Told to the agent only.
 * - `opened`, `refused`: the agent's answer. Told to the gateway only.
 * - `data`: a view that holds as long as the message. `consumed` is to be told of it.
 * - `credit`: more may be sent; also `opened` may tell that.
 * - `fin`: the peer sends no more on this stream, but it may take more.
 * - `ping`: its `pong` is queued.
 * - `drain`: the peer will close the link after so many milliseconds, and takes no new streams.
 */
export type MuxEvent = Exclude<Frame, { type: "auth" | "authed" }>;

/**
 * Takes a frame; `null` where there is nothing to tell.
 *
 * @throws {TunnelError} of the connection
 */
export function takeFrame(state: MuxState, frame: Frame): MuxEvent | null {
  switch (frame.type) {
    case "data":
      return takeData(state, frame);
    case "credit":
      return takeCredit(state, frame);
    case "open":
      return takeOpen(state, frame);
    case "opened":
      return takeOpened(state, frame);
    case "refused":
      return takeRefused(state, frame);
    case "fin":
      return takeFin(state, frame);
    case "reset":
      return takeReset(state, frame);
    case "ping":
      state.output.reply({ type: "pong", payload: frame.payload });
      return frame;
    case "pong":
      return frame;
    case "drain":
      state.isDraining = true;
      return frame;
    case "auth":
    case "authed":
      // There is one of each, and it came before there was a mux.
      throw invalid(`Second ${frame.type.toUpperCase()}`);
  }
}

type Of<Type extends Frame["type"]> = Extract<Frame, { type: Type }>;

function takeData(state: MuxState, frame: Of<"data">): MuxEvent | null {
  const { length } = frame.bytes;
  // It would cost the peer nothing.
  if (length === 0) throw invalid(`Empty DATA on stream ${frame.id}`);
  const stream = find(state, frame);
  if (stream === undefined) {
    state.takeLate(length);
    return null;
  }
  checkSender(stream, frame);
  if (length > stream.receiveCredit) {
    throw invalid(`${length} bytes of DATA with a credit of ${stream.receiveCredit}`);
  }
  stream.receiveCredit -= length;
  stream.unconsumed += length;
  return frame;
}

function takeCredit(state: MuxState, frame: Of<"credit">): MuxEvent | null {
  const stream = find(state, frame);
  if (stream === undefined) return null;
  if (!stream.isOpen) throw early(frame);
  if (stream.sendCredit + frame.bytes > MAX_WINDOW_BYTES) {
    throw invalid(`CREDIT makes a window above ${MAX_WINDOW_BYTES}`);
  }
  stream.sendCredit += frame.bytes;
  return stream.localEnded ? null : frame;
}

function takeOpen(state: MuxState, frame: Of<"open">): MuxEvent | null {
  const { id } = frame;
  if (state.role !== "agent") throw wrongWay(frame);
  if (id <= state.highestId) throw invalid(`OPEN of stream ${id} after ${state.highestId}`);
  state.highestId = id;
  if (state.streams >= state.maxStreams) {
    const message = `More than ${state.maxStreams} streams`;
    state.output.reply({ type: "refused", id, code: TunnelCode.RATE_LIMITED, message });
    return null;
  }
  state.add(id).sendCredit = frame.windowBytes;
  return frame;
}

function takeOpened(state: MuxState, frame: Of<"opened">): MuxEvent | null {
  const stream = findAsked(state, frame);
  if (stream === undefined) return null;
  stream.isOpen = true;
  stream.sendCredit = frame.windowBytes;
  return frame;
}

function takeRefused(state: MuxState, frame: Of<"refused">): MuxEvent | null {
  const stream = findAsked(state, frame);
  if (stream === undefined) return null;
  state.remove(stream);
  return frame;
}

function takeFin(state: MuxState, frame: Of<"fin">): MuxEvent | null {
  const stream = find(state, frame);
  if (stream === undefined) return null;
  checkSender(stream, frame);
  stream.remoteEnded = true;
  if (stream.localEnded) state.remove(stream);
  return frame;
}

function takeReset(state: MuxState, frame: Of<"reset">): MuxEvent | null {
  const stream = find(state, frame);
  if (stream === undefined) return null;
  // An agent that doesn't reach the target says REFUSED; a gateway may not wait any longer.
  if (!stream.isOpen && state.role === "gateway") throw early(frame);
  state.remove(stream);
  return frame;
}

type StreamFrame = Extract<Frame, { id: number }>;

/**
 * The stream of a frame; `undefined` if it is over: the peer may not have known.
 *
 * @throws {TunnelError} INVALID_MESSAGE where there never was one
 */
function find(state: MuxState, frame: StreamFrame): MuxStream | undefined {
  const stream = state.get(frame.id);
  if (stream === undefined && frame.id > state.highestId) {
    throw invalid(`${nameOf(frame)} on stream ${frame.id}, which was never opened`);
  }
  return stream;
}

/** The same for the answer to OPEN. */
function findAsked(state: MuxState, frame: StreamFrame): MuxStream | undefined {
  if (state.role !== "gateway") throw wrongWay(frame);
  const stream = find(state, frame);
  if (stream?.isOpen) throw invalid(`${nameOf(frame)} on stream ${stream.id}, which is open`);
  return stream;
}

/** Whether the peer may send DATA and FIN still, or yet. */
function checkSender(stream: MuxStream, frame: StreamFrame): void {
  if (!stream.isOpen) throw early(frame);
  if (stream.remoteEnded) throw invalid(`${nameOf(frame)} behind FIN on stream ${stream.id}`);
}

function early(frame: StreamFrame) {
  return invalid(`${nameOf(frame)} on stream ${frame.id}, which is not open yet`);
}

function wrongWay(frame: StreamFrame) {
  const sender = frame.type === "open" ? "an agent" : "a gateway";
  return invalid(`${nameOf(frame)} from ${sender}`);
}

function nameOf({ type }: Frame): string {
  return type.toUpperCase();
}
