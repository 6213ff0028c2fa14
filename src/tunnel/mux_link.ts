import type { Socket } from "../endpoint/socket.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { Cancel, type CancelSignal } from "../net/cancel.ts";
import { messageOf, NetError } from "../net/error.ts";
import { TunnelCode, TunnelError } from "../protocol/tunnel/code.ts";
import { FrameType } from "../protocol/tunnel/frame.ts";
import { Mux } from "../protocol/tunnel/mux.ts";
import type { MuxEvent } from "../protocol/tunnel/mux_receive.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import type { GatewayLink, LinkEnd, LinkTransport } from "./link.ts";
import type { Asked } from "./observer.ts";
import { MuxStream } from "./mux_stream.ts";
import { closeSocket, LinkEnding } from "./link_ending.ts";
import { drains } from "./refusals.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";

/** The subprotocol of frames (RFC 6455 §1.9). */
export const TUNNEL_SUBPROTOCOL = "h3ws-tunnel.v1";

/** OPENED, FIN, RESET, and CREDIT for each half of its window. */
const MAX_WAITING_A_STREAM = 8;
/** That much may wait on a link of ever so few streams. */
const MIN_MAX_WAITING = 64;

/** What carries the messages of a link: a WebSocket, or what stands for one. */
export interface LinkSocket extends AsyncIterable<string | Uint8Array> {
  /** `null` for what goes through NATS. */
  readonly http: Socket["http"] | null;
  readonly closed: Socket["closed"];
  /** See `Socket`. */
  send(message: Uint8Array): Promise<void>;
  close(code: number, reason: string): Promise<unknown>;
}

export interface MuxLinkOptions {
  socket: LinkSocket;
  role: "gateway" | "agent";
  windowBytes: number;
  maxStreams: number;
  /** Agent: serves a stream that the gateway asks for. */
  onOpen?: (target: TunnelTarget, asked: AskedStream, id: number) => void;
  /** Gateway: the stream with this id will be asked for next. */
  onAsk?: (id: number, asked: Asked | undefined) => void;
  onBug: (where: string, error: unknown) => void;
}

/** A stream that the gateway asks an agent for: answered once. */
export interface AskedStream {
  /** Fires when the gateway gives it up, or the link is lost. */
  readonly signal: CancelSignal;
  /** `null` where nobody waits for it any more. */
  accept(): ByteStream | null;
  refuse(error: TunnelRefused): void;
}

/** A link of frames over a WebSocket, once AUTH was taken; on either side. */
export class MuxLink implements GatewayLink {
  readonly transport: LinkTransport;
  readonly closed: Promise<LinkEnd>;
  readonly mux: Mux;
  readonly #options: MuxLinkOptions;
  readonly #streams = new Map<number, MuxStream>();
  /** Gateway: those that the agent has not answered. */
  readonly #opening = new Map<number, PromiseWithResolvers<ByteStream>>();
  /** Agent: those that we have not answered. */
  readonly #asked = new Map<number, Cancel>();
  /** Messages that the socket has not taken, but for DATA and PONG. */
  #waiting = 0;
  readonly #sent = () => void this.#waiting--;
  /** The newest that waits for the one before it; who pings on and reads no answer has no more. */
  #pong: Uint8Array | null = null;
  #ponging = false;
  readonly #ending = new LinkEnding();

  constructor(options: MuxLinkOptions) {
    const { socket, role, windowBytes, maxStreams } = options;
    this.#options = options;
    this.transport = socket.http === null ? "nats" : `ws/${socket.http}`;
    this.mux = new Mux({ role, windowBytes, maxStreams });
    this.closed = this.#run();
  }

  get over(): Promise<LinkEnd> {
    return this.#ending.over;
  }

  get streams(): number {
    return this.mux.streams;
  }

  get isDraining(): boolean {
    return this.mux.isDraining;
  }

  /** Reads to the end of the link. */
  async #run(): Promise<LinkEnd> {
    const { socket } = this.#options;
    try {
      for await (const message of socket) {
        this.#receive(message);
        this.flush();
        this.#checkWaiting();
      }
    } catch (error) {
      this.#fail(error);
    }
    const end = this.#ending.settleBy(await socket.closed);
    this.#lose(end);
    return end;
  }

  /**
   * A peer that asks on and reads no answer would have us hold them all: what waits is of streams
   * that are there, or the last word of one.
   */
  #checkWaiting(): void {
    const mostOfThose = MAX_WAITING_A_STREAM * this.mux.streams + MIN_MAX_WAITING;
    if (this.#waiting <= mostOfThose + this.#options.maxStreams) return;
    throw new TunnelError(TunnelCode.RATE_LIMITED, "connection", "Too many answers wait");
  }

  /** Ends all that goes through it. */
  #lose({ reason }: LinkEnd): void {
    const lost = new NetError("lost", `the tunnel is gone: ${reason}`);
    for (const stream of [...this.#streams.values()]) stream.fail(lost);
    for (const { reject } of this.#opening.values()) reject(lost);
    for (const asked of this.#asked.values()) asked.abort(lost);
    this.#streams.clear();
  }

  #receive(message: string | Uint8Array): void {
    if (typeof message === "string") {
      throw new TunnelError(TunnelCode.INVALID_MESSAGE, "connection", "A text message");
    }
    const event = this.mux.receive(message);
    if (event !== null) this.#take(event);
  }

  #fail(error: unknown): void {
    const isPeers = error instanceof TunnelError;
    if (!isPeers && !(error instanceof NetError)) this.#options.onBug("tunnel link", error);
    const code = isPeers ? CloseCode.PROTOCOL_ERROR : CloseCode.INTERNAL_ERROR;
    this.#close(code, isPeers ? messageOf(error) : "internal error");
  }

  #take(event: MuxEvent): void {
    if (event.type === "ping" || event.type === "pong" || event.type === "drain") return;
    const { id } = event;
    if (event.type === "open") return this.#ask(id, event);
    if (event.type === "opened") return this.#opened(id);
    const stream = this.#streams.get(id);
    if (event.type === "data") {
      return stream === undefined ? this.#drop(id, event.bytes) : stream.push(event.bytes);
    }
    if (event.type === "credit") return stream?.wake();
    if (event.type === "fin") return stream?.end();
    this.#over(id, new NetError("reset", event.message), event.code);
  }

  /** REFUSED or RESET came. */
  #over(id: number, error: NetError, code: TunnelCode): void {
    this.#opening.get(id)?.reject(new TunnelRefused(code, error.message));
    this.#asked.get(id)?.abort(error);
    this.#streams.get(id)?.fail(error);
    this.#streams.delete(id);
  }

  #drop(id: number, bytes: Uint8Array): void {
    this.mux.consumed(id, bytes.length);
  }

  #opened(id: number): void {
    const stream = this.#add(id);
    this.#opening.get(id)?.resolve(stream);
  }

  #add(id: number): MuxStream {
    const stream: MuxStream = new MuxStream(id, this, () => this.#streams.delete(id));
    this.#streams.set(id, stream);
    return stream;
  }

  /** Agent: the gateway wants a stream. */
  #ask(id: number, { protocol, host, port }: TunnelTarget): void {
    const gone = new Cancel();
    this.#asked.set(id, gone);
    this.#options.onOpen?.({ protocol, host, port }, {
      signal: gone,
      accept: () => {
        this.#asked.delete(id);
        if (this.#ending.end !== null || !this.mux.accept(id)) return null;
        const stream = this.#add(id);
        this.flush();
        return stream;
      },
      refuse: ({ code, message }) => {
        this.#asked.delete(id);
        if (this.#ending.end !== null) return;
        this.mux.refuse(id, code, message);
        this.flush();
      },
    }, id);
  }

  async open(target: TunnelTarget, signal: CancelSignal, asked?: Asked): Promise<ByteStream> {
    if (this.#ending.end !== null) throw new NetError("lost", "the tunnel is gone");
    if (this.mux.isDraining) throw drains();
    const isStuck = this.#waiting > this.#options.maxStreams + MIN_MAX_WAITING;
    if (isStuck || !this.mux.canOpen) {
      throw new TunnelRefused(TunnelCode.RATE_LIMITED, "the agent is full");
    }
    const id = this.mux.open(target);
    this.#options.onAsk?.(id, asked);
    const opening = Promise.withResolvers<ByteStream>();
    this.#opening.set(id, opening);
    const giveUp = () => {
      this.mux.reset(id, TunnelCode.CONNECTION_FAILED, "given up");
      this.flush();
      opening.reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    this.flush();
    try {
      return await opening.promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
      this.#opening.delete(id);
    }
  }

  flush(): void {
    for (const message of this.mux.output()) {
      if (message[0] === FrameType.PONG) {
        this.#pong = message;
        if (!this.#ponging) void this.#sendPong();
      } else {
        this.#waiting++;
        this.#options.socket.send(message).then(this.#sent, this.#sent);
      }
    }
  }

  /** As RFC 6455 §5.5.3 has it: of PINGs that came meanwhile the last one is answered. */
  async #sendPong(): Promise<void> {
    this.#ponging = true;
    while (this.#pong !== null) {
      const message = this.#pong;
      this.#pong = null;
      // Whatever ends the link is told where it is read.
      await this.#options.socket.send(message).catch(() => {});
    }
    this.#ponging = false;
  }

  send(message: Uint8Array): Promise<void> {
    return this.#options.socket.send(message);
  }

  drain(forMs: number): void {
    if (this.#ending.end !== null) return;
    this.mux.drain(forMs);
    this.flush();
  }

  close(reason: string): void {
    this.#close(CloseCode.GOING_AWAY, reason);
  }

  #close(code: number, reason: string): void {
    // At once: the peer may be silent, and its Close never come.
    this.#lose(this.#ending.settle({ by: "us", reason }));
    closeSocket(this.#options.socket, code, reason);
  }
}
