// RFC 9112 §6, §7.1: how a request goes out.
import { setImmediate } from "node:timers";
import type { Content } from "../ingress/offer.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { messageOf, NetError } from "../net/error.ts";
import { encodeChunk, encodeLastChunk } from "../protocol/http1/chunk.ts";
import { concat } from "../protocol/wire/bytes.ts";
import type { FramedRequest } from "./h1_request.ts";

/** The content of a request broke off: it is its sender that is gone, not the server. */
export class RequestBroken extends NetError {
  /** The name of the class. */
  override name = "RequestBroken";

  /** `cause` is what its content threw. */
  constructor(cause: unknown) {
    super("aborted", `The request broke off: ${messageOf(cause)}`, cause);
  }
}

/** What an upload is waiting for: the sender of the content, the server to take more, or a 100. */
export type UploadState = "source" | "write" | "continue" | "sent" | "stopped";

/** Sends one request: its head, and its content as it comes. No queue: read, write, read. */
export class Upload {
  readonly #stream: ByteStream;
  readonly #request: FramedRequest;
  #state: UploadState = "write";
  /** Whether the last write is under way. */
  #flushing = false;
  /** Whether the content is wanted, where it waits for that. */
  #wanted = false;
  #resume: (() => void) | null = null;
  #flushed: ((whole: boolean) => void) | null = null;
  /** What was read of the content, in bytes. */
  bytes = 0;
  /** Counts up with each write that is done. */
  writes = 0;
  /** Whether the content was asked for anything. */
  consumed = false;
  /** What broke a write; then the server may still have answered. */
  error: unknown = null;

  constructor(stream: ByteStream, request: FramedRequest) {
    this.#stream = stream;
    this.#request = request;
  }

  get state(): UploadState {
    return this.#state;
  }

  /**
   * Sends it. Resolves when it was sent whole, when the server takes no more, or when it was
   * stopped; rejects with `RequestBroken` when the content breaks off.
   */
  async run(): Promise<void> {
    const { head, content } = this.#request;
    try {
      if (content === null) await this.#write(head, true);
      else await this.#send(head, content);
    } catch (error) {
      // Its length has come: nothing behind that matters to the server.
      if (this.#state === "sent") return;
      if (!(error instanceof NetError) || error instanceof RequestBroken) throw error;
      this.error ??= error;
      this.stop();
    }
  }

  async #send(head: Uint8Array, content: Content): Promise<void> {
    if (this.#request.expectsContinue) {
      await this.#write(head, false);
      await this.#continued();
      if (this.#stopped) return;
      await this.#copy(content, this.#read(content));
      return;
    }
    const first = this.#read(content);
    // A content that comes in one piece is there already, and one write with the head is enough.
    const begun = await Promise.race([first, turn()]);
    if (this.#stopped) return;
    if (begun instanceof Uint8Array) {
      await this.#write(concat([head, this.#framed(begun)]), this.#isLast);
      await this.#copy(content, null);
    } else {
      await this.#write(head, false);
      await this.#copy(content, first);
    }
  }

  /** Sends what comes, `first` before all else. */
  async #copy(content: Content, first: Promise<Uint8Array | null> | null): Promise<void> {
    for (;;) {
      if (this.#stopped) return;
      if (this.#state !== "sent") this.#state = "source";
      const bytes = await (first ?? this.#read(content));
      first = null;
      if (this.#stopped) return;
      if (bytes === null) break;
      await this.#write(this.#framed(bytes), this.#isLast);
    }
    if (this.#request.chunked) await this.#write(encodeLastChunk(content.trailers), true);
    else if (this.#state !== "sent") throw new RequestBroken("shorter than its length");
  }

  #read(content: Content): Promise<Uint8Array | null> {
    this.consumed = true;
    const read = content.read().then((bytes) => this.#count(bytes), brokenOff);
    // It is awaited later, or not at all once it was stopped.
    read.catch(() => {});
    return read;
  }

  #count(bytes: Uint8Array | null): Uint8Array | null {
    if (bytes === null) return null;
    this.bytes += bytes.length;
    const { length } = this.#request.content!;
    // RFC 9112 §6.3: what is more than its length would be read as the next request.
    if (length !== null && this.bytes > length) throw new RequestBroken("longer than its length");
    return bytes;
  }

  #framed(bytes: Uint8Array): Uint8Array {
    return this.#request.chunked ? encodeChunk(bytes) : bytes;
  }

  /** Whether what was read is all that its length says. */
  get #isLast(): boolean {
    return !this.#request.chunked && this.bytes === this.#request.content!.length;
  }

  async #write(bytes: Uint8Array, last: boolean): Promise<void> {
    this.#state = "write";
    this.#flushing = last;
    await this.#stream.write(bytes);
    this.writes++;
    if (!last || this.#stopped) return;
    this.#flushing = false;
    this.#state = "sent";
    this.#flushed?.(true);
  }

  get #stopped(): boolean {
    return this.#state === "stopped";
  }

  /** RFC 9110 §10.1.1: waits until the content is wanted, or is not. */
  async #continued(): Promise<void> {
    if (this.#wanted || this.#stopped) return;
    this.#state = "continue";
    await new Promise<void>((resolve) => this.#resume = resolve);
  }

  /** The server said 100 (Continue), or was waited for long enough. */
  proceed(): void {
    this.#wanted = true;
    this.#resume?.();
  }

  /** The server has answered with this status: what it did not wait for it does not want. */
  answered(status: number): void {
    const withheld = this.#request.expectsContinue && !this.#wanted;
    // RFC 9112 §9.5: a client SHOULD stop sending to a server that has said no. Any other may well
    // answer what it reads while it reads it.
    if (withheld || (status >= 300 && !this.#flushing)) this.stop();
  }

  /** Sends no more. */
  stop(): void {
    if (this.#state === "sent" || this.#state === "stopped") return;
    this.#state = "stopped";
    this.#flushed?.(false);
    this.#resume?.();
    if (this.consumed) this.#request.content?.cancel();
  }

  /** Whether all was sent: at once, or when the last write is done. */
  whole(): boolean | Promise<boolean> {
    if (this.#state === "sent") return true;
    if (!this.#flushing || this.#stopped) return false;
    return new Promise((resolve) => this.#flushed = resolve);
  }
}

function brokenOff(error: unknown): never {
  throw new RequestBroken(error);
}

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
