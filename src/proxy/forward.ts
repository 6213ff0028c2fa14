// RFC 9110 §7.6: an ordinary request on its way to a backend, and its answer on the way back.
import { WholeContent } from "../client/h1_content.ts";
import type { H1Pool, H1Response } from "../client/h1_pool.ts";
import { type H1Request, UnwritableRequest } from "../client/h1_request.ts";
import { RequestBroken } from "../client/h1_upload.ts";
import type { Body, Content, Offer, OfferRequest } from "../ingress/offer.ts";
import { Cancel } from "../net/cancel.ts";
import { messageOf, NetError } from "../net/error.ts";
import { endToEnd } from "../protocol/http1/connection.ts";
import { isLastHop } from "../protocol/http1/intermediary.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Field } from "../protocol/wire/field.ts";
import { authorityOf, BackendError } from "./backend.ts";
import { requestFields, responseFields, trailerFields } from "./headers.ts";
import type { RequestRules, ResponseRules } from "./headers.ts";
import { withTrailers } from "./trailers.ts";

/** Where ordinary requests go. */
export interface ForwardTarget {
  readonly pool: H1Pool;
  /** As it was configured, for messages. */
  readonly url: string;
  /** Host for the backend, or `null` to pass on what the client asked for. */
  readonly host: string | null;
  /** That of requests that no client's Host is passed on with; default that of `url`. */
  readonly authority?: string;
  /** What every path is put behind, or `null` for nothing. */
  readonly path: string | null;
}

export interface ForwardOptions {
  readonly request?: RequestRules;
  readonly response?: ResponseRules;
  /** What is taken off the front of a path: whole segments, `/api` of `/api/x`. */
  readonly stripPrefix?: string | null;
}

/** How it went, for the log. */
export interface ForwardResult {
  /** What the client was answered; 0 when it was gone before. */
  readonly status: number;
  /** Whether the backend gave an answer. */
  readonly reached: boolean;
  /** Bytes of content. */
  readonly toBackendBytes: number;
  readonly toClientBytes: number;
  /** Whether the request was sent a second time, after a stale connection. */
  readonly retried: boolean;
  /** Who ended it before its end, and how; `null` when it is whole. */
  readonly broken: { readonly by: "client" | "backend"; readonly reason: string } | null;
}

/**
 * Passes a request on and answers it with what the backend answers, both as they come. Once the
 * backend has answered it does not throw: an answer that breaks off does so visibly.
 *
 * @throws {BackendError} when the backend can't be asked; nothing was answered then, and of stage
 * "backend_dial" the request's content was not touched
 */
export async function forward(
  offer: Offer,
  target: ForwardTarget,
  options: ForwardOptions = {},
): Promise<ForwardResult> {
  const { request } = offer;
  if (isLastHop(request)) return await answerHere(offer, request.method === "TRACE" ? 405 : 204);
  const way = new Way(offer);
  try {
    const asked = toBackend(request, target, options);
    const response = await way.ask(target, asked, contentFor(offer, options.request ?? {}));
    return await way.answer(response, options.response ?? {});
  } catch (error) {
    if (error instanceof UnwritableRequest) return await answerHere(offer, 400);
    if (way.gone || error instanceof RequestBroken) return unanswered(messageOf(error));
    throw error;
  }
}

function toBackend(
  request: OfferRequest,
  target: ForwardTarget,
  options: ForwardOptions,
): H1Request {
  // RFC 9112 §3.2: HTTP/1.0 knows no Host, but the backend wants one.
  const host = target.host ?? (request.authority === "" ? authorityOf(target) : null);
  return {
    method: request.method,
    target: forwardTarget(request.path, target.path, options.stripPrefix ?? null),
    fields: requestFields(request, { ...options.request, host: options.request?.host ?? host }),
  };
}

/** The path that the backend is asked for, with its query. `*` stays what it is. */
export function forwardTarget(
  path: string,
  base: string | null,
  stripPrefix: string | null,
): string {
  if (path === "*") return path;
  const rest = stripped(path, stripPrefix?.replace(/\/+$/, "") ?? "");
  // "//host/path" in a request line could be taken for an authority.
  const behind = (rest.startsWith("/") ? rest : `/${rest}`).replace(/^\/{2,}/, "/");
  return (base?.replace(/\/+$/, "") ?? "") + behind;
}

function stripped(path: string, prefix: string): string {
  if (!path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  return /^(?:[/?]|$)/.test(rest) ? rest : path;
}

/** One request between its client and a backend. */
class Way {
  readonly #offer: Offer;
  readonly #cancel = new Cancel();
  gone = false;

  constructor(offer: Offer) {
    this.#offer = offer;
    offer.onGone(() => {
      this.gone = true;
      this.#cancel.abort(new NetError("aborted", "client is gone"));
    });
  }

  async ask(
    target: ForwardTarget,
    request: H1Request,
    content: Content | null,
  ): Promise<H1Response> {
    const { request: client } = this.#offer;
    let connected = false;
    try {
      return await target.pool.request(request, content, {
        signal: this.#cancel,
        client,
        onConnected: () => connected = true,
        onInformational: (status, fields) => this.#inform(status, endToEnd(fields)),
      });
    } catch (error) {
      const foreign = error instanceof NetError || error instanceof PeerError;
      if (!foreign || this.gone || error instanceof RequestBroken) throw error;
      if (!connected) {
        const message = `Cannot dial ${target.url}: ${error.message}`;
        throw new BackendError("backend_dial", message, error);
      }
      const message = `Backend ${target.url} did not answer: ${error.message}`;
      throw new BackendError("backend_handshake", message, error);
    }
  }

  async #inform(status: number, fields: ReturnType<typeof endToEnd>): Promise<void> {
    try {
      await this.#offer.inform(status, fields);
    } catch (error) {
      // A client that is gone is told of once, by onGone.
      if (!(error instanceof NetError)) throw error;
    }
  }

  async answer(response: H1Response, rules: ResponseRules): Promise<ForwardResult> {
    const { status, version, content, traffic, retried } = response;
    let broken: ForwardResult["broken"] = null;
    try {
      const fields = responseFields(response.fields, rules, version);
      await this.#offer.respond(status, fields, bodyOf(response, rules));
    } catch (error) {
      if (!(error instanceof NetError || error instanceof PeerError)) throw error;
      broken = { by: wasBackend(traffic.error) ? "backend" : "client", reason: error.message };
    } finally {
      content?.cancel();
    }
    const { sentBytes: toBackendBytes, receivedBytes: toClientBytes } = traffic;
    return { status, reached: true, toBackendBytes, toClientBytes, retried, broken };
  }
}

/** The request's content on its way to the backend. */
export function contentFor(
  { content, request }: Offer,
  rules: RequestRules = {},
): Content | null {
  return content && withTrailers(content, (all) => trailerFields(all, request.fields, rules));
}

/** The answer's content on its way to the client. */
export function bodyOf(
  { content, fields }: H1Response,
  rules: ResponseRules = {},
): Body | undefined {
  if (content === null) return undefined;
  if (content instanceof WholeContent) return content.whole;
  return withTrailers(content, (all) => trailerFields(all, fields, rules));
}

/** Of what ended an exchange: what we gave up ourselves, we did for the client. */
function wasBackend(error: unknown): boolean {
  if (error === null || error instanceof RequestBroken) return false;
  return !(error instanceof NetError && error.kind === "aborted");
}

/** The proxy's own answer, without the backend. */
async function answerHere(offer: Offer, status: 204 | 400 | 405): Promise<ForwardResult> {
  const body = OWN_TEXT[status];
  try {
    // RFC 9110 §15.5.6: a 405 MUST have an Allow field.
    const allow: Field[] = status === 405 ? [["allow", "GET, HEAD, POST, OPTIONS"]] : [];
    await offer.respond(status, body === undefined ? [] : [TEXT, ...allow], body);
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return unanswered(error.message);
  }
  return { ...NOTHING, status };
}

const TEXT = ["content-type", "text/plain; charset=utf-8"] as const;
const OWN_TEXT: Readonly<Record<number, Uint8Array>> = {
  400: new TextEncoder().encode("no backend can be asked for this\n"),
  405: new TextEncoder().encode("no TRACE of this proxy\n"),
};
const NOTHING = {
  status: 0,
  reached: false,
  toBackendBytes: 0,
  toClientBytes: 0,
  retried: false,
  broken: null,
};

/** The client was gone before there was an answer. */
function unanswered(reason: string): ForwardResult {
  return { ...NOTHING, broken: { by: "client", reason } };
}
