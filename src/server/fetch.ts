import type { Body, HttpVersion, Offer, OfferRequest } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { isAuthority } from "../protocol/wire/authority.ts";
import { type Field, getField } from "../protocol/wire/field.ts";
import { toBody, toStream } from "./content.ts";
import { endpointOf, toFields, toHeaders } from "./fields.ts";
import { type ServerLog, stackOf } from "./observer.ts";

/** What a `fetch` handler is told beside the request. */
export interface FetchInfo {
  /** Who the client is; UDP for HTTP/3. */
  readonly remoteAddr: { transport: "tcp" | "udp"; hostname: string; port: number };
  /** The version that the request came by. */
  readonly httpVersion: HttpVersion;
}

/** Answers an ordinary request, as a handler of `Deno.serve` does. */
export type FetchHandler = (request: Request, info: FetchInfo) => Response | Promise<Response>;

export interface FetchOptions {
  fetch: FetchHandler;
  onError?: (error: unknown) => Response | Promise<Response>;
  altSvc: (http: HttpVersion) => string | null;
  log: ServerLog;
}

/** Fetch, §4.6: a `Request` can't have these. */
const FORBIDDEN: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** Answers ordinary requests by a `fetch` handler: streamed both ways, and each once. */
export class Fetches {
  readonly #options: FetchOptions;

  constructor(options: FetchOptions) {
    this.#options = options;
  }

  /** Resolves when the answer is whole, or the client is gone. */
  async take(offer: Offer): Promise<void> {
    const gone = new AbortController();
    const lost = (error: unknown) => gone.abort(error);
    offer.onGone(() => lost(new NetError("lost", "the client is gone")));
    try {
      const request = toRequest(offer, { signal: gone.signal, lost });
      if (typeof request === "number") return await offer.respond(request, []);
      await this.#answer(offer, await this.#call(offer, request), gone.signal);
    } catch (error) {
      // The answer has no reader any more: a body that still is made is made for nobody.
      lost(error);
      if (!(error instanceof NetError || error instanceof PeerError)) throw error;
    }
  }

  async #call(offer: Offer, request: Request): Promise<Response> {
    const { fetch, onError } = this.#options;
    const { http, remote } = offer.request;
    const { address: hostname, port } = endpointOf(remote);
    const transport = http === "3" ? "udp" : "tcp";
    try {
      const info = { remoteAddr: { transport, hostname, port }, httpVersion: http } as const;
      return usable(await fetch(request, info));
    } catch (error) {
      // Whoever reads content of a client that is gone may let that through.
      if (!request.signal.aborted) this.#tell("fetch", error, offer);
      try {
        return usable(await (onError?.(error) ?? internalError()));
      } catch (another) {
        this.#tell("onError", another, offer);
        return internalError();
      }
    }
  }

  #tell(where: string, error: unknown, { request }: Offer): void {
    const { remote: client, method } = request;
    const path = request.path.replace(/\?.*/s, "");
    this.#options.log.error("server.handler_failed", {
      ...{ where, method, path, client },
      error: stackOf(error),
    });
  }

  async #answer(offer: Offer, response: Response, signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      await response.body?.cancel().catch(() => {});
      throw signal.reason;
    }
    let fields: Field[];
    let body: Body;
    try {
      fields = this.#fields(offer, response);
      body = response.body === null
        ? new Uint8Array(0)
        : await toBody(response.body, { declared: lengthOf(fields), signal });
    } catch (error) {
      this.#tell("response", error, offer);
      return await offer.respond(500, []);
    }
    const { status } = response;
    // The door counts what is there, unless it sends but the head.
    const counted = body instanceof Uint8Array && offer.request.method !== "HEAD" && status !== 304;
    const sent = counted ? fields.filter(([name]) => name !== "content-length") : [...fields];
    // RFC 9110 §9.3.2: a HEAD SHOULD be told what a GET would be.
    if (!counted && body instanceof Uint8Array && body.length > 0 && lengthOf(fields) === null) {
      sent.push(["content-length", String(body.length)]);
    }
    const broken = { error: null as unknown };
    await offer.respond(status, sent, watched(body, broken)).catch((error) => {
      if (broken.error === null) throw error;
      this.#tell("response", broken.error, offer);
    });
  }

  #fields(offer: Offer, response: Response): Field[] {
    const fields = toFields(response.headers);
    // RFC 9110 §6.6.1: whoever has a clock says when.
    if (!response.headers.has("date")) fields.push(["date", new Date().toUTCString()]);
    const altSvc = this.#options.altSvc(offer.request.http);
    if (altSvc !== null && !response.headers.has("alt-svc")) fields.push(["alt-svc", altSvc]);
    return fields;
  }
}

/** The request as the platform has it, or the status that it is refused with. */
function toRequest(
  { request, content }: Offer,
  { signal, lost }: { signal: AbortSignal; lost: (error: unknown) => void },
): Request | number {
  const { method, authority, path, local } = request;
  if (FORBIDDEN.has(method)) return 501;
  // RFC 9110 §7.1: "*" is for the server as a whole; HTTP/1.0 may name no host.
  const host = authority || getField(request.fields, "host") || local || "localhost";
  const target = path === "*" ? "/*" : path;
  // RFC 9114 §4.3.1: of a scheme that is not the Web's they may be anything, and part of the host.
  if (!isAuthority(host) || !target.startsWith("/")) return 400;
  const url = `${schemeOf(request)}://${host}${target}`;
  if (!URL.canParse(url)) return 400;
  const bodiless = method === "GET" || method === "HEAD";
  // There only a read tells that there is no more, or that the client gave it up.
  if (bodiless && content !== null && request.http === "3") void content.read().catch(lost);
  return new Request(url, {
    method,
    headers: toHeaders(request.fields, authority),
    body: bodiless || content === null ? null : toStream(content, lost),
    signal,
  });
}

/** Any :scheme can be written, but HTTP/3 comes by TLS alone (RFC 9114 §3.1). */
function schemeOf({ http, scheme }: OfferRequest): "http" | "https" {
  return http === "3" || scheme === "https" ? "https" : "http";
}

function usable(response: unknown): Response {
  if (!(response instanceof Response)) throw new TypeError("A handler gave no Response");
  if (response.status < 200) throw new TypeError(`A handler gave a Response of ${response.status}`);
  if (response.bodyUsed) throw new TypeError("A handler gave a Response whose body was read");
  return response;
}

function internalError(): Response {
  return new Response("Internal Server Error\n", { status: 500 });
}

function lengthOf(fields: readonly Field[]): number | null {
  const length = getField(fields, "content-length") ?? "";
  return /^[0-9]{1,15}$/.test(length) ? Number(length) : null;
}

/** Keeps what the body itself breaks off with: that is the handler's fault, all else the client's. */
function watched(body: Body, broken: { error: unknown }): Body {
  if (body instanceof Uint8Array) return body;
  return {
    length: body.length,
    trailers: body.trailers,
    cancel: () => body.cancel(),
    async read() {
      try {
        return await body.read();
      } catch (error) {
        broken.error = error;
        throw error;
      }
    },
  };
}
