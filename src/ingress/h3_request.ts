import { NetError } from "../net/error.ts";
import type { QuicStream } from "../net/quic_stream.ts";
import { Deadline } from "../net/sweeper.ts";
import { H3Code } from "../protocol/http3/codes.ts";
import { fieldSectionSize } from "../protocol/http3/field_section.ts";
import {
  contentLength,
  encodeResponse,
  readRequestHead,
  type RequestHead,
} from "../protocol/http3/fields.ts";
import { RequestStreamParser } from "../protocol/http3/request_stream.ts";
import { decodeFieldSection } from "../protocol/qpack/decoder.ts";
import { concat } from "../protocol/wire/bytes.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Field } from "../protocol/wire/field.ts";
import { isBodiless } from "../protocol/wire/message.ts";
import {
  type AnswerTarget,
  breakOffLater,
  ClientTooSlow,
  dataFrame,
  headersFrame,
  lengthField,
  writeContent,
  writeInTime,
} from "./h3_answer.ts";
import { H3Content } from "./h3_content.ts";
import { readHeadBlock, toOfferRequest } from "./h3_head.ts";
import { H3Tunnel } from "./h3_tunnel.ts";
import type { Body, Content, Offer, OfferRequest, Tunnel } from "./offer.ts";

export interface H3RequestOptions extends AnswerTarget {
  remote: string;
  maxHeaderBytes: number;
  /** The longest field section that the client takes, as far as it has said so by now. */
  peerMaxHeaderBytes: () => number;
  /** How long the head may take to come. */
  headTimeoutMs: number;
  /** How long the next bytes of content may take that is waited for. */
  contentTimeoutMs: number;
  /** A rule was broken that ends the whole connection. */
  connectionError: (error: PeerError) => void;
  /** Told when the stream is given up; `freed` resolves once its memory can go. */
  aborted: (freed: Promise<void>) => void;
}

/**
 * What came of a request's head: "answered" is 431, "malformed" 400; "broken" ended the stream or
 * the connection without an answer, as the client did when it is "gone".
 */
export type HeadOutcome = "offer" | "answered" | "malformed" | "broken" | "gone";

const EMPTY = new Uint8Array(0);

/** One request stream, from its first byte to its answer. */
export class H3Request implements Offer {
  readonly #stream: QuicStream;
  readonly #parser: RequestStreamParser;
  readonly #options: H3RequestOptions;
  #request: OfferRequest | null = null;
  #content: H3Content | null = null;
  #tunnel: H3Tunnel | null = null;
  /** The rule that the content broke. */
  #contentError: PeerError | null = null;
  readonly #rest: Uint8Array[] = [];
  #early: Promise<Uint8Array | null> | null = null;
  #answered = false;
  #gone: (() => void) | null = null;
  #lost = false;
  /** What was wrong with it, where that is its answer. */
  refusedFor = "";

  constructor(options: H3RequestOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.#parser = new RequestStreamParser({
      role: "server",
      maxHeaderBytes: options.maxHeaderBytes,
    });
  }

  get request(): OfferRequest {
    if (this.#request === null) throw new Error("The head was not read");
    return this.#request;
  }

  get content(): Content | null {
    return this.#content;
  }

  /** Reads the head: an "offer" waits for its answer, all else is over. */
  async readHead(): Promise<HeadOutcome> {
    const { sweeper, headTimeoutMs } = this.#options;
    const deadline = new Deadline(sweeper, headTimeoutMs, () => this.abort());
    try {
      const block = await readHeadBlock(this.#stream, this.#parser, () => this.abort());
      if (block === null) return "gone";
      const decoded = block === "oversize"
        ? { fields: [], oversize: true }
        : decodeFieldSection(block, this.#options.maxHeaderBytes);
      if (decoded.oversize) {
        await this.respond(431, []);
        return "answered";
      }
      const head = readRequestHead(decoded.fields);
      this.#request = toOfferRequest(head, this.#options.remote);
      if (head.method === "CONNECT") this.#takeRest();
      else this.#content = this.#expectContent(head);
      return "offer";
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      return await this.#refuse(error);
    } finally {
      deadline.clear();
    }
  }

  /** What came of a tunnel with its head: the chunk's buffer goes into the next read. */
  #takeRest(): void {
    for (let event = this.#parser.next(); event !== null; event = this.#parser.next()) {
      if (event.type === "data") this.#rest.push(event.bytes.slice());
    }
  }

  /** RFC 9114 §4.1: without Content-Length only the stream's end tells that there is none. */
  #expectContent(head: RequestHead): H3Content | null {
    return new H3Content({
      stream: this.#stream,
      parser: this.#parser,
      length: contentLength(head.fields),
      maxHeaderBytes: this.#options.maxHeaderBytes,
      timeoutMs: this.#options.contentTimeoutMs,
      sweeper: this.#options.sweeper,
      broken: (error) => {
        this.#contentError ??= error;
        if (error.scope === "connection") this.#options.connectionError(error);
      },
    });
  }

  /** Design: a stream error is a 400 while nothing was answered; a connection error closes it. */
  async #refuse(error: PeerError): Promise<"malformed" | "broken"> {
    if (error.scope === "connection") {
      this.#options.connectionError(error);
    } else if (error.code === H3Code.H3_MESSAGE_ERROR && !this.#answered) {
      this.refusedFor = error.message;
      await this.respond(400, [["content-type", "text/plain"]], encodeText(`${error.message}\n`));
      return "malformed";
    } else {
      this.abort();
    }
    return "broken";
  }

  /** The end of a request that nobody has answered: its client was gone, or its content broke. */
  async settle(): Promise<HeadOutcome> {
    if (this.#answered) return "answered";
    if (this.#contentError !== null && !this.#lost) return await this.#refuse(this.#contentError);
    this.abort();
    return "gone";
  }

  onGone(callback: () => void): void {
    if (this.#lost) return callback();
    this.#gone = callback;
    // Who reads content, or has read the end of it, needs no other read to tell.
    if (this.request.method !== "CONNECT" || this.#early !== null || this.#answered) return;
    this.#readEarly();
  }

  /** One read goes on while the answer is made: it tells whether the client is still there. */
  #readEarly(): void {
    const early = this.#stream.read();
    this.#early = early;
    early.catch(() => this.lose());
  }

  /** The client is gone: its stream was reset, or its connection is over. */
  lose(): void {
    this.#lost = true;
    this.#tunnel?.lose();
    const gone = this.#gone;
    this.#gone = null;
    gone?.();
  }

  async inform(status: number, fields: readonly Field[]): Promise<void> {
    if (this.#answered) throw new Error("This request was answered already");
    try {
      await writeInTime(this.#options, headersFrame(encodeResponse(status, fields)));
    } catch (error) {
      if (error instanceof ClientTooSlow) {
        this.#options.aborted(breakOffLater(this.#stream));
        this.lose();
      }
      throw error;
    }
  }

  async accept(fields: readonly Field[]): Promise<Tunnel> {
    const section = encodeResponse(200, fields);
    if (this.#isTooLong(section)) {
      await this.respond(502, []);
      throw new NetError("other", "answer has more fields than the client takes");
    }
    this.#answer();
    this.#gone = null;
    this.#parser.tunnel();
    const tunnel = this.#tunnel = new H3Tunnel({
      stream: this.#stream,
      parser: this.#parser,
      rest: this.#rest,
      early: this.#early,
      broken: (error) => void this.#refuse(error),
      aborted: this.#options.aborted,
    });
    this.#early = null;
    try {
      await this.#stream.write(headersFrame(section));
    } catch (error) {
      this.abort();
      throw error;
    }
    return tunnel;
  }

  async respond(status: number, fields: readonly Field[], body: Body = EMPTY): Promise<void> {
    this.#answer();
    const bodiless = isBodiless(this.#request?.method ?? "", status);
    const whole = body instanceof Uint8Array;
    const length = whole && !bodiless ? lengthField(fields, body.length) : [];
    const section = encodeResponse(status, [...fields, ...length]);
    const tooLong = this.#isTooLong(section);
    const headers = headersFrame(tooLong ? encodeResponse(502, []) : section);
    try {
      if (tooLong) {
        await writeInTime(this.#options, headers);
      } else if (whole) {
        const data = bodiless ? EMPTY : body;
        await writeInTime(
          this.#options,
          data.length > 0 ? concat([headers, dataFrame(data)]) : headers,
        );
      } else {
        await writeInTime(this.#options, headers);
        if (!bodiless) await writeContent(this.#options, body);
        else body.cancel();
      }
      await this.#stream.closeWrite();
    } catch (error) {
      if (error instanceof ClientTooSlow) this.#options.aborted(breakOffLater(this.#stream));
      else this.abort();
      throw error;
    } finally {
      this.#gone = null;
    }
    // RFC 9114 §4.1: what the client still sends is not needed any more.
    this.#stream.stopReading();
  }

  /** RFC 9114 §4.2.2: a section longer than the client takes SHOULD NOT be sent. */
  #isTooLong(section: readonly Field[]): boolean {
    return fieldSectionSize(section) > this.#options.peerMaxHeaderBytes();
  }

  #answer(): void {
    if (this.#answered) throw new Error("This request was answered already");
    this.#answered = true;
  }

  abort(): void {
    this.#options.aborted(this.#stream.abort());
  }
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
