import type { Credentials } from "../wire/credentials.ts";
import { encodeAuth } from "./auth.ts";
import {
  AUTH_SUCCESS,
  AUTH_VERSION,
  Socks5Error,
  Socks5Method,
  Socks5Reply,
  SOCKS_VERSION,
  unanswered,
} from "./codes.ts";
import { encodeGreeting } from "./methods.ts";
import {
  encodeRequest,
  MAX_REQUEST_BYTES,
  readReply,
  replySize,
  type Socks5Answer,
  type Socks5Request,
} from "./request.ts";
import { type Step, Steps } from "./steps.ts";

/** What a server's message leads to. */
export type Socks5ClientEvent =
  /** What to send next. */
  | { readonly type: "send"; readonly bytes: Uint8Array }
  /** The last of all; whether it is `Socks5Reply.SUCCEEDED` is not looked at. */
  | { readonly type: "reply" } & Socks5Answer;

type State = "method" | "auth" | "reply" | "done";

/** RFC 1928 §3, RFC 1929 §2: what the server selects, and what it says of a password. */
const PAIR_BYTES = 2;

/**
 * The client's side of SOCKS5: send `greeting`, then what the events give. After the reply `done`
 * holds and `rest` has the bytes behind it, which are the target's.
 *
 * A server that refuses the client is a `Socks5Error` of NOT_ALLOWED.
 */
export class Socks5Client extends Steps<Socks5ClientEvent> {
  /** What the client sends first. */
  readonly greeting: Uint8Array;
  readonly #offered: readonly number[];
  readonly #request: Uint8Array;
  readonly #auth: Uint8Array | null;
  #state: State = "method";

  /**
   * @param credentials offered beside no authentication; `null` for none
   * @throws {RangeError} for what can't be written
   */
  constructor(request: Socks5Request, credentials: Credentials | null = null) {
    super(MAX_REQUEST_BYTES);
    this.#request = encodeRequest(request);
    this.#auth = credentials === null ? null : encodeAuth(credentials);
    this.#offered = credentials === null
      ? [Socks5Method.NO_AUTHENTICATION_REQUIRED]
      : [Socks5Method.NO_AUTHENTICATION_REQUIRED, Socks5Method.USERNAME_PASSWORD];
    this.greeting = encodeGreeting(this.#offered);
  }

  protected override step(): Step<Socks5ClientEvent> | null {
    switch (this.#state) {
      case "method":
        return { size: selectionSize, read: (message) => this.#selected(message[1]) };
      case "auth":
        return { size: statusSize, read: (message) => this.#authenticated(message[1]) };
      case "reply":
        return { size: replySize, read: (message) => this.#replied(message) };
      case "done":
        return null;
    }
  }

  protected override cut(): string {
    return "The server ended before the end of its reply";
  }

  #selected(method: number): Socks5ClientEvent {
    // RFC 1928 §3: X'FF': none is acceptable, and the client MUST close the connection.
    if (method === Socks5Method.NO_ACCEPTABLE_METHODS) {
      throw notAllowed("The server accepts none of the methods that were offered");
    }
    // RFC 1928 §3: "The server selects from one of the methods given in METHODS".
    if (!this.#offered.includes(method)) {
      throw unanswered(`The server selects method ${method}, which was not offered`);
    }
    const isAuth = method === Socks5Method.USERNAME_PASSWORD && this.#auth !== null;
    this.#state = isAuth ? "auth" : "reply";
    return { type: "send", bytes: isAuth ? this.#auth : this.#request };
  }

  #authenticated(status: number): Socks5ClientEvent {
    // RFC 1929 §2: any other status is a failure, and the connection MUST be closed.
    if (status !== AUTH_SUCCESS) throw notAllowed("The server refuses user name and password");
    this.#state = "reply";
    return { type: "send", bytes: this.#request };
  }

  #replied(message: Uint8Array): Socks5ClientEvent {
    const answer = readReply(message);
    this.#state = "done";
    return { type: "reply", ...answer };
  }
}

function selectionSize(bytes: Uint8Array, length: number): number {
  if (length > 0 && bytes[0] !== SOCKS_VERSION) {
    throw unanswered(`The server does not speak SOCKS5: version ${bytes[0]}`);
  }
  return PAIR_BYTES;
}

/**
 * RFC 1929 §2 has the version of the subnegotiation here; many servers write that of SOCKS, so curl
 * and others take both: https://github.com/tinyproxy/tinyproxy/pull/174
 */
function statusSize(bytes: Uint8Array, length: number): number {
  if (length > 0 && bytes[0] !== AUTH_VERSION && bytes[0] !== SOCKS_VERSION) {
    throw unanswered(`Unknown version ${bytes[0]} in the answer to user name and password`);
  }
  return PAIR_BYTES;
}

function notAllowed(message: string): Socks5Error {
  return new Socks5Error(Socks5Reply.NOT_ALLOWED, message);
}
