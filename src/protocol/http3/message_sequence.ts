import { H3Code, H3Error } from "./codes.ts";
import { malformed } from "./fields.ts";
import { FrameType, frameTypeName, isReservedHttp2FrameType, type Role } from "./frame.ts";

/** Where in the sequence of frames of a request stream we are. */
const Phase = { START: 0, BODY: 1, TRAILED: 2, TUNNEL: 3 } as const;
type Phase = typeof Phase[keyof typeof Phase];

/** RFC 9114 §4.1: which frames a request stream may have, and in which order. */
export class MessageSequence {
  readonly #role: Role;
  #phase: Phase = Phase.START;
  /** Content that is to come yet; negative when it was not announced. */
  #contentLeft = -1;

  constructor(role: Role) {
    this.#role = role;
  }

  get inTunnel(): boolean {
    return this.#phase === Phase.TUNNEL;
  }

  /** Client: the last HEADERS were not of an interim response. */
  finalHeaders(): void {
    if (this.#phase === Phase.START) this.#phase = Phase.BODY;
  }

  /**
   * CONNECT has completed.
   *
   * @throws {H3Error} when trailers came before it
   */
  tunnel(): void {
    // RFC 9114 §4.4: in a CONNECT only DATA comes behind the first HEADERS.
    if (this.#phase === Phase.TRAILED) throw unexpected(FrameType.HEADERS, "before a tunnel");
    if (this.#phase !== Phase.BODY) throw new Error("tunnel() without CONNECT");
    this.#phase = Phase.TUNNEL;
    this.#contentLeft = -1;
  }

  expectContent(length: number): void {
    this.#contentLeft = length;
  }

  /** A HEADERS frame was taken: says what it was. */
  fieldsCame(): "headers" | "trailers" {
    if (this.#phase === Phase.START) {
      // RFC 9114 §4.1: any number of interim responses may come before the final one.
      if (this.#role === "server") this.#phase = Phase.BODY;
      return "headers";
    }
    this.#phase = Phase.TRAILED;
    return "trailers";
  }

  /**
   * Judges a frame by its header.
   *
   * @throws {H3Error}
   */
  check(type: number, length: number): void {
    switch (type) {
      case FrameType.DATA:
        return this.#checkData(length);
      case FrameType.HEADERS:
        return this.#checkHeaders();
      case FrameType.PUSH_PROMISE:
        return this.#checkPushPromise(length);
      // RFC 9114 §7.2.3, §7.2.4, §7.2.6, §7.2.7: only on the control stream.
      case FrameType.CANCEL_PUSH:
      case FrameType.SETTINGS:
      case FrameType.GOAWAY:
      case FrameType.MAX_PUSH_ID:
        throw unexpected(type, "on a request stream");
    }
    // RFC 9114 §7.2.8: frame types of HTTP/2 are H3_FRAME_UNEXPECTED.
    if (isReservedHttp2FrameType(type)) throw unexpected(type, "is of HTTP/2");
    // RFC 9114 §9: unknown frame types MUST be ignored, wherever they are.
  }

  /**
   * Judges an end between two frames.
   *
   * @throws {H3Error}
   */
  checkEnd(): void {
    // RFC 9114 §4.1: a stream that ends before its message began: H3_REQUEST_INCOMPLETE.
    if (this.#phase === Phase.START) {
      throw new H3Error(H3Code.H3_REQUEST_INCOMPLETE, "stream", "Stream ended before HEADERS");
    }
    // RFC 9114 §4.1.2: Content-Length that is not the sum of all DATA makes a message malformed.
    if (this.#contentLeft > 0) {
      throw malformed(`Stream ended ${this.#contentLeft} bytes short of Content-Length`);
    }
  }

  #checkData(length: number): void {
    // RFC 9114 §4.1: DATA before any HEADERS, or behind the trailers, is an invalid sequence.
    if (this.#phase === Phase.START) throw unexpected(FrameType.DATA, "before HEADERS");
    if (this.#phase === Phase.TRAILED) throw unexpected(FrameType.DATA, "after the trailers");
    if (this.#contentLeft < 0) return;
    // RFC 9114 §4.1.2: Content-Length that is not the sum of all DATA makes a message malformed.
    if (length > this.#contentLeft) throw malformed("More DATA than Content-Length says");
    this.#contentLeft -= length;
  }

  #checkHeaders(): void {
    // RFC 9114 §4.1: HEADERS behind the trailers is an invalid sequence.
    if (this.#phase === Phase.TRAILED) throw unexpected(FrameType.HEADERS, "after the trailers");
    // RFC 9114 §4.4: once CONNECT has completed, only DATA may be sent.
    if (this.#phase === Phase.TUNNEL) throw unexpected(FrameType.HEADERS, "in a tunnel");
  }

  #checkPushPromise(length: number): never {
    // RFC 9114 §7.2.5: a server MUST treat PUSH_PROMISE as H3_FRAME_UNEXPECTED.
    if (this.#role === "server") throw unexpected(FrameType.PUSH_PROMISE, "from a client");
    // RFC 9114 §4.4: once CONNECT has completed, only DATA may be sent.
    if (this.#phase === Phase.TUNNEL) throw unexpected(FrameType.PUSH_PROMISE, "in a tunnel");
    // RFC 9114 §7.1: a payload that ends before its fields is H3_FRAME_ERROR.
    if (length === 0) {
      throw new H3Error(H3Code.H3_FRAME_ERROR, "connection", "PUSH_PROMISE without a push ID");
    }
    // RFC 9114 §7.2.5: a push ID above what MAX_PUSH_ID allowed is H3_ID_ERROR. We allow none.
    throw new H3Error(H3Code.H3_ID_ERROR, "connection", "PUSH_PROMISE that was never allowed");
  }
}

function unexpected(type: number, where: string): H3Error {
  return new H3Error(
    H3Code.H3_FRAME_UNEXPECTED,
    "connection",
    `Frame ${frameTypeName(type)} ${where}`,
  );
}
