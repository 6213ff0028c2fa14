import type { ByteStream } from "../net/byte_stream.ts";
import { CloseCode, WebSocketError } from "../protocol/websocket/close.ts";
import { MessageDecoder, type MessageEvent } from "../protocol/websocket/decoder.ts";
import { Opcode } from "../protocol/websocket/opcode.ts";
import { RSV1 } from "../protocol/websocket/rules.ts";
import { Inflater, receivingWay } from "./deflate.ts";
import type { Message } from "./message.ts";
import type { SocketOptions } from "./options.ts";

/** What is no message. */
export type ControlEvent = Extract<MessageEvent, { type: "ping" | "pong" | "close" }>;

type DataEvent = Exclude<MessageEvent, ControlEvent>;

export interface InboxOptions {
  stream: ByteStream;
  decoder: MessageDecoder;
  inflater: Inflater | null;
  /** Called for each control frame, in its place between the messages. */
  onControl: (event: ControlEvent) => void;
  /** Called once if the stream ends (`null`), breaks, or brings what breaks a rule. */
  onEnd: (error: unknown) => void;
}

/** What becomes of what is read: it is given, it is dropped but for Close, or it is not looked at. */
type Phase = "open" | "closing" | "draining" | "stopped";

/**
 * What a socket receives. It reads one message ahead of who asks for them: so control frames are
 * seen while nobody asks, and a peer that sends more is stopped by backpressure.
 */
export class Inbox {
  readonly #options: InboxOptions;
  #phase: Phase = "open";
  #running = false;
  #held: Message | null = null;
  readonly #waiting: ((data: Message | null) => void)[] = [];
  readonly #drained = Promise.withResolvers<void>();
  /** How many chunks have come, and how many messages. */
  chunks = 0;
  messages = 0;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Whether it does not read, because a message waits for someone to ask for it. */
  get stalled(): boolean {
    return this.#held !== null;
  }

  /** The next message; `null` at the end. */
  receive(): Promise<Message | null> {
    const held = this.#held;
    if (held !== null) {
      this.#held = null;
      this.read();
      return Promise.resolve(held);
    }
    if (this.#phase !== "open") return Promise.resolve(null);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Of those that begin from now on. */
  limitMessages(maxMessageBytes: number): void {
    const { decoder, inflater } = this.#options;
    decoder.limitTo({ maxFrameBytes: maxMessageBytes, maxMessageBytes });
    if (inflater !== null) inflater.maxMessageBytes = maxMessageBytes;
  }

  /** Drops messages from now on. */
  close(): void {
    if (this.#phase === "open") this.#phase = "closing";
    this.#held = null;
    this.read();
  }

  /** Looks at nothing more; resolves when the stream has ended. */
  drain(): Promise<void> {
    if (this.#phase !== "stopped") this.#phase = "draining";
    this.#over();
    this.read();
    return this.#drained.promise;
  }

  /** Reads no more. A message that came before can still be had. */
  stop(): void {
    this.#phase = "stopped";
    this.#over();
    this.#drained.resolve();
    this.#options.inflater?.close();
  }

  #over(): void {
    for (const resolve of this.#waiting.splice(0)) resolve(null);
  }

  /** Drops the message that nobody has asked for. */
  drop(): void {
    this.#held = null;
  }

  /** Reads on, unless it does. */
  read(): void {
    if (!this.#running && this.#wants) void this.#run();
  }

  get #wants(): boolean {
    return this.#phase !== "stopped" && (this.#held === null || this.#phase === "draining");
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#wants) {
        const event = this.#phase === "draining" ? null : this.#options.decoder.next();
        if (event === null) await this.#read();
        else if (isControl(event)) this.#options.onControl(event);
        else if (this.#phase === "open") {
          const inflating = this.#take(event);
          if (inflating !== null) await inflating;
        }
      }
      this.#running = false;
    } catch (error) {
      this.#running = false;
      this.#end(error);
    }
  }

  async #read(): Promise<void> {
    const chunk = await this.#options.stream.read();
    this.chunks++;
    if (chunk === null) this.#end(null);
    else if (this.#phase !== "draining") this.#options.decoder.push(chunk);
  }

  #end(error: unknown): void {
    if (this.#phase === "draining") this.stop();
    else if (this.#phase !== "stopped") {
      this.#options.onEnd(error);
    }
  }

  /** A message has come: `null` or a promise while it is inflated. */
  #take(event: DataEvent): Promise<void> | null {
    if (event.type !== "extended") {
      this.#give(event.data);
      return null;
    }
    return this.#inflate(event);
  }

  async #inflate({ opcode, data }: DataEvent & { type: "extended" }): Promise<void> {
    const { inflater } = this.#options;
    if (inflater === null) throw new Error("No extension was negotiated");
    const whole = await inflater.inflate(data);
    if (this.#phase !== "open") return;
    this.#give(opcode === Opcode.TEXT ? decodeText(whole) : whole);
  }

  #give(data: Message): void {
    this.messages++;
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#held = data;
    else resolve(data);
  }
}

/** What a socket of these options receives. */
export function inboxOf(
  { role, stream, maxFrameBytes, maxMessageBytes, deflate }: SocketOptions,
  told: Pick<InboxOptions, "onControl" | "onEnd">,
): Inbox {
  return new Inbox({
    ...told,
    stream,
    decoder: new MessageDecoder({
      masked: role === "server",
      maxFrameBytes,
      maxMessageBytes,
      allowedRsv: deflate ? RSV1 : 0,
    }),
    inflater: deflate ? new Inflater(receivingWay(role, deflate), maxMessageBytes) : null,
  });
}

function isControl(event: MessageEvent): event is ControlEvent {
  return event.type === "ping" || event.type === "pong" || event.type === "close";
}

// A BOM at the start of a message is part of it.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** RFC 6455 §8.1: text that is not UTF-8 MUST fail the connection; RFC 7692 §6.2: once inflated. */
function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new WebSocketError(
      CloseCode.INVALID_FRAME_PAYLOAD_DATA,
      "Text message that is not UTF-8",
    );
  }
}
