import type { Socket } from "../endpoint/socket.ts";
import { messageOf, NetError } from "../net/error.ts";
import { connectWebSocket, pairsOf } from "./connect.ts";
import { EventHandler } from "./event_handler.ts";
import { asWebIdl } from "./web_idl.ts";
import {
  credentialsOf,
  optionsOf,
  readClose,
  readData,
  readProtocols,
  readUrl,
  sizeOf,
  type WebSocket3Options,
  withoutUser,
} from "./websocket3_arguments.ts";

import { closeOf, FAILED, shownAs } from "./websocket3_events.ts";
import { Sends } from "./websocket3_sends.ts";

export type { WebSocket3Options } from "./websocket3_arguments.ts";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/**
 * The `WebSocket` of the WHATWG (https://websockets.spec.whatwg.org/) over HTTP/3, HTTP/2 and
 * HTTP/1.1, for programs and libraries that want that interface. It has no backpressure: use
 * `connectWebSocket` where a peer may send faster than messages are worked on.
 *
 * Beside it: the second argument may be an object of options; `http` says which version of HTTP
 * carries it; the event `error` is an `ErrorEvent` that says why; a user and a password in the URL
 * go as Basic authorization. What guards servers against pages is left out: no port is blocked, and
 * several sockets to one host are opened at once.
 *
 * ```ts
 * import { WebSocket3 } from "h3ws";
 *
 * const ca = await Deno.readTextFile("ca.pem");
 * const socket = new WebSocket3("wss://localhost:8443/ws", { httpVersion: "3", caCerts: [ca] });
 * socket.onopen = () => socket.send("hello");
 * socket.onmessage = ({ data }) => {
 *   console.log(data); // "hello"
 *   socket.close(1000, "bye");
 * };
 * socket.onclose = ({ code, reason, wasClean }) => {
 *   console.log(code, reason, wasClean); // 1000 "bye" true
 * };
 * ```
 */
export class WebSocket3 extends EventTarget implements WebSocket {
  /** 0: it is being opened. */
  declare static readonly CONNECTING: 0;
  /** 1: messages go. */
  declare static readonly OPEN: 1;
  /** 2: it is being closed. */
  declare static readonly CLOSING: 2;
  /** 3: it has ended, or could not be opened. */
  declare static readonly CLOSED: 3;
  /** 0: it is being opened. */
  declare readonly CONNECTING: 0;
  /** 1: messages go. */
  declare readonly OPEN: 1;
  /** 2: it is being closed. */
  declare readonly CLOSING: 2;
  /** 3: it has ended, or could not be opened. */
  declare readonly CLOSED: 3;

  readonly #url: URL;
  readonly #cancel = new AbortController();
  readonly #onopen = new EventHandler<WebSocket, Event>(this, "open");
  readonly #onmessage = new EventHandler<WebSocket, MessageEvent>(this, "message");
  readonly #onerror = new EventHandler<WebSocket, Event | ErrorEvent>(this, "error");
  readonly #onclose = new EventHandler<WebSocket, CloseEvent>(this, "close");
  #readyState = CONNECTING;
  #binaryType: BinaryType = "blob";
  #socket: Socket | null = null;
  #sends: Sends | null = null;
  /** Bytes of messages for a socket that was never open. */
  #dropped = 0;

  /**
   * Begins to open it.
   *
   * @throws {DOMException} "SyntaxError" for a URL or a subprotocol that is none
   */
  constructor(
    url: string | URL,
    protocolsOrOptions: string | readonly string[] | WebSocket3Options = [],
  ) {
    super();
    // Web IDL: an argument that must be there.
    if (arguments.length === 0) throw new TypeError("WebSocket3: 1 argument required");
    this.#url = readUrl(url);
    const options = optionsOf(protocolsOrOptions);
    const { protocols = [] } = options;
    void this.#open(readProtocols(protocols), options);
  }

  /** Where it leads, as a URL writes it: `wss://host.example/path`. */
  get url(): string {
    return this.#url.href;
  }

  /** `CONNECTING`, `OPEN`, `CLOSING` or `CLOSED`. */
  get readyState(): number {
    return this.#readyState;
  }

  /** Bytes of messages that `send` was given and the stream has not taken; never reset. */
  get bufferedAmount(): number {
    return this.#sends?.buffered ?? this.#dropped;
  }

  /** The extensions that were chosen; empty for none. */
  get extensions(): string {
    return this.#socket?.extensions ?? "";
  }

  /** The subprotocol that was chosen; empty for none. */
  get protocol(): string {
    return this.#socket?.protocol ?? "";
  }

  /** The HTTP version that carries it; empty before it is open. */
  get http(): "" | "1.1" | "2" | "3" {
    return this.#socket?.http ?? "";
  }

  /** How binary messages come: as "blob" or as "arraybuffer". */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    // Web IDL: a word that is none of them changes nothing.
    const word = String(type);
    if (word === "blob" || word === "arraybuffer") this.#binaryType = word;
  }

  /** Called when it is open. */
  get onopen(): WebSocket["onopen"] {
    return this.#onopen.value;
  }

  set onopen(handler: WebSocket["onopen"]) {
    this.#onopen.value = handler;
  }

  /** Called for each message. */
  get onmessage(): WebSocket["onmessage"] {
    return this.#onmessage.value;
  }

  set onmessage(handler: WebSocket["onmessage"]) {
    this.#onmessage.value = handler;
  }

  /** Called before `onclose` where it failed. */
  get onerror(): WebSocket["onerror"] {
    return this.#onerror.value;
  }

  set onerror(handler: WebSocket["onerror"]) {
    this.#onerror.value = handler;
  }

  /** Called once, when it has ended. */
  get onclose(): WebSocket["onclose"] {
    return this.#onclose.value;
  }

  set onclose(handler: WebSocket["onclose"]) {
    this.#onclose.value = handler;
  }

  /**
   * Sends one message, text for a string. Once it is being closed the message is only counted.
   *
   * @throws {DOMException} "InvalidStateError" before it is open
   */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (arguments.length === 0) throw new TypeError("WebSocket3.send: 1 argument required");
    const message = readData(data);
    if (this.#readyState === CONNECTING) {
      throw new DOMException("The WebSocket is not open yet", "InvalidStateError");
    }
    if (this.#readyState === OPEN) this.#sends!.send(message);
    else if (this.#sends !== null) this.#sends.drop(message);
    else this.#dropped += sizeOf(message);
  }

  /**
   * Begins to close it, behind all that was sent; gives it up if it is not open yet.
   *
   * @throws {DOMException} "InvalidAccessError" for codes but 1000 and 3000 to 4999, "SyntaxError"
   * for a reason of more than 123 bytes of UTF-8
   */
  close(code: number | undefined = undefined, reason: string | undefined = undefined): void {
    const close = readClose(code, reason);
    if (this.#readyState >= CLOSING) return;
    const wasConnecting = this.#readyState === CONNECTING;
    this.#readyState = CLOSING;
    if (wasConnecting) return this.#cancel.abort();
    this.#sends!.close(close.code, close.reason);
  }

  /** Never rejects. */
  async #open(protocols: string[], options: WebSocket3Options): Promise<void> {
    const { signal } = options;
    const headers = [...pairsOf(options.headers ?? [])];
    try {
      const socket = await connectWebSocket(withoutUser(this.#url), {
        ...options,
        protocols,
        headers: [...credentialsOf(this.#url, headers), ...headers],
        signal: AbortSignal.any([this.#cancel.signal, ...signal ? [signal] : []]),
      });
      const unfit = this.#unfit(socket, protocols);
      if (unfit === null) return await this.#run(socket);
      socket.abort();
      await this.#fail(unfit);
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** Why a socket that was opened is of no use; `null` where it is. */
  #unfit(socket: Socket, protocols: readonly string[]): Error | null {
    if (this.#readyState !== CONNECTING) {
      return new DOMException("Closed before it was open", "AbortError");
    }
    // WHATWG, WebSockets §2.1: unlike RFC 6455 §4.1, who offers some wants one of them.
    if (protocols.length > 0 && socket.protocol === "") {
      return new NetError("other", `${this.url}: the server chose none of the subprotocols`);
    }
    return null;
  }

  async #fail(error: unknown): Promise<void> {
    // An event is never told in the turn of the call that it came of.
    await new Promise((resolve) => setTimeout(resolve));
    this.#ended(FAILED, error);
  }

  async #run(socket: Socket): Promise<void> {
    this.#socket = socket;
    this.#sends = new Sends(socket);
    this.#readyState = OPEN;
    this.dispatchEvent(new Event("open"));
    for await (const data of socket) {
      if (this.#readyState === OPEN) this.#message(data);
    }
    const closing = this.#readyState === CLOSING;
    this.#readyState = CLOSING;
    const { close, error } = closeOf(await socket.closed, closing);
    this.#ended(close, error);
  }

  #message(data: string | Uint8Array): void {
    const { origin } = this.#url;
    const shown = shownAs(this.#binaryType, data);
    this.dispatchEvent(new MessageEvent("message", { data: shown, origin }));
  }

  #ended(close: CloseEventInit, error?: unknown): void {
    this.#readyState = CLOSED;
    if (error !== undefined) {
      this.dispatchEvent(new ErrorEvent("error", { error, message: messageOf(error) }));
    }
    this.dispatchEvent(new CloseEvent("close", close));
  }

  static {
    asWebIdl(this, "WebSocket", { CONNECTING, OPEN, CLOSING, CLOSED });
  }
}

/** With the types that a `WebSocket` gives to listeners. */
export interface WebSocket3 {
  /** Adds a listener. */
  addEventListener: WebSocket["addEventListener"];
  /** Takes a listener away. */
  removeEventListener: WebSocket["removeEventListener"];
  /** As libraries look for it. */
  readonly [Symbol.toStringTag]: string;
}
