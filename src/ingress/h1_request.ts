import { NetError, toNetError } from "../net/error.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { encodeResponseHead } from "../protocol/http1/encode.ts";
import type { RequestEvent } from "../protocol/http1/request_sequence.ts";
import { requestUri } from "../protocol/http1/target.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type Field, getField } from "../protocol/wire/field.ts";
import { isBodiless } from "../protocol/wire/message.ts";
import { type AnswerHead, answerHead, refusal, switchingHead } from "./h1_answer.ts";
import { writeBody, writeContent } from "./h1_body.ts";
import { H1Content } from "./h1_content.ts";
import type { H1Link } from "./h1_link.ts";
import { H1Tunnel } from "./h1_tunnel.ts";
import type { Body, Content, Offer, OfferRequest, Tunnel } from "./offer.ts";

export interface H1RequestOptions {
  event: RequestEvent;
  link: H1Link;
  remote: string;
  local: string | undefined;
  secure: boolean;
  clientCertificate: string | null;
  /** How long the next bytes of content may take that is waited for. */
  contentTimeoutMs: number;
  writeTimeoutMs: number;
  sweeper: Sweeper;
  /** The content broke a rule, or came too slowly; `status` is what the door answered, if it did. */
  onBroken: (error: PeerError, status: number | null) => void;
}

/** What becomes of the connection: the next request, its end, or nothing more to be done. */
export type RequestOutcome = "again" | "close" | "tunnel" | "gone";

/** Without an answer yet; while one is written; as a tunnel; when all is over. */
type State = "open" | "answering" | "tunnel" | "over";

const EMPTY = new Uint8Array(0);
const CONTINUE = encodeResponseHead({ status: 100, fields: [] });

/** One request of a connection, from its head to the end of its answer. */
export class H1Request implements Offer {
  readonly request: OfferRequest;
  readonly content: H1Content | null;
  /** Resolves when the answer is whole, or never will be. */
  readonly done: Promise<RequestOutcome>;
  readonly #options: H1RequestOptions;
  readonly #link: H1Link;
  #state: State = "open";
  #awaitsContinue: boolean;
  #lost: NetError | null = null;
  #gone: (() => void) | null = null;
  #body: Content | null = null;
  #tunnel: H1Tunnel | null = null;
  #finish!: (outcome: RequestOutcome) => void;

  constructor(options: H1RequestOptions) {
    const { event, link } = options;
    this.#options = options;
    this.#link = link;
    this.#awaitsContinue = event.expectsContinue;
    this.request = toOfferRequest(options);
    // Without content its end is told with the head.
    if (event.framing === 0) link.sequence.next();
    this.content = event.framing === 0 ? null : this.#makeContent();
    this.done = new Promise((resolve) => this.#finish = resolve);
  }

  #makeContent(): H1Content {
    const { event, link, contentTimeoutMs } = this.#options;
    return new H1Content({
      link,
      length: event.framing === "chunked" ? null : event.framing,
      timeoutMs: contentTimeoutMs,
      onFirstRead: () => this.#continue(),
      onEnd: () => this.#watch(),
      onBroken: (error) => this.#contentBroken(error),
    });
  }

  /** RFC 9110 §10.1.1: 100 when the content is wanted; not if it comes anyway. */
  #continue(): void {
    if (!this.#awaitsContinue || this.#state !== "open") return;
    this.#awaitsContinue = false;
    if (this.content?.isHere) return;
    this.#link.write(CONTINUE).catch((error) => this.lose(error));
  }

  onGone(callback: () => void): void {
    if (this.#lost !== null) return callback();
    if (this.#state === "over") return;
    this.#gone = callback;
    this.#watch();
  }

  /** One read goes on while the answer is made: it tells whether the client is still there. */
  #watch(): void {
    if (this.#gone === null || this.#state === "tunnel") return;
    const { content } = this;
    if (content === null || content.ended) this.#link.keepRest();
    else if (!content.isAwaited) return;
    // A tunnel is half-closed for as long as it likes, from its first byte on.
    const mayBeHalfClosed = this.request.protocol !== null && !this.#link.goneAtFin;
    this.#link.watch(() => this.#state !== "tunnel" && !mayBeHalfClosed);
  }

  async inform(status: number, fields: readonly Field[]): Promise<void> {
    if (status < 100 || status > 199 || status === 101) {
      throw new TypeError(`${status} is not the status of an interim answer`);
    }
    this.#checkOpen();
    // RFC 9110 §15.2: a server MUST NOT send a 1xx response to an HTTP/1.0 client.
    if (this.#options.event.head.version === "1.0") return;
    // RFC 9110 §15.2.1: 100 is for who waits for it, once.
    if (status === 100 && !this.#awaitsContinue) return;
    const head = encodeResponseHead({ status, fields });
    if (status === 100) this.#awaitsContinue = false;
    await this.#orLose(this.#link.write(head));
  }

  async accept(fields: readonly Field[]): Promise<Tunnel> {
    const { method, protocol } = this.request;
    this.#checkOpen();
    if (protocol === null && method !== "CONNECT") {
      throw new TypeError("No tunnel was asked for");
    }
    const chosen = protocol && (getField(fields, "upgrade") ?? protocol.split(",", 1)[0]);
    const head = switchingHead(chosen, fields);
    // RFC 9110 §7.8: with Expect, a 100 comes before the 101.
    this.#continue();
    this.#state = "answering";
    if (this.content !== null) await this.#orLose(this.#readPast(this.content));
    this.#state = "tunnel";
    this.#gone = null;
    const { sweeper, writeTimeoutMs } = this.#options;
    const tunnel = new H1Tunnel({ link: this.#link, sweeper, writeTimeoutMs });
    this.#tunnel = tunnel;
    void tunnel.over.then(() => this.#end("tunnel"));
    await this.#orLose(this.#link.write(head));
    sweeper.delete(this.#link);
    return tunnel;
  }

  /** RFC 9110 §7.8: the new protocol begins behind the content. */
  async #readPast(content: H1Content): Promise<void> {
    if (!content.settle(false)) {
      throw new NetError("other", "The content was not read before a tunnel");
    }
    try {
      await content.discard(() => this.lose(new NetError("timeout", "The content is too slow")));
    } catch (error) {
      if (error instanceof PeerError) this.#options.onBroken(error, null);
      throw error;
    }
  }

  async respond(status: number, fields: readonly Field[], body: Body = EMPTY): Promise<void> {
    const streamed = body instanceof Uint8Array ? null : body;
    try {
      this.#checkOpen();
      const head = this.#answerHead(status, fields, body);
      this.#state = "answering";
      this.#body = streamed;
      await this.#orLose(this.#write(head, status, body));
      this.#end(head.persistent ? "again" : "close");
    } catch (error) {
      streamed?.cancel();
      throw error;
    }
  }

  #answerHead(status: number, fields: readonly Field[], body: Body): AnswerHead {
    const { version } = this.#options.event.head;
    const length = body instanceof Uint8Array ? body.length : body.length ?? "unknown";
    const persistent = this.#isPersistent(!(body instanceof Uint8Array));
    return answerHead({ method: this.request.method, version, status, fields, length, persistent });
  }

  /** RFC 9112 §9.3: whether the next request can follow; an answer says so in its head. */
  #isPersistent(isStreamed: boolean): boolean {
    if (!this.#options.event.persistent || this.#link.draining) return false;
    if (this.content === null) return true;
    // RFC 9110 §10.1.1: without a 100 the content may come or not: what follows is in doubt.
    return !this.#awaitsContinue && this.content.settle(isStreamed);
  }

  #write(head: AnswerHead, status: number, body: Body): Promise<void> {
    const link = this.#link;
    const { method, fields: requestFields } = this.#options.event.head;
    if (isBodiless(method, status)) {
      if (!(body instanceof Uint8Array)) body.cancel();
      return link.write(head.bytes);
    }
    if (body instanceof Uint8Array) return writeBody(link, head.bytes, body);
    const { bytes, framing } = head;
    return writeContent({ link, head: bytes, framing, content: body, requestFields });
  }

  #checkOpen(): void {
    if (this.#lost !== null) throw this.#lost;
    if (this.#state !== "open") throw new Error("This request was answered already");
  }

  async #orLose(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.lose(error);
      throw error;
    }
  }

  /** A client that broke its own content is answered here, unless it was already. */
  #contentBroken(error: PeerError | NetError): void {
    if (error instanceof NetError) return this.lose(error);
    const isOpen = this.#state === "open";
    this.#options.onBroken(error, isOpen ? error.code : null);
    if (isOpen) void this.#refuse(error.code, error.message);
  }

  /** Answered by the door: whoever makes an answer is told that the client is gone. */
  async #refuse(status: number, text: string): Promise<void> {
    this.#state = "answering";
    this.#tellGone(new NetError("lost", text));
    try {
      await this.#link.write(refusal(status, text));
      this.#end("close");
    } catch {
      this.#end("gone");
    }
  }

  #tellGone(error: NetError): void {
    this.#lost ??= error;
    const gone = this.#gone;
    this.#gone = null;
    gone?.();
  }

  /** The client is gone, or is given up: the connection ends at once. */
  lose(error: unknown): void {
    if (this.#state === "over") return;
    const lost = error instanceof NetError ? error : toNetError(error);
    this.#link.stream.abort(lost.message);
    this.#tellGone(lost);
    this.#body?.cancel();
    this.#end("gone");
    this.content?.break(lost);
    this.#tunnel?.abort();
  }

  #end(outcome: RequestOutcome): void {
    this.#state = "over";
    this.#gone = null;
    this.#body = null;
    this.#finish(outcome);
  }

  /** Who took the offer is done with it: `false` if it was never answered. */
  get isAnswered(): boolean {
    return this.#state !== "open";
  }

  /** Who took the offer failed: 500 if nothing else was said, or the connection is cut. */
  crash(): void {
    if (this.#lost !== null) return;
    if (this.#state === "open") void this.#refuse(500, "internal error");
    else this.lose(new NetError("aborted", "internal error"));
  }

  abort(): void {
    this.lose(new NetError("aborted", "The request was given up"));
  }
}

function toOfferRequest(options: H1RequestOptions): OfferRequest {
  const { event, remote, local, secure, clientCertificate } = options;
  const { head, upgrade } = event;
  const { authority, path } = requestUri(head);
  return {
    http: "1.1",
    received: head.version === "1.0" ? head.version : undefined,
    method: head.method,
    protocol: upgrade === null ? null : upgrade.join(", "),
    scheme: secure ? "https" : "http",
    authority,
    path,
    target: head.target,
    fields: withHost(head.fields, head.target, authority),
    remote,
    local,
    clientCertificate,
  };
}

/** RFC 9112 §3.2.2: beside an absolute URI, Host MUST be ignored, and what it names is the host. */
function withHost(fields: readonly Field[], target: string, authority: string): readonly Field[] {
  const first = target.charCodeAt(0);
  if (first === 0x2f || first === 0x2a) return fields;
  return fields.map((field) => field[0] === "host" ? ["host", authority] as const : field);
}
