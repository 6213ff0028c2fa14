import type { SocketEnd } from "../endpoint/options.ts";
import { NetError } from "../net/error.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import {
  type About,
  decodeLinkMessage,
  encodeLinkMessage,
  type LinkMessage,
} from "./cluster_message.ts";
import type { LinkSocket } from "./mux_link.ts";

/** NATS gives them as they come: so many can only come from a gateway that keeps no window. */
const MAX_WAITING = 65_536;
const MAX_ABOUTS = 16_384;

/** The way for the frames of a link to another gateway, through NATS. */
export class ClusterSocket implements LinkSocket {
  readonly http = null;
  readonly closed: Promise<SocketEnd>;
  readonly #publish: (bytes: Uint8Array) => Promise<void>;
  readonly #settle: (end: SocketEnd) => void;
  readonly #abouts = new Map<number, About>();
  #waiting: Uint8Array[] = [];
  #wake: PromiseWithResolvers<void> | null = null;
  #over = false;
  #sent = 0;
  #got = 0;

  /** `publish` never rejects. */
  constructor(publish: (bytes: Uint8Array) => Promise<void>) {
    this.#publish = publish;
    const { promise, resolve } = Promise.withResolvers<SocketEnd>();
    this.closed = promise;
    this.#settle = resolve;
  }

  /** See `Socket.send`. */
  async send(frame: Uint8Array): Promise<void> {
    if (this.#over) throw new NetError("lost", "the link is gone");
    await this.#say({ type: "frame", frame });
  }

  /** Who asks for a stream: sent before it is asked for. */
  ask(about: About): void {
    if (!this.#over) void this.#say({ type: "about", about });
  }

  /** Who asked for a stream. */
  about(stream: number): About | null {
    const about = this.#abouts.get(stream) ?? null;
    this.#abouts.delete(stream);
    return about;
  }

  /** So that it is known at the other end if the last message was lost. */
  beat(): void {
    if (!this.#over && this.#sent > 0) void this.#say({ type: "beat" });
  }

  #say(message: LinkMessage): Promise<void> {
    const number = this.#sent;
    this.#sent = (number + 1) >>> 0;
    return this.#publish(encodeLinkMessage(number, message));
  }

  /** A message has come. */
  take(bytes: Uint8Array): void {
    if (this.#over) return;
    const decoded = decodeLinkMessage(bytes);
    if (decoded === null) return this.#fail("what came is no message");
    const { number, message } = decoded;
    if (message.type === "end") return this.#finish("peer", message.reason);
    if (number !== this.#got) return this.#fail("messages were lost");
    this.#got = (number + 1) >>> 0;
    if (message.type === "frame") this.#push(message.frame);
    if (message.type === "about") this.#remember(message.about);
  }

  #push(frame: Uint8Array): void {
    if (this.#waiting.length >= MAX_WAITING) return this.#fail("too many messages");
    this.#waiting.push(frame);
    this.#wake?.resolve();
  }

  #remember(about: About): void {
    if (this.#abouts.size >= MAX_ABOUTS) return this.#fail("too many streams are announced");
    this.#abouts.set(about.stream, about);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (!this.#over) {
      const frames = this.#waiting;
      this.#waiting = [];
      yield* frames;
      if (this.#waiting.length > 0 || this.#over) continue;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }

  /** See `Socket.close`; the other end is told. */
  close(_code: number, reason: string): Promise<void> {
    if (!this.#over) {
      void this.#say({ type: "end", reason });
      this.#finish("us", reason);
    }
    return Promise.resolve();
  }

  #fail(reason: string): void {
    void this.#say({ type: "end", reason });
    this.#finish("lost", reason);
  }

  /** The other end can't be told. */
  lose(reason: string): void {
    if (!this.#over) this.#finish("lost", reason);
  }

  #finish(by: SocketEnd["by"], reason: string): void {
    this.#over = true;
    this.#abouts.clear();
    this.#wake?.resolve();
    const code = CloseCode.GOING_AWAY;
    this.#settle({ by, reason, code, wasClean: by !== "lost" });
  }
}
