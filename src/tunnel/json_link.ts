import type { Socket } from "../endpoint/socket.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import type { CancelSignal } from "../net/cancel.ts";
import { NetError } from "../net/error.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { TunnelCode, tunnelCodeName } from "../protocol/tunnel/code.ts";
import { parseMessage } from "../protocol/tunnel/json.ts";
import { type JsonMessage, MessageError } from "../protocol/tunnel/message.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { JsonBacklog } from "./json_backlog.ts";
import { JsonConnects } from "./json_connects.ts";
import { keepJsonAlive } from "./json_heartbeat.ts";
import { JsonOutbox } from "./json_outbox.ts";
import { JsonStream } from "./json_stream.ts";
import type { GatewayLink, LinkEnd } from "./link.ts";
import type { AskedStream } from "./mux_link.ts";
import { closeSocket, LinkEnding } from "./link_ending.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";

/** The most bytes of a "data" message that is taken; its text is one frame of at most 1 MiB. */
export const JSON_LIMITS = { maxPayloadBytes: 512 * 1024 } as const;

/** Connections that have ended, for which messages may still be on their way. */
const MAX_ENDED = 4096;

export interface JsonLinkOptions {
  socket: Socket;
  role: "gateway" | "agent";
  maxStreams: number;
  sweeper: Sweeper;
  /** How long a stream may take nothing while the link waits for it. Default 15 s. */
  stalledMs?: number;
  /** Agent: how often it pings; without a word for three times as long the gateway is gone. */
  pingMs?: number;
  /** Agent: serves a stream that the gateway asks for. */
  onOpen?: (target: TunnelTarget, asked: AskedStream) => void;
  onBug: (where: string, error: unknown) => void;
}

const DEFAULT_STALLED_MS = 15_000;
const DEFAULT_PING_MS = 30_000;

/** A link of AnyProxy's JSON messages, once "auth" was taken; on either side. */
export class JsonLink implements GatewayLink {
  readonly transport = "json";
  readonly isDraining = false;
  readonly closed: Promise<LinkEnd>;
  readonly #options: JsonLinkOptions;
  readonly #streams = new Map<string, JsonStream>();
  readonly #connects: JsonConnects;
  readonly #backlog: JsonBacklog;
  readonly #outbox: JsonOutbox;
  readonly #ended = new Set<string>();
  readonly #stopPings: () => void;
  #heard = 0;
  readonly #ending = new LinkEnding();

  constructor(options: JsonLinkOptions) {
    const { sweeper, stalledMs = DEFAULT_STALLED_MS } = options;
    this.#options = options;
    this.#outbox = new JsonOutbox(options.socket);
    this.#backlog = new JsonBacklog(sweeper, stalledMs);
    this.#connects = new JsonConnects({
      say: (message) => void this.#outbox.say(message),
      add: (id, protocol) => this.#add(id, protocol),
      ended: (id) => this.#forget(id),
    });
    this.#stopPings = this.#keep();
    this.closed = this.#run();
  }

  get over(): Promise<LinkEnd> {
    return this.#ending.over;
  }

  get streams(): number {
    return this.#streams.size + this.#connects.size;
  }

  #keep(): () => void {
    const { role, sweeper, pingMs = DEFAULT_PING_MS } = this.#options;
    if (role === "gateway") return () => {};
    return keepJsonAlive({
      sweeper,
      pingMs,
      heard: () => this.#heard,
      ping: (timestamp) => void this.#outbox.say({ type: "ping", timestamp }),
      lost: (reason) => {
        this.#ending.settle({ by: "lost", reason });
        this.#options.socket.abort(reason);
      },
    });
  }

  /** Reads to the end of the link. */
  async #run(): Promise<LinkEnd> {
    const { socket } = this.#options;
    void socket.closed.then(({ reason }) => this.#backlog.stop(reason));
    try {
      for await (const text of socket) await this.#receive(text);
    } catch (error) {
      this.#fail(error);
    }
    const socketEnd = await socket.closed;
    this.#stopPings();
    const end = this.#ending.settleBy(socketEnd);
    this.#lose(end);
    return end;
  }

  /** Ends all that goes through it. */
  #lose({ reason }: LinkEnd): void {
    const lost = new NetError("lost", `the tunnel is gone: ${reason}`);
    this.#connects.fail(lost);
    for (const stream of [...this.#streams.values()]) stream.fail(lost);
    this.#streams.clear();
  }

  async #receive(text: string | Uint8Array): Promise<void> {
    this.#heard++;
    try {
      if (typeof text !== "string") throw new MessageError("A binary message");
      await this.#take(parseMessage(text, JSON_LIMITS));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      await this.#refuse(error);
    }
    this.#heard++;
  }

  /** What came was no message, or none that belongs here. */
  async #refuse(error: MessageError): Promise<void> {
    const { connectionId, message, code, scope } = error;
    const told = this.#outbox.answer({ type: "error", code, message, connectionId });
    if (connectionId !== null) this.#reject(connectionId, error);
    if (scope === "connection") return this.#close(CloseCode.PROTOCOL_ERROR, message);
    await told;
  }

  /** Ends the one connection that something is wrong with. */
  #reject(id: string, { code, message }: MessageError): void {
    this.#connects.failed(id, new TunnelRefused(code, message));
    const reason = `${tunnelCodeName(code)}: ${message}`;
    const stream = this.#streams.get(id);
    stream?.fail(new NetError("aborted", reason));
    this.#sendClose(id, reason);
  }

  async #take(message: JsonMessage): Promise<void> {
    switch (message.type) {
      case "data":
        return await this.#data(message.connectionId, message.payload);
      case "close":
        return this.#closedByPeer(message.connectionId, message.reason);
      case "error":
        return this.#failedByPeer(message);
      case "ping":
        return await this.#outbox.answer({ type: "pong", timestamp: message.timestamp });
      case "pong":
        return;
      case "connect":
        if (this.#options.role === "agent") return this.#asked(message);
        break;
      case "connect_response":
        if (this.#options.role === "gateway") return await this.#answered(message);
        break;
    }
    throw new MessageError(`"${message.type}" does not belong here`, null, "stream");
  }

  async #data(id: string, bytes: Uint8Array): Promise<void> {
    const stream = this.#streams.get(id);
    if (stream === undefined) return await this.#unknown(id);
    this.#backlog.push(stream, bytes);
    if (this.#backlog.isFull(stream)) await this.#backlog.drain();
  }

  /** What is for a connection that nobody knows is answered; unless it has ended only now. */
  async #unknown(id: string): Promise<void> {
    if (!this.#ended.has(id)) await this.#disown(id);
  }

  async #disown(id: string): Promise<void> {
    await this.#outbox.answer({ type: "close", connectionId: id, reason: "no such connection" });
    this.#forget(id);
  }

  #closedByPeer(id: string, reason: string): void {
    const message = reason || "closed by the peer";
    this.#connects.failed(id, new TunnelRefused(TunnelCode.CONNECTION_FAILED, message));
    this.#streams.get(id)?.end();
    this.#streams.delete(id);
    this.#forget(id);
  }

  #failedByPeer({ code, message, connectionId: id }: JsonMessage & { type: "error" }): void {
    if (id === null) return;
    this.#connects.failed(id, new TunnelRefused(code, message));
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.fail(new NetError("reset", `${tunnelCodeName(code)}: ${message}`));
    this.#sendClose(id, "ended by an error");
  }

  async #answered(message: JsonMessage & { type: "connect_response" }): Promise<void> {
    const { connectionId: id, success } = message;
    if (this.#connects.answered(message)) return;
    // Who asked has given it up, and said so before it was there.
    if (success && !this.#streams.has(id)) await this.#disown(id);
  }

  /** Agent: the gateway wants a connection. */
  #asked({ connectionId: id, protocol, host, port }: JsonMessage & { type: "connect" }): void {
    if (this.#streams.has(id) || this.#connects.has(id)) {
      throw new MessageError(`connection_id of "connect" is in use`, id);
    }
    this.#ended.delete(id);
    this.#options.onOpen?.({ protocol, host, port }, this.#connects.asked(id, protocol));
  }

  async open(target: TunnelTarget, signal: CancelSignal): Promise<ByteStream> {
    if (this.#ending.end !== null) throw new NetError("lost", "the tunnel is gone");
    if (this.streams >= this.#options.maxStreams) {
      throw new TunnelRefused(TunnelCode.RATE_LIMITED, "the agent is full");
    }
    return await this.#connects.open(target, signal);
  }

  #add(id: string, protocol: "tcp" | "udp"): JsonStream {
    const stream = new JsonStream(this, id, protocol);
    this.#streams.set(id, stream);
    return stream;
  }

  /** It has ended: what comes for it now was on its way. */
  #forget(id: string): void {
    this.#ended.add(id);
    if (this.#ended.size > MAX_ENDED) this.#ended.delete(this.#ended.values().next().value!);
  }

  sendData(stream: JsonStream, bytes: Uint8Array): Promise<void> {
    return this.#outbox.data(stream, bytes);
  }

  sendClose({ id }: JsonStream, reason: string): void {
    this.#sendClose(id, reason);
  }

  sendError({ id }: JsonStream, reason: string): void {
    const code = TunnelCode.CONNECTION_FAILED;
    void this.#outbox.say({ type: "error", code, message: reason, connectionId: id });
    this.#sendClose(id, reason);
  }

  #sendClose(id: string, reason: string): void {
    this.#streams.delete(id);
    this.#forget(id);
    if (this.#ending.end === null) this.#outbox.close(id, reason);
  }

  took(stream: JsonStream, bytes: number): void {
    this.#backlog.took(stream, bytes);
  }

  #fail(error: unknown): void {
    if (!(error instanceof NetError)) this.#options.onBug("tunnel link", error);
    this.#close(CloseCode.INTERNAL_ERROR, "internal error");
  }

  /** AnyProxy has no word for it. */
  drain(): void {}

  close(reason: string): void {
    this.#close(CloseCode.GOING_AWAY, reason);
  }

  #close(code: number, reason: string): void {
    // At once: the peer may be silent, and its Close never come.
    this.#lose(this.#ending.settle({ by: "us", reason }));
    closeSocket(this.#options.socket, code, reason);
  }
}
