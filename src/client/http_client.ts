import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import type { RequestHead, ResponseHead } from "../protocol/wire/message.ts";

/** The answer to an ordinary request. */
export interface ClientResponse extends ResponseHead {
  /** Its body, whole. */
  body: Uint8Array;
}

/** The answer to an extended CONNECT: a tunnel when `status` is 2xx. */
export interface Tunnelled {
  /** Its status and header fields. */
  head: ResponseHead;
  /** The bytes of the tunnel; `null` for a refusal. */
  tunnel: ByteStream | null;
  /** The body of a refusal, up to `MAX_REFUSAL_BYTES`. */
  body: Uint8Array;
  /** Whether that body was longer. */
  isBodyCut: boolean;
}

/** So much of a refusal's body is read: it is for a person, and anybody may have sent it. */
export const MAX_REFUSAL_BYTES = 64 * 1024;

/** No answer to an ordinary request is longer. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** How a connection ended. */
export interface CloseInfo {
  /** The peer's or our error code; -1 when the peer was lost. */
  code: number;
  /** In words; often empty. */
  reason: string;
  /** Whether the peer ended it, or was lost. */
  byPeer: boolean;
}

/** What goes with one request. */
export interface AskOptions {
  /** Gives this request up; the connection lives on. */
  signal?: AbortSignal;
  /**
   * Whether to wait until the server has room for one more stream (default); otherwise `NoRoom` is
   * thrown where it has none.
   */
  wait?: boolean;
  /** Called once when the tunnel is over, and its stream with it, or at last soon after. */
  onFreed?: () => void;
}

/** One connection of HTTP/2 or HTTP/3 on the client's side. */
export interface HttpClient {
  /** The version that it speaks. */
  readonly http: "2" | "3";
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** Whether the server said that it takes no more requests. */
  readonly goingAway: boolean;
  /**
   * Whether the server's SETTINGS allow WebSockets here; waits for them. Rejects where the
   * connection is over.
   */
  extendedConnect(): Promise<boolean>;
  /** An ordinary request without a body. */
  fetch(head: RequestHead, options?: AskOptions): Promise<ClientResponse>;
  /** An extended CONNECT; waits for the server's SETTINGS, which must allow it. */
  connect(head: RequestHead, options?: AskOptions): Promise<Tunnelled>;
  /** Ends the connection, and all that is open on it. */
  close(): void;
}

/** The server has as many streams of this connection as it takes. */
export class NoRoom extends NetError {
  /** The name of the class. */
  override name = "NoRoom";

  /** The error. */
  constructor() {
    super("other", "the server takes no more streams on this connection");
  }
}

/** The server's SETTINGS came, and do not allow WebSockets. */
export class NoExtendedConnect extends NetError {
  /** The name of the class. */
  override name = "NoExtendedConnect";

  /** The error, on a connection of that version. */
  constructor(http: "2" | "3") {
    const rfc = http === "2" ? "RFC 8441" : "RFC 9220";
    const said = `no extended CONNECT over HTTP/${http}`;
    const setting = `SETTINGS_ENABLE_CONNECT_PROTOCOL, ${rfc} §3`;
    super("other", `the server announces ${said} (${setting})`);
  }
}

/** It broke behind what the server had said in HTTP: so that is what is spoken there. */
export class BrokenOff extends NetError {}

/** The server did not look at the request: it may be sent once more, on another connection. */
export class Unprocessed extends BrokenOff {
  /** The name of the class. */
  override name = "Unprocessed";
  /** RFC 9113 §7: whether the server wants HTTP/1.1 for it. */
  readonly wantsHttp11: boolean;

  /** An error that says how the server put it. */
  constructor(message: string, wantsHttp11 = false) {
    super("reset", message);
    this.wantsHttp11 = wantsHttp11;
  }
}

/** Nothing is asked of a connection behind its GOAWAY. */
export function leaving(): Unprocessed {
  return new Unprocessed("the server is going away (GOAWAY)");
}

/** What a fired signal says, as it is thrown. */
export function abortError(signal: AbortSignal): NetError {
  const { reason } = signal;
  if (reason instanceof NetError) return reason;
  const timedOut = reason instanceof DOMException && reason.name === "TimeoutError";
  return timedOut
    ? new NetError("timeout", "no answer in time", reason)
    : new NetError("aborted", "given up", reason);
}

/**
 * What `work` gives; or, if the signal fires before, its reason, thrown at once. Nobody waits for
 * `work` then, and what it gives goes to `late`.
 */
export async function orAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  late: (value: T) => void = () => {},
): Promise<T> {
  if (signal === undefined) return await work;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => {
    work.then(late, () => {});
    aborted.reject(abortError(signal));
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
