import type { ByteStream } from "../net/byte_stream.ts";
import { Cancel, type CancelSignal } from "../net/cancel.ts";
import { NetError, toNetError } from "../net/error.ts";
import type { QuicConnection } from "../net/quic.ts";
import { ReadSize, TUNNEL_READ_SIZE } from "../net/read_buffer.ts";
import type { QuicStream } from "../net/quic_stream.ts";
import { encodePrefixed } from "../protocol/tunnel/encode.ts";
import { TunnelCode, TunnelError } from "../protocol/tunnel/code.ts";
import { DEFAULT_WINDOW_BYTES } from "../protocol/tunnel/mux_state.ts";
import type { Frame } from "../protocol/tunnel/frame.ts";
import { FrameStream } from "./frame_stream.ts";
import type { GatewayLink, LinkEnd } from "./link.ts";
import type { AskedStream } from "./mux_link.ts";
import { LinkEnding } from "./link_ending.ts";
import { QuicTunnelStream } from "./quic_tunnel_stream.ts";
import { drains } from "./refusals.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";

/** What ALPN calls a link by QUIC (RFC 7301). */
export const TUNNEL_ALPN = "h3ws-tunnel/1";

/** FIN and RESET. */
const MAX_UNTOLD_A_STREAM = 2;
/** That much may wait on a link of ever so few streams. */
const MIN_MAX_UNTOLD = 64;

export interface QuicLinkOptions {
  quic: QuicConnection;
  /** The stream that AUTH went by. */
  control: FrameStream;
  maxStreams: number;
  /** Agent: serves a stream that the gateway asks for. */
  onOpen?: (target: TunnelTarget, asked: AskedStream) => void;
  onBug: (where: string, error: unknown) => void;
}

/** A link by QUIC, once AUTH was taken, on either side: each connection is a stream of its own. */
export class QuicLink implements GatewayLink {
  readonly transport = "quic";
  readonly closed: Promise<LinkEnd>;
  readonly #options: QuicLinkOptions;
  readonly #streams = new Map<number, QuicTunnelStream>();
  /** Agent: those that we have not answered, and how each is given up. */
  readonly #asked = new Map<number, () => void>();
  /** Agent: those whose RESET may have come before their OPEN, which goes by another stream. */
  readonly #early = new Set<number>();
  #opened = 0;
  #draining = false;
  readonly #ending = new LinkEnding();
  /** How streams ended, for the control stream. */
  readonly #untold: Frame[] = [];
  #telling = false;

  constructor(options: QuicLinkOptions) {
    this.#options = options;
    this.closed = this.#run();
  }

  get over(): Promise<LinkEnd> {
    return this.#ending.over;
  }

  get streams(): number {
    return this.#streams.size + this.#asked.size;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  async #run(): Promise<LinkEnd> {
    const { quic, onOpen } = this.#options;
    void this.#control();
    if (onOpen !== undefined) void this.#accept();
    const info = await quic.closed;
    const by = info.code === -1 ? "lost" : "peer";
    const reason = info.reason || `closed with ${info.code}`;
    const end = this.#ending.settle({ by, reason });
    const lost = new NetError("lost", `the tunnel is gone: ${end.reason}`);
    for (const stream of [...this.#streams.values()]) stream.fail(lost);
    return end;
  }

  /** Reads how streams end. */
  async #control(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#options.control.next();
        if (frame === null) break;
        this.#take(frame);
      }
      this.#fail(new NetError("lost", "the control stream ended"));
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(frame: Frame): void {
    if (frame.type === "fin") this.#streams.get(frame.id)?.end();
    else if (frame.type === "reset") this.#reset(frame.id, frame.message);
    else if (frame.type === "drain") this.#draining = true;
    else throw invalid(`${frame.type} on the control stream`);
  }

  /** RFC 9000 §2.2: what goes by two streams comes in any order. */
  #reset(id: number, message: string): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream.fail(new NetError("reset", message));
    const giveUp = this.#asked.get(id);
    if (giveUp !== undefined) return giveUp();
    const { onOpen, maxStreams } = this.#options;
    if (onOpen === undefined) return;
    this.#early.add(id);
    // Most of them were over before; no more are on their way than there can be at once.
    if (this.#early.size > maxStreams) this.#early.delete(this.#early.values().next().value!);
  }

  #fail(error: unknown): void {
    if (this.#ending.end !== null) return;
    if (error instanceof NetError) return this.close(error.message);
    if (error instanceof TunnelError) return this.close(error.message);
    this.#options.onBug("tunnel link", error);
    this.close("internal error");
  }

  async #accept(): Promise<void> {
    for (;;) {
      const stream = await this.#options.quic.acceptStream({ size: tunnelReads() });
      if (stream === null) return;
      this.#ask(stream).catch((error) => {
        void stream.abort();
        this.#fail(error instanceof TunnelError ? error : toNetError(error));
      });
    }
  }

  /** Agent: the gateway has opened a stream, and says what for. */
  async #ask(stream: QuicStream): Promise<void> {
    const frame = await new FrameStream(stream).expect().catch((error) => {
      if (error instanceof NetError) return null;
      throw error;
    });
    if (frame === null) return void stream.abort();
    if (frame.type !== "open") throw invalid(`${frame.type} where OPEN belongs`);
    if (this.#early.delete(frame.id)) return void stream.abort();
    this.#serve(stream, frame);
  }

  /** Agent: asks for its target. */
  #serve(stream: QuicStream, { id, protocol, host, port }: Frame & { type: "open" }): void {
    const gone = new Cancel();
    let answered = false;
    const settle = () => {
      answered = true;
      this.#asked.delete(id);
    };
    const giveUp = () => {
      if (answered) return;
      settle();
      gone.abort(new NetError("lost", "nobody waits for it any more"));
      void stream.abort();
    };
    this.#asked.set(id, giveUp);
    // Before our answer nothing comes but an end.
    const first = stream.read();
    first.then(giveUp, giveUp);
    const answer = (frame: Frame): Promise<void> => {
      settle();
      return stream.write(encodePrefixed(frame)).catch(() => {});
    };
    this.#options.onOpen?.({ protocol, host, port }, {
      signal: gone,
      accept: () => {
        if (answered) return null;
        const opened = this.#add(id, stream, first);
        void answer({ type: "opened", id, windowBytes: DEFAULT_WINDOW_BYTES });
        return opened;
      },
      refuse: ({ code, message }) => {
        if (answered) return;
        void answer({ type: "refused", id, code, message }).then(() => stream.abort());
      },
    });
  }

  #add(id: number, stream: QuicStream, first: Promise<Uint8Array | null> | null) {
    const opened: QuicTunnelStream = new QuicTunnelStream({
      id,
      stream,
      first,
      tell: this.#tell,
      over: () => this.#streams.delete(id),
    });
    this.#streams.set(id, opened);
    return opened;
  }

  readonly #tell = (frame: Frame): void => {
    if (this.#ending.end !== null) return;
    // A peer that does not read the control stream would have us hold them all.
    if (this.#untold.length >= MAX_UNTOLD_A_STREAM * this.#options.maxStreams + MIN_MAX_UNTOLD) {
      const { RATE_LIMITED } = TunnelCode;
      return this.#fail(new TunnelError(RATE_LIMITED, "connection", "Too many answers wait"));
    }
    this.#untold.push(frame);
    if (!this.#telling) void this.#tellAll();
  };

  /** What is to be said while a write is under way goes in one write behind it. */
  async #tellAll(): Promise<void> {
    this.#telling = true;
    try {
      while (this.#untold.length > 0) await this.#options.control.send(...this.#untold.splice(0));
    } catch {
      // The link is gone, which is told where the control stream is read.
    }
    this.#telling = false;
  }

  async open({ protocol, host, port }: TunnelTarget, signal: CancelSignal): Promise<ByteStream> {
    const { quic, maxStreams } = this.#options;
    if (this.#ending.end !== null) throw new NetError("lost", "the tunnel is gone");
    if (this.#draining) throw drains();
    if (this.streams >= maxStreams) throw full();
    const stream = await quic.tryOpenStream({ size: tunnelReads() });
    if (stream === null) throw full();
    const id = ++this.#opened;
    // At once: what is said of it on the control stream may come before the answer.
    const opened = this.#add(id, stream, null);
    const giveUp = () => opened.abort("given up");
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      const frames = new FrameStream(stream);
      await frames.send({
        type: "open",
        id,
        windowBytes: DEFAULT_WINDOW_BYTES,
        protocol,
        host,
        port,
      });
      const answer = await frames.expect();
      if (answer.type === "refused") throw new TunnelRefused(answer.code, answer.message);
      if (answer.type !== "opened") throw invalid(`${answer.type} where OPENED belongs`);
      opened.begin(frames.rest());
      return opened;
    } catch (error) {
      opened.fail(new NetError("aborted", "not opened"));
      if (error instanceof TunnelError) this.#fail(error);
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  drain(forMs: number): void {
    this.#tell({ type: "drain", ms: forMs });
  }

  close(reason: string): void {
    this.#ending.settle({ by: "us", reason });
    this.#options.quic.close(0, reason);
  }
}

function tunnelReads(): ReadSize {
  return new ReadSize(TUNNEL_READ_SIZE);
}

function full(): TunnelRefused {
  return new TunnelRefused(TunnelCode.RATE_LIMITED, "the agent is full");
}

function invalid(message: string): TunnelError {
  return new TunnelError(TunnelCode.INVALID_MESSAGE, "connection", message);
}
