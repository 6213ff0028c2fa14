// A program's own say in who may reach a backend, before any is asked.
import type { Offer, OfferRequest } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { isHopByHop } from "../protocol/http1/connection.ts";
import type { Field } from "../protocol/wire/field.ts";
import { toFields, toHeaders } from "../server/fields.ts";
import type { Answer } from "./answers.ts";
import type { FieldRules } from "./headers.ts";
import type { Observer } from "./observer.ts";
import { askedBy, asksForTunnel, isConnect } from "./wishes.ts";

/** A request that waits for its permission. */
export interface AuthorizeRequest extends OfferRequest {
  /** Whether it is for a WebSocket or another tunnel; if not, it is an ordinary request. */
  readonly isTunnel: boolean;
  /** The request's fields as the platform has them; `host` is there over every version. */
  readonly headers: Headers;
  /** Fires when the client is gone, or the permission took too long: nobody waits for it then. */
  readonly signal: AbortSignal;
}

/** Header fields; one that is `undefined` is not there. */
export type AuthorizeHeaders = HeadersInit | Readonly<Record<string, string | undefined>>;

/** What a request gets that is not let through. */
export interface AuthorizeRefusal {
  /** 300 to 599; for ordinary requests from 200, so that they can be answered here. */
  status: number;
  /** Header fields of the answer. A text has a Content-Type if no other is given. */
  headers?: AuthorizeHeaders;
  /** Default one line. */
  body?: string | Uint8Array;
  /** There is one for the backend alone. */
  path?: undefined;
}

/** What is different of a request that is let through. */
export interface AuthorizeChanges {
  /** There is one for a refusal alone. */
  status?: undefined;
  /** The same. */
  body?: undefined;
  /** Fields for the backend, in the place of all that the client sent by the same names. */
  headers?: AuthorizeHeaders;
  /**
   * Path and query for the backend, but where its URL has a path of its own. Those of the client
   * have chosen the route already.
   */
  path?: string;
}

/** `true` lets a request through, `false` is 403. */
export type Authorization = boolean | AuthorizeRefusal | AuthorizeChanges;

/**
 * Says whether a request may go to a backend. What it throws is 500 for the client, and so is an
 * answer that can't be used; if it takes too long, 504.
 */
export type Authorize = (request: AuthorizeRequest) => Authorization | Promise<Authorization>;

export interface GateOptions {
  authorize?: Authorize;
  /** How long it may take. */
  authorizeTimeoutMs?: number;
  observer: Observer;
  sweeper: Sweeper;
}

/** It may go to a backend. */
export interface Admitted {
  readonly kind: "admitted";
  /** For the backend. */
  readonly path: string;
  /** The rules of its route with what was added. */
  readonly rules: (base: FieldRules) => FieldRules;
}

/** What became of a request at the gate. */
export type Verdict =
  | Admitted
  | { readonly kind: "refused"; readonly answer: Answer }
  /** It is told already why. */
  | { readonly kind: "failed"; readonly answer: Answer }
  | { readonly kind: "gone" };

const GONE: Verdict = { kind: "gone" };
const FORBIDDEN: Answer = { status: 403, text: "forbidden" };
const FAILED: Answer = { status: 500, text: "internal error" };
const TOO_SLOW: Answer = { status: 504, text: "authorization too slow" };
const DEFAULT_TIMEOUT_MS = 10_000;
/** The deadline is met this part late at most. */
const SWEEP = 1 / 8;
const MIN_SWEEP_MS = 10;

// Those of the handshake and of the framing are ours to write.
const RESERVED = /^(?:host|content-length|expect|trailer|te|sec-websocket-.*)$/;
/** RFC 3986 §3.3, §3.4: path and query, and what else may stand in a request line. */
const PATH = /^\/[!-"$-~]*$/;

/** Asks `authorize`, if there is one, for as long as the client waits. */
export class Gate {
  readonly #options: GateOptions;
  readonly #timeoutMs: number;

  constructor(options: GateOptions) {
    const { authorize, authorizeTimeoutMs = DEFAULT_TIMEOUT_MS, sweeper } = options;
    this.#options = options;
    this.#timeoutMs = authorizeTimeoutMs;
    if (authorize !== undefined) {
      sweeper.quicken(Math.max(MIN_SWEEP_MS, authorizeTimeoutMs * SWEEP));
    }
  }

  /** Whether it may go to a backend, which is asked for `path` if nothing else is said. */
  async admit(offer: Offer, path: string): Promise<Verdict> {
    const { authorize, observer } = this.#options;
    if (authorize === undefined) return { kind: "admitted", path, rules: (base) => base };
    const { request } = offer;
    try {
      const said = await this.#ask(offer, authorize);
      return said === null ? GONE : verdictOf(request, path, said);
    } catch (error) {
      const late = error instanceof TooSlow;
      if (late) observer.failed("authorize", error.message, request.remote);
      else observer.bug("authorize", error);
      return { kind: "failed", answer: late ? TOO_SLOW : FAILED };
    }
  }

  /** `null` where the client is gone before. */
  async #ask(offer: Offer, authorize: Authorize): Promise<Authorization | null> {
    const afterMs = this.#timeoutMs;
    const controller = new AbortController();
    const { promise: end, resolve, reject } = Promise.withResolvers<null>();
    let over = false;
    const deadline = new Deadline(this.#options.sweeper, afterMs, () => {
      const late = new TooSlow(afterMs);
      reject(late);
      controller.abort(new NetError("timeout", late.message));
    });
    offer.onGone(() => {
      if (over) return;
      resolve(null);
      controller.abort(new NetError("aborted", "client is gone"));
    });
    const asked = authorizeRequest(askedBy(offer), controller.signal);
    try {
      // What it throws when nobody waits for it any more is taken by the race.
      return await Promise.race([end, (async () => await authorize(asked))()]);
    } finally {
      over = true;
      deadline.clear();
    }
  }
}

class TooSlow extends Error {
  override name = "TooSlow";

  constructor(afterMs: number) {
    super(`authorize took longer than ${afterMs} ms`);
  }
}

function authorizeRequest(request: OfferRequest, signal: AbortSignal): AuthorizeRequest {
  const { fields, authority } = request;
  let headers: Headers | null = null;
  return {
    ...request,
    isTunnel: asksForTunnel(request),
    get headers() {
      return headers ??= toHeaders(fields, authority);
    },
    signal,
  };
}

/** Throws for what can't be done: nobody is let through by a slip. */
function verdictOf(request: OfferRequest, path: string, said: Authorization): Verdict {
  if (said === true) return { kind: "admitted", path, rules: (base) => base };
  if (said === false) return { kind: "refused", answer: FORBIDDEN };
  if (typeof said !== "object" || said === null) {
    throw new TypeError(`authorize gave ${Deno.inspect(said)}, not true, false or an object`);
  }
  if (said.status !== undefined) return { kind: "refused", answer: refusal(request, said) };
  const { headers = [], path: other = path } = said;
  if (other !== path && !PATH.test(other)) {
    throw new TypeError(`authorize gave the path ${Deno.inspect(other)}, which can't be sent`);
  }
  const { fields, names } = checked(headers, RESERVED);
  return {
    kind: "admitted",
    // RFC 9110 §9.3.6: a CONNECT has none.
    path: isConnect(request) ? path : other,
    rules: (base) => names.size === 0 ? base : withFields(base, { fields, names }, request.fields),
  };
}

function refusal(request: OfferRequest, { status, headers = [], body }: AuthorizeRefusal): Answer {
  // RFC 8441 §5: a 2xx would open the tunnel.
  const least = asksForTunnel(request) ? 300 : 200;
  if (!Number.isInteger(status) || status < least || status > 599) {
    throw new RangeError(`authorize gave the status ${status}: it takes ${least} to 599`);
  }
  const { fields } = checked(headers, /^content-length$/);
  const text = "refused by authorize";
  if (body === undefined) return { status, fields, text: status === 403 ? FORBIDDEN.text : text };
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return { status, fields, text, body: bytes, isText: typeof body === "string" };
}

/** Fields, and the names that the client has no say in: those without a value too. */
interface Checked {
  readonly fields: readonly Field[];
  readonly names: ReadonlySet<string>;
}

function checked(headers: AuthorizeHeaders, reserved: RegExp): Checked {
  const pairs = headers instanceof Headers || Symbol.iterator in headers
    ? [...headers as Iterable<[string, string]>]
    : Object.entries(headers);
  const valued = pairs.filter((pair): pair is [string, string] => pair[1] !== undefined);
  const names = new Set(pairs.map(([name]) => name.toLowerCase()));
  const bad = [...names].find((name) => isHopByHop(name) || reserved.test(name));
  if (bad !== undefined) throw new TypeError(`authorize gave the field ${bad}, which is ours`);
  return { fields: toFields(valued), names };
}

/** Last of all: no Connection of the client's takes them away again. */
function withFields(
  base: FieldRules,
  { fields, names }: Checked,
  sent: readonly Field[],
): FieldRules {
  // RFC 3875 §4.1.18: to a CGI program "-" and "_" in names are the same.
  const alike = new Set([...names].map((name) => name.replaceAll("_", "-")));
  const twins = sent.map(([name]) => name).filter((name) => alike.has(name.replaceAll("_", "-")));
  const kept = base.set?.filter(([name]) => !names.has(name)) ?? [];
  return {
    remove: new Set([...base.remove ?? [], ...names, ...twins]),
    set: [...kept, ...fields],
  };
}
