import { NetError } from "../net/error.ts";
import type { QuicCloseInfo, QuicConnection } from "../net/quic.ts";
import type { QuicStream } from "../net/quic_stream.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { H3Code, H3Error } from "../protocol/http3/codes.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { H3Control } from "./h3_control.ts";
import { H3Request } from "./h3_request.ts";
import type { Offer } from "./offer.ts";

/** Why a connection ended before it brought one request (seed metric `prerequest_close_total`). */
export type PrerequestReason =
  | "request_stream_invalid_first_frame_or_headers"
  | "no_bidi_request_stream"
  | "no_h3_stream_activity"
  | "stream_activity_without_request";

/** Protocols beside HTTP/3 that are spoken over QUIC at the same port. */
export interface OtherQuic {
  /** Their names for ALPN (RFC 7301). */
  readonly alpnProtocols: readonly string[];
  /** Takes a connection whose handshake is over. It ends with the door at the latest. */
  take(connection: QuicConnection): void;
}

export interface H3ConnectionOptions {
  maxHeaderBytes: number;
  headTimeoutMs: number;
  /** How long the next bytes of content may take that is waited for. Default as for a head. */
  contentTimeoutMs?: number;
  /** How long a client may take nothing of an answer. */
  writeTimeoutMs: number;
  /** A connection without an open stream for so long is closed. */
  idleTimeoutMs: number;
  /** Whether our SETTINGS say that RFC 9220 is spoken. */
  enableConnectProtocol: boolean;
  sweeper: Sweeper;
  /** What else is spoken over QUIC at this port. */
  otherQuic?: OtherQuic;
  /** Takes each request; what it throws is a bug of ours. */
  onOffer: (offer: Offer) => Promise<void>;
  /** A head was answered at the door: 431, or 400 for a malformed one. */
  onHeadRefused: (status: number, remote: string, message: string) => void;
  onPrerequestClose: (reason: PrerequestReason) => void;
  /** The peer broke a rule of HTTP/3. */
  onPeerError: (error: PeerError, remote: string) => void;
  onBug: (where: string, error: unknown) => void;
}

/** A stream that was given up is stuck if it is not free so long after. */
const STUCK_AFTER_MS = 1000;
/** So many may be: each holds what its client does not read, and only the connection's end frees it. */
const MAX_STUCK = 8;
/** What a stream said last gets so long to arrive: CONNECTION_CLOSE takes back what has not. */
const FLUSH_MS = 1000;

/** One HTTP/3 connection on the server's side, from its handshake to its end. */
export class H3Connection {
  readonly #quic: QuicConnection;
  readonly #options: H3ConnectionOptions;
  readonly #control: H3Control;
  #streams = 0;
  #requests = 0;
  #badHead = false;
  #lastStreamId: number | null = null;
  readonly #open = new Set<H3Request>();
  #stuck = 0;
  #idle: Deadline | null = null;
  /** When the last stream ended; none has yet. */
  #idleSinceMs = -Infinity;
  #draining = false;
  #ended = false;
  /** It broke a rule that ends it. */
  #failed = false;
  /** Something else than HTTP/3 is spoken. */
  #isOther = false;

  constructor(quic: QuicConnection, options: H3ConnectionOptions) {
    this.#quic = quic;
    this.#options = options;
    this.#control = new H3Control(quic, {
      role: "server",
      onError: (error) => this.#fail(error, "one-way stream"),
    });
  }

  /**
   * Resolves when the connection is gone and told of. Never rejects. `established` is called once
   * the handshake is over and our SETTINGS have gone; it says whether there is room, or the
   * connection ends there.
   */
  async run(established: () => boolean): Promise<QuicCloseInfo> {
    let refused = false;
    const { sweeper, headTimeoutMs } = this.#options;
    const deadline = new Deadline(sweeper, headTimeoutMs, () => {
      this.#quic.close(H3Code.H3_NO_ERROR, "handshake timeout");
    });
    try {
      // RFC 9114 §7.2.4.2: SETTINGS MUST be sent as soon as the transport can. That is with the
      // server's first flight; later, they would cost a client that waits for them (RFC 9220 §3) one
      // more round trip.
      const { maxHeaderBytes: maxFieldSectionSize, enableConnectProtocol } = this.#options;
      const settings = { maxFieldSectionSize, enableConnectProtocol };
      const { otherQuic } = this.#options;
      // Which of several protocols it is, is known only then.
      const isOpen = otherQuic === undefined && await this.#control.tryOpen(settings);
      await this.#quic.handshake();
      this.#isOther = otherQuic?.alpnProtocols.includes(this.#quic.alpn ?? "") ?? false;
      if (!isOpen && !this.#isOther) await this.#control.open(settings);
      refused = !established();
      if (refused) this.#quic.close(H3Code.H3_NO_ERROR, "too many connections");
      else if (this.#isOther) otherQuic!.take(this.#quic);
      else this.#serveAll();
    } catch {
      this.#quic.close(H3Code.H3_NO_ERROR, "handshake failed");
    } finally {
      deadline.clear();
    }
    const info = await this.#quic.closed;
    this.#ended = true;
    this.#idle?.clear();
    this.#control.release();
    for (const request of this.#open) request.lose();
    if (!refused && !this.#isOther) this.#tellPrerequest();
    return info;
  }

  #serveAll(): void {
    void this.#control.accept();
    this.#acceptStreams().catch((error) => this.#fail(error, "streams"));
    this.#beIdle();
  }

  async #acceptStreams(): Promise<void> {
    for (;;) {
      const stream = await this.#quic.acceptStream();
      if (stream === null) return;
      this.#streams++;
      this.#idle?.clear();
      this.#lastStreamId = stream.id;
      void this.#serve(stream);
    }
  }

  async #serve(stream: QuicStream): Promise<void> {
    const { sweeper, headTimeoutMs, writeTimeoutMs, maxHeaderBytes } = this.#options;
    const { contentTimeoutMs = headTimeoutMs } = this.#options;
    const request = new H3Request({
      stream,
      remote: this.#quic.remote,
      maxHeaderBytes,
      peerMaxHeaderBytes: () => this.#control.state.peerSettings?.maxFieldSectionSize ?? Infinity,
      headTimeoutMs,
      contentTimeoutMs,
      writeTimeoutMs,
      sweeper,
      connectionError: (error) => this.#fail(error, "request stream"),
      aborted: (freed) => this.#watchAborted(freed),
    });
    this.#open.add(request);
    try {
      const outcome = await request.readHead();
      if (outcome === "offer" || outcome === "answered") this.#requests++;
      if (outcome === "answered") this.#tellRefused(431, "the field section is too long");
      if (outcome === "malformed") this.#tellRefused(400, request.refusedFor);
      if (outcome === "malformed" || outcome === "broken") this.#badHead = true;
      if (outcome !== "offer") return;
      await this.#options.onOffer(request);
      if (await request.settle() === "malformed") this.#tellRefused(400, request.refusedFor);
    } catch (error) {
      request.abort();
      this.#fail(error, "request stream");
    } finally {
      this.#open.delete(request);
      if (this.#open.size === 0) {
        this.#idleSinceMs = performance.now();
        this.#beIdle();
      }
    }
  }

  #tellRefused(status: number, message: string): void {
    this.#options.onHeadRefused(status, this.#quic.remote, message);
  }

  /**
   * RFC 9114 §5.1: a server may close a connection without requests. Our own keepalive holds off
   * the transport's idle timeout for as long as the peer answers it.
   */
  #beIdle(): void {
    if (this.#ended) return;
    const { sweeper, idleTimeoutMs } = this.#options;
    const afterMs = this.#draining
      ? this.#idleSinceMs + FLUSH_MS - performance.now()
      : idleTimeoutMs;
    if (afterMs <= 0) return this.close();
    this.#idle?.clear();
    this.#idle = new Deadline(sweeper, afterMs, () => this.close());
  }

  /**
   * A client that stops reading can't be sent RESET_STREAM (see net/quic.ts): the write under way
   * keeps the stream until it is read on. RFC 9114 §10.5: who makes us hold too much is sent away.
   */
  #watchAborted(freed: Promise<void>): void {
    let stuck = false;
    const deadline = new Deadline(this.#options.sweeper, STUCK_AFTER_MS, () => {
      stuck = true;
      if (++this.#stuck <= MAX_STUCK) return;
      const message = `${this.#stuck} streams were given up unread`;
      this.#fail(new H3Error(H3Code.H3_EXCESSIVE_LOAD, "connection", message), "request stream");
    });
    void freed.then(() => {
      deadline.clear();
      if (stuck) this.#stuck--;
    });
  }

  /** RFC 9114 §8: one place turns what was thrown into the connection's close. */
  #fail(error: unknown, where: string): void {
    if (this.#ended || this.#failed) return;
    if (error instanceof PeerError) {
      this.#options.onPeerError(error, this.#quic.remote);
      // What its other streams come to is no news any more.
      this.#failed = error.scope === "connection";
      if (this.#failed) this.#quic.close(error.code, error.message);
      return;
    }
    // Whatever ends a stream or the connection is told where it is read.
    if (error instanceof NetError) return;
    this.#options.onBug(`http/3 ${where}`, error);
    this.#quic.close(H3Code.H3_INTERNAL_ERROR, "internal error");
  }

  /** RFC 9114 §5.2: takes no new requests; the connection ends with its last stream. */
  drain(): void {
    // Of anything else the end is for its taker to say.
    if (this.#draining || this.#ended || this.#isOther) return;
    this.#draining = true;
    void this.#control.goaway(this.#lastStreamId);
    if (this.#open.size === 0) this.#beIdle();
  }

  close(): void {
    this.#quic.close(H3Code.H3_NO_ERROR, "");
  }

  #tellPrerequest(): void {
    if (this.#requests > 0) return;
    const reason = this.#badHead
      ? "request_stream_invalid_first_frame_or_headers"
      : this.#streams > 0
      ? "stream_activity_without_request"
      : this.#control.uniStreams > 0
      ? "no_bidi_request_stream"
      : "no_h3_stream_activity";
    this.#options.onPrerequestClose(reason);
  }
}
