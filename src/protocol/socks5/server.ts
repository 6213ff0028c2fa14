import type { Credentials } from "../wire/credentials.ts";
import { authSize, MAX_AUTH_BYTES, readAuth } from "./auth.ts";
import { Socks5Method } from "./codes.ts";
import { greetingSize, selectMethod } from "./methods.ts";
import { readRequest, requestSize, type Socks5Request } from "./request.ts";
import { type Step, Steps } from "./steps.ts";

/** How clients may authenticate themselves. */
export type AcceptedMethod =
  | typeof Socks5Method.NO_AUTHENTICATION_REQUIRED
  | typeof Socks5Method.USERNAME_PASSWORD;

/** What a client says, in this order. */
export type Socks5ServerEvent =
  /** How it can authenticate itself; `method` is what was selected of it, for `encodeMethod`. */
  | { readonly type: "methods"; readonly method: number }
  /** For `encodeAuthStatus`; only where USERNAME_PASSWORD was selected. */
  | { readonly type: "auth" } & Credentials
  /** For `encodeReply`. */
  | { readonly type: "request" } & Socks5Request;

type State = "greeting" | "auth" | "request" | "done";

/**
 * The server's side of SOCKS5: gives what the client says, one event for each message. A client may
 * send all at once: whoever does not like an event asks for no more of them. After the request
 * `done` holds and `rest` has the bytes behind it, which are the target's.
 *
 * What it throws is a `Socks5Error` with the answer to send before the connection is closed.
 */
export class Socks5Server extends Steps<Socks5ServerEvent> {
  readonly #accepted: readonly AcceptedMethod[];
  #state: State = "greeting";

  /** @param accepted how clients may authenticate themselves, the best first */
  constructor(accepted: readonly AcceptedMethod[]) {
    super(MAX_AUTH_BYTES);
    this.#accepted = accepted;
  }

  protected override step(): Step<Socks5ServerEvent> | null {
    switch (this.#state) {
      case "greeting":
        return { size: greetingSize, read: (message) => this.#greeting(message) };
      case "auth":
        return { size: authSize, read: (message) => this.#auth(message) };
      case "request":
        return { size: requestSize, read: (message) => this.#request(message) };
      case "done":
        return null;
    }
  }

  /** A connection that ends before it says anything is a probe, and no fault. */
  protected override cut(): string | null {
    if (this.#state === "greeting" && this.buffered === 0) return null;
    return "The client ended before the end of its request";
  }

  #greeting(message: Uint8Array): Socks5ServerEvent {
    const method = selectMethod(message, this.#accepted);
    this.#state = method === Socks5Method.USERNAME_PASSWORD ? "auth" : "request";
    return { type: "methods", method };
  }

  #auth(message: Uint8Array): Socks5ServerEvent {
    const credentials = readAuth(message);
    this.#state = "request";
    return { type: "auth", ...credentials };
  }

  #request(message: Uint8Array): Socks5ServerEvent {
    const request = readRequest(message);
    this.#state = "done";
    return { type: "request", ...request };
  }
}
