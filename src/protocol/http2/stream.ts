import { ReceiveWindow, SendWindow } from "./window.ts";

/** RFC 9113 §5.1: those states that a stream of ours can be in, as there is no push. */
export type StreamState = "open" | "half-closed (local)" | "half-closed (remote)" | "closed";

/** What a request's method changes of its exchange. */
export type Exchange = "usual" | "HEAD" | "CONNECT";

/** Which is that of a method. */
export function exchangeOf(method: string): Exchange {
  return method === "HEAD" || method === "CONNECT" ? method : "usual";
}

/** What a stream may send and receive, and how far its messages have come. */
export class Stream {
  readonly id: number;
  readonly exchange: Exchange;
  readonly sendWindow: SendWindow;
  readonly receiveWindow: ReceiveWindow;
  /** We sent END_STREAM. */
  localEnded = false;
  /** The peer sent END_STREAM. */
  remoteEnded = false;
  /** The head of a request was sent, or that of a final response. */
  headSent = false;
  /** It came. */
  headReceived = false;
  /** RFC 9113 §8.5: what the peer sends behind its head is a tunnel. */
  isTunnel = false;
  /** How many interim responses came. */
  interims = 0;
  /** Content that is to come yet; negative when it was not announced. */
  contentLeft = -1;
  /** What was told of, and the owner has not consumed yet. */
  unconsumed = 0;

  constructor(id: number, exchange: Exchange, windows: { send: number; receive: number }) {
    this.id = id;
    this.exchange = exchange;
    this.sendWindow = new SendWindow(windows.send);
    this.receiveWindow = new ReceiveWindow(windows.receive);
  }

  get isClosed(): boolean {
    return this.localEnded && this.remoteEnded;
  }

  get state(): StreamState {
    if (this.localEnded) return this.remoteEnded ? "closed" : "half-closed (local)";
    return this.remoteEnded ? "half-closed (remote)" : "open";
  }
}
