import type { Field } from "../wire/field.ts";
import type { RequestHead, ResponseHead } from "../wire/message.ts";
import type { H2Error } from "./codes.ts";
import type { Settings } from "./settings.ts";

/** What a connection tells its owner. After `endStream`, nothing more comes on that stream. */
export type H2Event =
  /** Server: a request begins. Always the first of its stream, or else `oversize` is. */
  | { type: "request"; streamId: number; head: RequestHead; endStream: boolean }
  /** Client: the final response begins. */
  | { type: "response"; streamId: number; head: ResponseHead; endStream: boolean }
  /** Client: an interim response (1xx) came. */
  | { type: "informational"; streamId: number; head: ResponseHead }
  /**
   * A head is larger than we take: a server answers 431, a client resets. What the fields said is
   * forgotten, but the stream is open.
   */
  | { type: "oversize"; streamId: number; endStream: boolean }
  /**
   * Content, or bytes of a tunnel: a view that holds until the next `push`. Empty only with
   * `endStream`. `consumed` is to be told of it, sooner or later.
   */
  | { type: "data"; streamId: number; bytes: Uint8Array; endStream: boolean }
  /** Trailers came, and the stream's end with them. */
  | { type: "trailers"; streamId: number; fields: Field[] }
  /**
   * The peer reset the stream. `REFUSED_STREAM` also for each stream that its GOAWAY leaves out.
   * Nothing more can be sent on it, and what is not consumed yet needn't be.
   */
  | { type: "reset"; streamId: number; code: number }
  /**
   * The peer broke a rule on this stream, or opened one too many: RST_STREAM is queued. The owner
   * may never have heard of the stream.
   */
  | { type: "streamError"; streamId: number; error: H2Error }
  /** More may be sent on this stream; or as `streamId` 0 on each one that waits. */
  | { type: "window"; streamId: number }
  /** The peer's settings came or changed, and with them, maybe, each stream's window. */
  | { type: "settings"; settings: Settings }
  /** The answer to our `ping`. */
  | { type: "pong"; payload: Uint8Array }
  /** The peer takes no streams of ours above `lastStreamId`, and we can open none. */
  | { type: "goaway"; lastStreamId: number; code: number };
