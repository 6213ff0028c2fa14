import { forgivable } from "../endpoint/forgivable.ts";
import type { Socket } from "../endpoint/socket.ts";
import type { HttpVersion, Offer, OfferRequest } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { sha1 } from "../net/sha1.ts";
import { parseExtensions } from "../protocol/websocket/extensions.ts";
import { acceptFor, parseTokenList } from "../protocol/websocket/handshake.ts";
import {
  acceptDeflate,
  type AcceptedDeflate,
  type DeflateWishes,
} from "../protocol/websocket/permessage_deflate.ts";
import { type Field, getField, getFields, isToken } from "../protocol/wire/field.ts";
import { type Endpoint, endpointOf, toFields, toHeaders } from "./fields.ts";

/** How a WebSocket is accepted. */
export interface AcceptInit {
  /** The subprotocol that is spoken: one of `subprotocols`. Default none. */
  protocol?: string;
  /**
   * Names `protocol` even where it was not offered, against RFC 6455 §4.2.2: to see that a client
   * fails such a handshake. Default `false`.
   */
  unoffered?: boolean;
  /** More header fields of the answer. */
  headers?: HeadersInit;
  /** Called for each Pong, while the socket is read. */
  onPong?: (payload: Uint8Array) => void;
  /** Called for each Ping, while the socket is read; it is answered all the same. */
  onPing?: (payload: Uint8Array) => void;
}

/** A client asks for a WebSocket: it is answered once, by `accept` or by `reject`. */
export interface WebSocketRequest {
  /** What is asked for. */
  readonly type: "websocket";
  /** The version of HTTP that it came by. */
  readonly httpVersion: HttpVersion;
  /** `wss` by TLS or QUIC, `ws` in clear text. */
  readonly scheme: "ws" | "wss";
  /** The path with its escapes resolved as UTF-8, without the query. */
  readonly path: string;
  /** The path as it came, without the query. */
  readonly rawPath: string;
  /** The query as it came, without its `?`; empty for none. */
  readonly queryString: string;
  /** Where the application is mounted: the option of `serve`. */
  readonly rootPath: string;
  /** The request's fields; `host` is there over every version. */
  readonly headers: Headers;
  /** Where the client came to; over HTTP/3 where the server listens. */
  readonly server: Endpoint;
  /** Who the client is, or what a PROXY header said. */
  readonly client: Endpoint;
  /**
   * The subject of the certificate that the client has shown, as RFC 4514 writes it; `null` for
   * none, and over HTTP/3.
   */
  readonly clientCertificate: string | null;
  /** The subprotocols on offer, most wanted first. */
  readonly subprotocols: readonly string[];
  /** Fires when the client is gone before it was answered. */
  readonly signal: AbortSignal;
  /**
   * Opens the WebSocket: 101 in HTTP/1.1, 200 in the others. The socket is open for as long as the
   * handler runs.
   *
   * Rejects with `TypeError` for a subprotocol that was not offered or a header field that can't be
   * sent, when the request is not answered yet, and with `NetError` when the client is gone.
   */
  accept(init?: AcceptInit): Promise<Socket>;
  /**
   * Answers anything but a WebSocket; default 403. A text has a Content-Type if no other is given.
   *
   * Rejects with `RangeError` for a status that is not from 300 to 599 (a 2xx would open the
   * WebSocket), with `TypeError` for a header field that can't be sent, and with `NetError` when the
   * client is gone.
   */
  reject(status?: number, headers?: HeadersInit, body?: string | Uint8Array): Promise<void>;
}

/** What a request needs of its server. */
export interface RequestContext {
  rootPath: string;
  /** Where the server listens, where the connection does not say. */
  server: Endpoint;
  /** What Alt-Svc says to this client; `null` for nothing. */
  altSvc: string | null;
  /** How permessage-deflate is taken; `null` for not at all. */
  deflate: DeflateWishes | null;
  /** Hands the answer over, and makes a socket of the tunnel. */
  open(accepted: Accepted): Promise<Socket>;
  /** Hands any other answer over. */
  respond(status: number, fields: readonly Field[], body: Uint8Array): Promise<void>;
}

/** How a handler has accepted it. */
export interface Accepted {
  /** Of the answer. */
  readonly fields: readonly Field[];
  readonly protocol: string;
  readonly deflate: AcceptedDeflate | null;
  readonly onPong?: (payload: Uint8Array) => void;
  readonly onPing?: (payload: Uint8Array) => void;
}

// They are the handshake's: who sets one of them breaks it.
const RESERVED = /^(?:sec-websocket-.*|connection|upgrade|content-length|transfer-encoding)$/;

/** A request on its way from an offer to its answer. */
export class OfferedRequest implements WebSocketRequest {
  readonly type = "websocket";
  readonly httpVersion: HttpVersion;
  readonly scheme: "ws" | "wss";
  readonly path: string;
  readonly rawPath: string;
  readonly queryString: string;
  readonly rootPath: string;
  readonly headers: Headers;
  readonly server: Endpoint;
  readonly client: Endpoint;
  readonly clientCertificate: string | null;
  readonly subprotocols: readonly string[];
  readonly #offer: Offer;
  readonly #context: RequestContext;
  #gone: AbortController | null = null;
  #answered = false;

  constructor(offer: Offer, context: RequestContext) {
    const { http, scheme, path, fields, authority, remote, local } = offer.request;
    const mark = path.indexOf("?");
    this.#offer = offer;
    this.#context = context;
    this.httpVersion = http;
    this.scheme = http === "3" || /^(?:https|wss)$/i.test(scheme) ? "wss" : "ws";
    this.rawPath = mark < 0 ? path : path.slice(0, mark);
    this.path = unescaped(this.rawPath);
    this.queryString = mark < 0 ? "" : path.slice(mark + 1);
    this.rootPath = context.rootPath;
    this.headers = toHeaders(fields, authority);
    this.server = local === undefined ? context.server : endpointOf(local);
    this.client = endpointOf(remote);
    this.clientCertificate = offer.request.clientCertificate ?? null;
    this.subprotocols = getFields(fields, "sec-websocket-protocol").flatMap(parseTokenList);
  }

  get signal(): AbortSignal {
    if (this.#gone === null) {
      const gone = this.#gone = new AbortController();
      this.#offer.onGone(() => gone.abort(new NetError("lost", "the client is gone")));
    }
    return this.#gone.signal;
  }

  accept(init: AcceptInit = {}): Promise<Socket> {
    return forgivable(this.#accept(init));
  }

  async #accept(init: AcceptInit): Promise<Socket> {
    const { protocol = "", unoffered = false, headers = {}, onPong, onPing } = init;
    const fields = toFields(headers);
    const reserved = fields.find(([name]) => RESERVED.test(name));
    if (reserved !== undefined) throw new TypeError(`Header field ${reserved[0]} is the server's`);
    // RFC 6455 §4.2.2: the value MUST be one of those that the client sent.
    if (protocol !== "" && !unoffered && !this.subprotocols.includes(protocol)) {
      throw new TypeError(`The client did not offer the subprotocol ${JSON.stringify(protocol)}`);
    }
    // RFC 6455 §4.1: whatever is named, it is a token.
    if (protocol !== "" && !isToken(protocol)) {
      throw new TypeError(`The subprotocol ${JSON.stringify(protocol)} is no token`);
    }
    this.#answer();
    const deflate = this.#deflate();
    const handshake = handshakeFields(this.#offer.request, { protocol, deflate });
    const all = [...handshake, ...this.#altSvc(fields), ...fields];
    return await this.#context.open({ fields: all, protocol, deflate, onPong, onPing });
  }

  reject(
    status = 403,
    headers: HeadersInit = {},
    body: string | Uint8Array = "",
  ): Promise<void> {
    return forgivable(this.#reject(status, headers, body));
  }

  async #reject(status: number, headers: HeadersInit, body: string | Uint8Array): Promise<void> {
    // RFC 8441 §5: over HTTP/2 and HTTP/3 a 2xx opens it.
    if (!Number.isInteger(status) || status < 300 || status > 599) {
      throw new RangeError(`Cannot reject with ${status}: it takes 300 to 599`);
    }
    const fields = toFields(headers).filter(([name]) => name !== "content-length");
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    this.#answer();
    const typed = typeof body !== "string" || body === "" || getField(fields, "content-type");
    const type: Field[] = typed ? [] : [["content-type", "text/plain; charset=utf-8"]];
    await this.#context.respond(status, [...type, ...this.#altSvc(fields), ...fields], bytes);
  }

  #altSvc(fields: readonly Field[]): Field[] {
    const { altSvc } = this.#context;
    return altSvc === null || getField(fields, "alt-svc") !== null ? [] : [["alt-svc", altSvc]];
  }

  #deflate(): AcceptedDeflate | null {
    const { deflate } = this.#context;
    if (deflate === null) return null;
    const offers = getFields(this.#offer.request.fields, "sec-websocket-extensions");
    return acceptDeflate(parseExtensions(offers.join(", ")), deflate);
  }

  #answer(): void {
    if (this.#answered) throw new Error("This request was answered already");
    this.#answered = true;
  }
}

function handshakeFields(
  { http, fields }: OfferRequest,
  { protocol, deflate }: { protocol: string; deflate: AcceptedDeflate | null },
): Field[] {
  const answer: Field[] = [];
  if (http === "1.1") {
    answer.push(["upgrade", "websocket"]);
    answer.push(["sec-websocket-accept", acceptFor(getField(fields, "sec-websocket-key")!, sha1)]);
  }
  if (protocol !== "") answer.push(["sec-websocket-protocol", protocol]);
  if (deflate !== null) answer.push(["sec-websocket-extensions", deflate.answer]);
  return answer;
}

/** RFC 3986 §2.1; what is no UTF-8 is U+FFFD, what is no escape stays. */
function unescaped(path: string): string {
  if (!path.includes("%")) return path;
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    const bytes = Uint8Array.from(run.slice(1).split("%"), (hex) => parseInt(hex, 16));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  });
}
