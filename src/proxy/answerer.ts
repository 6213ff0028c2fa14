import type { Offer, OfferRequest } from "../ingress/offer.ts";
import { messageOf, NetError } from "../net/error.ts";
import { inTime, type Sweeper } from "../net/sweeper.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { getField } from "../protocol/wire/field.ts";
import { type Answer, pathOf, RETRY_AFTER } from "./answers.ts";
import type { BackendError } from "./backend.ts";
import type { ResponseRules } from "./headers.ts";
import type { Observer, RequestEnd } from "./observer.ts";
import type { LiveRoute } from "./routes.ts";
import { asksForTunnel } from "./wishes.ts";

export interface AnswererOptions {
  /** How long a client may take to take an answer. */
  writeTimeoutMs: number;
  /** What Alt-Svc says to a client that came by this version; `null` for nothing. */
  altSvc: (http: OfferRequest["http"]) => string | null;
  observer: Observer;
  sweeper: Sweeper;
}

/** What the client took of an answer. */
type Taken = Pick<RequestEnd, "status" | "toClientBytes" | "broken">;

const UNREACHABLE = {
  502: "backend unreachable",
  503: "backend busy",
  504: "backend too slow",
} as const;

/** The answers that the proxy gives by itself, and what it adds to those of backends. */
export class Answerer {
  readonly #options: AnswererOptions;

  constructor(options: AnswererOptions) {
    this.#options = options;
  }

  /** Told once: as a refused session, or as a request that began at `startedMs`. */
  async respond(
    offer: Offer,
    answer: Answer,
    startedMs: number = performance.now(),
  ): Promise<void> {
    const { request } = offer;
    const { status, text, rejected } = answer;
    const { observer } = this.#options;
    if (rejected !== undefined) {
      const { path, client } = requestOf(request);
      observer.rejected({ reason: rejected, status, path, client, message: text });
      await this.respondUntold(offer, answer);
      return;
    }
    this.#ended(request, await this.respondUntold(offer, answer), startedMs);
  }

  /** Told elsewhere why; an ordinary request is counted as every other. */
  async respondFailed(offer: Offer, answer: Answer, startedMs: number): Promise<void> {
    const taken = await this.respondUntold(offer, answer);
    if (asksForTunnel(offer.request)) return;
    this.#ended(offer.request, { ...taken, failed: true }, startedMs);
  }

  /** Of one whose client was gone, or given up, before a backend was asked. */
  givenUp(
    request: OfferRequest,
    startedMs: number,
    reason = "did not send its request to the end",
  ): void {
    this.#ended(request, untaken(reason), startedMs);
  }

  #ended(request: OfferRequest, end: Taken & Pick<RequestEnd, "failed">, startedMs: number): void {
    this.#options.observer.requestEnded({
      ...requestOf(request),
      backend: null,
      durationMs: performance.now() - startedMs,
      toBackendBytes: 0,
      ...end,
    });
  }

  /** Of what is told elsewhere, or is no news. */
  async respondUntold(offer: Offer, answer: Answer): Promise<Taken> {
    const { request } = offer;
    const { status, text, fields = [] } = answer;
    const body = answer.body ??
      new TextEncoder().encode(answer.contentType ? text : `${text}\n`);
    const contentType = contentTypeOf(answer);
    const altSvc = this.#options.altSvc(request.http);
    const all: OfferRequest["fields"] = [
      ...(contentType === null ? [] : [["content-type", contentType] as const]),
      ...fields,
      ...(altSvc === null ? [] : [["alt-svc", altSvc] as const]),
    ];
    try {
      const taken = offer.respond(status, all, body).then(() => true);
      if (await this.inTime(offer, taken) === null) return untaken("does not take its answer");
    } catch (error) {
      if (!(error instanceof NetError || error instanceof PeerError)) throw error;
      return untaken(error.message);
    }
    return { status, toClientBytes: request.method === "HEAD" ? 0 : body.length, broken: "" };
  }

  /** `null` for a client that does not take its answer (RFC 9000 §4.1: it gives no credit). */
  inTime<T>(offer: Offer, answered: Promise<T>): Promise<T | null> {
    const { sweeper, writeTimeoutMs } = this.#options;
    const late = () => {
      offer.abort();
      return null;
    };
    return inTime(answered, { sweeper, afterMs: writeTimeoutMs, late });
  }

  /** 502, 503 or 504 for an ordinary request, which is counted as every other. */
  async requestUnreachable(
    offer: Offer,
    live: LiveRoute,
    { error, startedMs }: { error: BackendError; startedMs: number },
  ): Promise<void> {
    const taken = await this.unreachable(offer, live, error);
    this.#ended(offer.request, { ...taken, failed: true }, startedMs);
  }

  /** 502, 503 or 504. */
  async unreachable(offer: Offer, live: LiveRoute, error: BackendError): Promise<Taken> {
    const { request } = offer;
    const { status, stage, message } = error;
    this.#options.observer.failed(stage, message, request.remote);
    const told = live.unreachable?.(asksForTunnel(request), messageOf(error.cause));
    const fields = status === 503 ? [RETRY_AFTER] : [];
    return await this.respondUntold(offer, { status, text: told ?? UNREACHABLE[status], fields });
  }

  /** How a backend's answer is told to this client. */
  responseRules({ http }: OfferRequest, live: LiveRoute): ResponseRules {
    return { ...live.responseRules, altSvc: this.#options.altSvc(http) };
  }
}

/** `null` where its fields say it, or nobody can. */
function contentTypeOf({ fields = [], contentType, body, isText = false }: Answer): string | null {
  if (contentType !== undefined) return contentType;
  if (getField(fields, "content-type") !== null) return null;
  return body === undefined || isText && body.length > 0 ? "text/plain; charset=utf-8" : null;
}

/** What a record says of the request itself. */
export function requestOf(
  { http, method, authority, path, remote }: OfferRequest,
): Pick<RequestEnd, "http" | "client" | "method" | "authority" | "path"> {
  return { http, client: remote, method, authority, path: pathOf(path) };
}

function untaken(reason: string): Taken {
  return { status: 0, toClientBytes: 0, broken: `client: ${reason}` };
}
