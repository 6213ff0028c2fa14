import { H1Connection } from "../ingress/h1_connection.ts";
import type { Offer, OfferRequest } from "../ingress/offer.ts";
import type { Accepted } from "../net/accepted.ts";
import { Cancel } from "../net/cancel.ts";
import { NetError } from "../net/error.ts";
import { readAhead } from "../net/unread.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { proxyCredentials } from "../protocol/http1/proxy_authorization.ts";
import {
  type AbsoluteRequest,
  type ConnectRequest,
  type ProxyAnswer,
  readProxyRequest,
} from "../protocol/http1/proxy_request.ts";
import type { Field } from "../protocol/wire/field.ts";
import { ipOf } from "../proxy/headers.ts";
import type { ClientGate, LetIn, NotLetIn } from "./client_gate.ts";
import type { Gateway } from "./gateway.ts";
import { HttpWay } from "./http_way.ts";
import { answerNotLetIn, answerRefused, respondText } from "./http_refusal.ts";
import { badRequest, lastWords } from "./last_words.ts";
import type { Asked } from "./observer.ts";
import { TunnelRefused } from "./target.ts";

export interface HttpFrontOptions {
  gateway: Gateway;
  gate: ClientGate;
  sweeper: Sweeper;
  /** How long a request's head may take, once it has begun, and a target's answer to an Upgrade. */
  handshakeTimeoutMs: number;
  /** How long a client may be idle between two requests, and before the first. */
  keepAliveMs: number;
  onBug: (where: string, error: unknown) => void;
}

/** SOCKS4 and SOCKS5 begin with them. */
const SOCKS_VERSIONS: readonly number[] = [4, 5];
const NO_SOCKS = "this is a port of HTTP; --socks or --mixed takes SOCKS5";
const MAX_HEADER_BYTES = 16_384;
/** A client that takes nothing of its answer for so long is cut off. */
const WRITE_TIMEOUT_MS = 60_000;

/** RFC 9110 §3.7: clients that take this for their HTTP proxy. */
export class HttpFront {
  readonly #options: HttpFrontOptions;
  readonly #connections = new Set<H1Connection>();
  #draining = false;

  constructor(options: HttpFrontOptions) {
    this.#options = options;
  }

  /** Serves one client to its end, one request after the other. Never rejects. */
  async take(accepted: Accepted): Promise<void> {
    const heard = await this.#notSocks(accepted);
    if (heard === null) return;
    const client = new HttpClient(this.#options);
    const connection = this.#connection(heard, client);
    this.#connections.add(connection);
    if (this.#draining) connection.drain();
    await connection.run();
    this.#connections.delete(connection);
    client.close();
  }

  /**
   * RFC 9112 §9.6: a connection that waits for its next request ends now, any other with the answer
   * that is under way, which says so.
   */
  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.drain();
  }

  #connection(accepted: Accepted, client: HttpClient): H1Connection {
    const { sweeper, handshakeTimeoutMs, keepAliveMs, onBug } = this.#options;
    return new H1Connection(accepted, {
      sweeper,
      maxHeaderBytes: MAX_HEADER_BYTES,
      headTimeoutMs: handshakeTimeoutMs,
      // Content is as slow as who sends it likes.
      contentTimeoutMs: Infinity,
      idleTimeoutMs: keepAliveMs,
      writeTimeoutMs: WRITE_TIMEOUT_MS,
      onOffer: async (offer) => {
        await client.serve(offer);
        if (this.#draining) client.close();
      },
      onHeadRefused: () => {},
      onPeerError: () => {},
      onBug,
    });
  }

  /** `null` for who speaks SOCKS, and waits for an answer without the end of a head. */
  async #notSocks(accepted: Accepted): Promise<Accepted | null> {
    const { sweeper, keepAliveMs, gate, onBug } = this.#options;
    const { stream, first } = readAhead(accepted.stream);
    const deadline = new Deadline(
      sweeper,
      keepAliveMs,
      () => stream.abort("nothing was asked for"),
    );
    try {
      const version = (await first)?.[0];
      if (version === undefined || !SOCKS_VERSIONS.includes(version)) {
        return { ...accepted, stream };
      }
      gate.refused("http", accepted.remote, NO_SOCKS);
      await lastWords(stream, badRequest(NO_SOCKS), sweeper);
    } catch (error) {
      if (!(error instanceof NetError)) onBug("http", error);
    } finally {
      deadline.clear();
    }
    stream.abort();
    return null;
  }
}

/** One connection of a client, whose requests may each be for another target. */
class HttpClient {
  readonly #options: HttpFrontOptions;
  /** To the target of the last request. */
  #way: HttpWay | null = null;

  constructor(options: HttpFrontOptions) {
    this.#options = options;
  }

  close(): void {
    this.#way?.close();
  }

  async serve(offer: Offer): Promise<void> {
    const letIn = await this.#enter(offer);
    if (letIn === null || "not" in letIn) return await answerNotLetIn(offer, letIn);
    const asked = readProxyRequest(headOf(offer.request));
    switch (asked.kind) {
      case "answer":
        return await answer(offer, asked);
      case "connect":
        return await this.#connect(offer, asked, letIn);
      case "absolute":
        return await this.#forward(offer, asked, letIn);
    }
  }

  async #enter(offer: Offer): Promise<LetIn | NotLetIn | null> {
    const { gate, sweeper, handshakeTimeoutMs } = this.#options;
    if (!gate.asks) return gate.anybody();
    const { fields, remote } = offer.request;
    const credentials = proxyCredentials(fields);
    if (credentials === null) return null;
    const gone = new Cancel();
    const leave = () => gone.abort(new NetError("aborted", "the client is gone"));
    offer.onGone(leave);
    const deadline = new Deadline(sweeper, handshakeTimeoutMs, leave);
    try {
      return await gate.enter("http", { ...credentials, ip: ipOf(remote), remote }, gone);
    } finally {
      deadline.clear();
    }
  }

  /** RFC 9110 §9.3.6: what follows are the target's bytes. */
  async #connect(offer: Offer, { host, port }: ConnectRequest, letIn: LetIn): Promise<void> {
    if (offer.content !== null) return await respondText(offer, 400, "CONNECT with content");
    const { gateway } = this.#options;
    const gone = new Cancel();
    offer.onGone(() => gone.abort(new NetError("aborted", "the client is gone")));
    try {
      const target = { protocol: "tcp", host, port } as const;
      const ask = { ...askOf(offer.request, letIn), target };
      const connection = await gateway.open(ask, gone);
      await gateway.carryTo(connection, () => offer.accept([]));
    } catch (error) {
      if (!(error instanceof TunnelRefused)) throw error;
      if (!gone.aborted) await answerRefused(offer, error);
    }
  }

  async #forward(offer: Offer, asked: AbsoluteRequest, letIn: LetIn): Promise<void> {
    const cancel = new Cancel();
    offer.onGone(() => cancel.abort(new NetError("aborted", "the client is gone")));
    const way = this.#wayTo(asked, { letIn, request: offer.request });
    const wantsOther = offer.request.protocol !== null && offer.content === null;
    await (wantsOther ? way.upgrade(offer, asked, cancel) : way.forward(offer, asked, cancel));
  }

  /** The one to the last target, if that is it again: then its connection may be there still. */
  #wayTo(
    { host, port }: AbsoluteRequest,
    { letIn, request }: { letIn: LetIn; request: OfferRequest },
  ): HttpWay {
    const target = { protocol: "tcp", host, port } as const;
    const ask = { ...askOf(request, letIn), target };
    if (this.#way?.takes(ask) === true) return this.#way;
    this.#way?.close();
    const { gateway, sweeper, keepAliveMs, handshakeTimeoutMs } = this.#options;
    return this.#way = new HttpWay({ gateway, sweeper, keepAliveMs, handshakeTimeoutMs, ask });
  }
}

function askOf({ remote }: OfferRequest, letIn: LetIn) {
  return { front: "http", client: remote, ...letIn } satisfies Partial<Asked>;
}

/** The head as it came. */
function headOf({ method, target = "", received = "1.1", fields }: OfferRequest) {
  return { method, target, version: received, fields: [...fields] };
}

async function answer(offer: Offer, { status, text }: ProxyAnswer): Promise<void> {
  if (text === "") return await offer.respond(status, []);
  // RFC 9110 §15.5.6: a 405 MUST have an Allow field.
  const allow: Field[] = status === 405 ? [["allow", "GET, HEAD, POST, OPTIONS, CONNECT"]] : [];
  await respondText(offer, status, text, allow);
}
