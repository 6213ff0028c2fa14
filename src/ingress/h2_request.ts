import { NetError } from "../net/error.ts";
import { H2Code } from "../protocol/http2/codes.ts";
import { contentLength, encodeResponse, type RequestHead } from "../protocol/http2/fields.ts";
import type { Field } from "../protocol/wire/field.ts";
import { isBodiless } from "../protocol/wire/message.ts";
import type { H2Stream, H2Wire } from "./h2_stream.ts";
import type { Body, Content, Offer, OfferRequest, Tunnel } from "./offer.ts";

const EMPTY = new Uint8Array(0);

/** Where it came. */
export interface H2RequestAt {
  stream: H2Stream;
  wire: H2Wire;
  remote: string;
  local?: string;
  secure: boolean;
  clientCertificate?: string | null;
  /** The version that its head came by, where that is another. */
  received?: "1.1";
}

/** One request on an HTTP/2 connection, until it is answered. */
export class H2Request implements Offer {
  readonly request: OfferRequest;
  readonly content: Content | null;
  readonly #stream: H2Stream;
  readonly #wire: H2Wire;
  #answered = false;

  constructor(
    head: RequestHead,
    at: H2RequestAt,
  ) {
    this.#stream = at.stream;
    this.#wire = at.wire;
    this.request = {
      http: "2",
      received: at.received,
      method: head.method,
      protocol: head.protocol,
      // The connection tells, not what a client writes.
      scheme: at.secure ? "https" : "http",
      authority: head.authority ?? "",
      path: head.path ?? "",
      fields: head.fields,
      remote: at.remote,
      local: at.local,
      clientCertificate: at.clientCertificate,
    };
    at.stream.length = contentLength(head.fields);
    this.content = head.method === "CONNECT" || at.stream.ended ? null : at.stream;
  }

  onGone(callback: () => void): void {
    if (this.#stream.error !== null) return callback();
    this.#stream.onGone = callback;
  }

  inform(status: number, fields: readonly Field[]): Promise<void> {
    if (this.#answered) throw new Error("This request was answered already");
    this.#head(encodeResponse(status, fields), false);
    return Promise.resolve();
  }

  // deno-lint-ignore require-await -- what is wrong rejects
  async accept(fields: readonly Field[]): Promise<Tunnel> {
    this.#answer();
    this.#stream.onGone = null;
    this.#stream.isTunnel = true;
    this.#head(encodeResponse(200, fields), false);
    return this.#stream;
  }

  async respond(status: number, fields: readonly Field[], body: Body = EMPTY): Promise<void> {
    this.#answer();
    try {
      await this.#send(status, fields, body);
    } catch (error) {
      if (!(body instanceof Uint8Array)) body.cancel();
      // RFC 9113 §8.1.1: what breaks off must not look whole.
      this.#stream.reset(H2Code.INTERNAL_ERROR);
      throw error;
    } finally {
      this.#stream.onGone = null;
    }
    // RFC 9113 §8.1: a whole answer, and what the client still sends is not needed.
    if (!this.#stream.ended) this.#stream.reset(H2Code.NO_ERROR);
  }

  async #send(status: number, fields: readonly Field[], body: Body): Promise<void> {
    const bodiless = isBodiless(this.request.method, status);
    if (!(body instanceof Uint8Array)) {
      return await this.#sendContent(status, fields, body, bodiless);
    }
    const counted = fields.some(([name]) => name === "content-length") || bodiless;
    const length: Field[] = counted ? [] : [["content-length", String(body.length)]];
    const section = encodeResponse(status, [...fields, ...length]);
    if (bodiless || body.length === 0) return this.#head(section, true);
    this.#head(section, false);
    await this.#stream.finish(body);
  }

  async #sendContent(
    status: number,
    fields: readonly Field[],
    content: Content,
    bodiless: boolean,
  ): Promise<void> {
    const section = encodeResponse(status, fields);
    if (bodiless) {
      content.cancel();
      return this.#head(section, true);
    }
    this.#head(section, false);
    for (let part = await content.read(); part !== null; part = await content.read()) {
      await this.#stream.write(part);
    }
    const { trailers } = content;
    if (trailers.length === 0) return await this.#stream.closeWrite();
    if (!this.#wire.h2.sendTrailers(this.#stream.id, trailers)) throw gone();
    this.#stream.sentEnd();
    this.#wire.flush();
  }

  #head(section: readonly Field[], end: boolean): void {
    if (this.#stream.error !== null) throw this.#stream.error;
    if (!this.#wire.h2.sendHeaders(this.#stream.id, section, end)) throw gone();
    if (end) this.#stream.sentEnd();
    this.#wire.flush();
  }

  #answer(): void {
    if (this.#answered) throw new Error("This request was answered already");
    this.#answered = true;
  }

  abort(): void {
    this.#stream.abort();
  }
}

function gone(): NetError {
  return new NetError("reset", "the client gave the stream up");
}
