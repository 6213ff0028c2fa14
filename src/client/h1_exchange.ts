// RFC 9110 §3.4, RFC 9112: one request and its answer.
import type { Content } from "../ingress/offer.ts";
import type { CancelSignal } from "../net/cancel.ts";
import { NetError } from "../net/error.ts";
import { Deadline, type Sweeper, type Swept } from "../net/sweeper.ts";
import { responseFraming } from "../protocol/http1/body.ts";
import { isPersistent } from "../protocol/http1/connection.ts";
import { HttpError, HttpStatus } from "../protocol/http1/error.ts";
import type { ResponseHead } from "../protocol/http1/head.ts";
import { type Field, getField } from "../protocol/wire/field.ts";
import type { H1Connection } from "./h1_connection.ts";
import { AnswerContent, type ContentSource, MAX_WHOLE_BYTES, WholeContent } from "./h1_content.ts";
import type { FramedRequest } from "./h1_request.ts";
import { Upload } from "./h1_upload.ts";

/** How long a server may make no progress in one exchange, in milliseconds; Infinity for ever. */
export interface ExchangeTimeouts {
  /** From the request, sent whole, to the answer's head. */
  readonly answerTimeoutMs: number;
  /** From one read of the answer's content to the next, while it is asked for. */
  readonly contentTimeoutMs: number;
  /** For a write. */
  readonly writeTimeoutMs: number;
}

/** What goes on beside an exchange. */
export interface ExchangeControl {
  /** Ends it at once, even while the answer's content is read. */
  readonly signal: CancelSignal;
  /** An interim answer: 100 to 199, not 101. It is waited for. */
  readonly onInformational?: (status: number, fields: readonly Field[]) => void | Promise<void>;
}

/** What went over, up to now. */
export interface ExchangeTraffic {
  /** Bytes of the request's content that were read to be sent. */
  readonly sentBytes: number;
  /** Bytes of the answer's content that were handed on. */
  readonly receivedBytes: number;
  /** What broke it; `null` while nothing has. */
  readonly error: unknown;
}

export interface ExchangeOptions {
  readonly connection: H1Connection;
  readonly request: FramedRequest;
  readonly control: ExchangeControl;
  readonly timeouts: ExchangeTimeouts;
  readonly sweeper: Sweeper;
  /** The connection is done with it; `reusable` if the next request may follow. */
  readonly ended: (connection: H1Connection, reusable: boolean) => void;
}

/** The head of an answer, and the way to its content. */
export interface Answer {
  /** 200 to 599. */
  readonly status: number;
  /** All of them, those of the connection too. */
  readonly fields: readonly Field[];
  /** `null` where there is none: to HEAD, in 204 and 304, and with a length of 0. */
  readonly content: Content | null;
}

// RFC 9110 §10.1.1: a client does not wait for a 100 (Continue) for ever.
const CONTINUE_TIMEOUT_MS = 1_000;

/** One request on one connection. It ends once: reusable, or with the connection. */
export class Exchange implements Swept, ContentSource, ExchangeTraffic {
  readonly #options: ExchangeOptions;
  readonly #connection: H1Connection;
  readonly #upload: Upload;
  #content: { readonly bytes: number } | null = null;
  #persistent = false;
  /** Whether any byte of an answer has come. */
  #answered = false;
  /** Which read of the connection is under way. */
  #reading: "head" | "content" | null = null;
  #error: { readonly reason: unknown } | null = null;
  #ended = false;
  #continueDeadline: Deadline | null = null;
  /** Heads, and reads of the content, that came. */
  #heads = 0;
  #contentReads = 0;
  /** Reads and writes up to the last sweep, and when there was progress last. */
  #seen = -1;
  #sinceMs = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.#upload = new Upload(options.connection.stream, options.request);
  }

  get error(): unknown {
    return this.#error === null ? null : this.#error.reason;
  }

  get sentBytes(): number {
    return this.#upload.bytes;
  }

  get receivedBytes(): number {
    return this.#content?.bytes ?? 0;
  }

  /**
   * Sends the request and gives the answer's head. Rejects with `NetError`, `HttpError`, or the
   * signal's reason; the connection is dropped then.
   */
  async run(): Promise<Answer> {
    const { signal } = this.#options.control;
    try {
      if (signal.aborted) throw signal.reason;
      signal.addEventListener("abort", this.#aborted, { once: true });
      this.#options.sweeper.add(this);
      await this.#send();
      const head = await this.#head();
      this.#connection.idleUntilMs = idleUntilMs(head, this.#options.sweeper.nowMs);
      return this.#answer(head);
    } catch (error) {
      throw this.failed(error);
    }
  }

  /**
   * Whether the server had ended the connection before it saw the request, as far as can be told:
   * RFC 9112 §9.3.1.
   */
  get stale(): boolean {
    return this.#connection.requests > 1 && !this.#answered && !this.#upload.consumed &&
      isLost(this.#error?.reason);
  }

  /** A request without content is sent before the answer is asked for; content goes beside it. */
  async #send(): Promise<void> {
    const { content, expectsContinue } = this.#options.request;
    const sending = this.#upload.run();
    if (content === null) return await sending;
    sending.catch((error) => this.failed(error));
    if (!expectsContinue) return;
    this.#continueDeadline = new Deadline(
      this.#options.sweeper,
      CONTINUE_TIMEOUT_MS,
      () => this.#upload.proceed(),
    );
  }

  async #head(): Promise<ResponseHead> {
    const { heads } = this.#connection;
    for (;;) {
      const chunk = await this.#read("head");
      if (chunk === null) {
        if (this.#answered) heads.end();
        throw new NetError("lost", "connection closed before an answer");
      }
      this.#answered = true;
      heads.push(chunk);
      for (let head = heads.next(); head !== null; head = heads.next()) {
        this.#heads++;
        if (head.status >= 200) return head;
        await this.#interim(head);
      }
    }
  }

  async #interim({ status, fields }: ResponseHead): Promise<void> {
    // RFC 9110 §15.2.2: 101 only to a request with Upgrade, which none has here.
    if (status === 101) throw new HttpError(HttpStatus.BAD_GATEWAY, "101 that nobody asked for");
    await this.#options.control.onInformational?.(status, fields);
    if (status === 100) this.#proceed();
  }

  #proceed(): void {
    this.#continueDeadline?.clear();
    this.#upload.proceed();
  }

  #answer(head: ResponseHead): Answer {
    const { status, fields } = head;
    const { method } = this.#options.request;
    const framing = responseFraming(head, method);
    const rest = this.#connection.heads.rest();
    this.#persistent = isPersistent(head) && framing !== "close";
    this.#upload.answered(status);
    if (framing === 0) {
      this.ended(rest.length === 0);
      return { status, fields, content: null };
    }
    if (typeof framing === "number" && framing <= Math.min(rest.length, MAX_WHOLE_BYTES)) {
      const content = new WholeContent(rest.slice(0, framing));
      this.#content = content;
      this.ended(rest.length === framing);
      return { status, fields, content };
    }
    const content = new AnswerContent(this, head, { framing, method, rest });
    this.#content = content;
    return { status, fields, content };
  }

  read(): Promise<Uint8Array | null> {
    return this.#read("content");
  }

  async #read(what: "head" | "content"): Promise<Uint8Array | null> {
    if (this.#error !== null) throw this.#error.reason;
    this.#reading = what;
    const chunk = await this.#connection.read();
    this.#reading = null;
    if (what === "content") this.#contentReads++;
    return chunk;
  }

  ended(clean: boolean): void {
    const whole = this.#upload.whole();
    if (!clean || !this.#persistent || whole === false) return this.#end(false);
    if (whole === true) return this.#end(true);
    // The last bytes of the request are on their way.
    void whole.then((sent) => this.#end(sent));
  }

  failed(error: unknown): unknown {
    // What broke the request's way out explains why no answer comes.
    this.#error ??= { reason: isLost(error) ? this.#upload.error ?? error : error };
    this.#end(false);
    return this.#error.reason;
  }

  #end(reusable: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.sweeper.delete(this);
    this.#continueDeadline?.clear();
    this.#options.control.signal.removeEventListener("abort", this.#aborted);
    if (!reusable) {
      this.#upload.stop();
      this.#connection.drop();
    }
    this.#options.ended(this.#connection, reusable);
  }

  readonly #aborted = (): void => {
    this.failed(this.#options.control.signal.reason);
  };

  sweep(nowMs: number): void {
    // A head that trickles is no progress; a whole one is, be it an interim one.
    const steps = this.#heads + this.#contentReads + this.#upload.writes;
    const { limitMs, what } = this.#waiting();
    if (steps !== this.#seen || limitMs === Infinity) {
      this.#seen = steps;
      this.#sinceMs = nowMs;
    } else if (nowMs - this.#sinceMs >= limitMs) {
      this.failed(new NetError("timeout", `${what} within ${limitMs} ms`));
    }
  }

  /** What the server is waited for; neither the client nor the reader of the answer count. */
  #waiting(): { limitMs: number; what: string } {
    const { answerTimeoutMs, contentTimeoutMs, writeTimeoutMs } = this.#options.timeouts;
    const { state } = this.#upload;
    if (state === "write") return { limitMs: writeTimeoutMs, what: "no request was taken" };
    if (this.#reading === "content") {
      return { limitMs: contentTimeoutMs, what: "no more content came" };
    }
    if (this.#reading === null || state === "source" || state === "continue") return NOT_WAITING;
    return { limitMs: answerTimeoutMs, what: "no answer came" };
  }
}

/** Whether it was the server that ended the connection. */
function isLost(error: unknown): boolean {
  return error instanceof NetError && (error.kind === "reset" || error.kind === "lost");
}

const NOT_WAITING = { limitMs: Infinity, what: "" };

/** How long before the server's own timeout its connection is left alone. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

/** RFC 2068 §19.7.1.1: when the server may end the connection, by its Keep-Alive field. */
function idleUntilMs({ fields }: ResponseHead, nowMs: number): number {
  const keepAlive = getField(fields, "keep-alive");
  const seconds = keepAlive === null ? null : /\btimeout=([0-9]{1,9})\b/i.exec(keepAlive);
  return seconds === null ? Infinity : nowMs + 1000 * Number(seconds[1]) - KEEP_ALIVE_MARGIN_MS;
}
