import { type Beginning, readUpTo } from "../ingress/content.ts";
import { H3Control } from "../ingress/h3_control.ts";
import { H3Tunnel } from "../ingress/h3_tunnel.ts";
import { NetError } from "../net/error.ts";
import type { QuicConnection } from "../net/quic.ts";
import { connectQuic, type QuicConnectOptions } from "../net/quic_connect.ts";
import { type QuicStream } from "../net/quic_stream.ts";
import { H3Code, h3CodeName } from "../protocol/http3/codes.ts";
import {
  encodeRequest,
  readResponseHead,
  type RequestHead,
  type ResponseHead,
} from "../protocol/http3/fields.ts";
import { encodeFrame, FrameType } from "../protocol/http3/frame.ts";
import { RequestStreamParser } from "../protocol/http3/request_stream.ts";
import { decodeFieldSection } from "../protocol/qpack/decoder.ts";
import { encodeFieldSection } from "../protocol/qpack/encoder.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type Answered, bodyParts, MAX_HEADER_BYTES } from "./h3_body.ts";
import {
  abortError,
  type AskOptions,
  type ClientResponse,
  type CloseInfo,
  type HttpClient,
  leaving,
  MAX_BODY_BYTES,
  MAX_REFUSAL_BYTES,
  NoExtendedConnect,
  NoRoom,
  orAborted,
  type Tunnelled,
} from "./http_client.ts";

const ALPN_H3 = "h3";
/** How long a write may hold a stream that was given up. */
const FREE_MS = 1_000;

/** Where an `H3Client` connects to, and whom it trusts. */
export type H3ConnectOptions =
  & Omit<QuicConnectOptions, "alpnProtocols" | "maxStreams" | "idleTimeoutMs" | "keepaliveMs">
  & { idleTimeoutMs?: number; keepaliveMs?: number };

/**
 * One HTTP/3 connection on the client's side (RFC 9114, RFC 9220); any number of requests at once.
 * `H3Client.connect` makes it.
 *
 * ```ts
 * import { connectWebSocket, H3Client } from "h3ws";
 *
 * const caCerts = [await Deno.readTextFile("ca.pem")];
 * const client = await H3Client.connect({ hostname: "localhost", port: 8443, caCerts });
 * const { status } = await client.fetch({
 *   ...{ method: "GET", scheme: "https", authority: "localhost:8443", path: "/healthz" },
 *   ...{ protocol: null, fields: [] },
 * });
 * const socket = await connectWebSocket("wss://localhost:8443/ws", { connection: client });
 * console.log(status, socket.http); // 200 "3"
 * await socket.close();
 * client.close(); // it stays open behind its sockets
 * ```
 */
export class H3Client implements HttpClient {
  /** The version that it speaks. */
  readonly http = "3";
  readonly #quic: QuicConnection;
  readonly #control: H3Control;
  readonly #settings: Promise<boolean>;
  #gotSettings!: (extendedConnect: boolean) => void;
  #goaway = Infinity;
  #isOver = false;
  #error: Error | null = null;
  /** Requests that have no answer yet. */
  readonly #asking = new Set<{ id: number; left: PromiseWithResolvers<never> }>();
  readonly #tunnels = new Set<H3Tunnel>();

  /** Resolves when the connection is gone. */
  readonly closed: Promise<CloseInfo>;

  private constructor(quic: QuicConnection) {
    this.#quic = quic;
    this.#settings = new Promise((resolve) => this.#gotSettings = resolve);
    this.#control = new H3Control(quic, {
      role: "client",
      onEvent: (event) => {
        if (event.type === "settings") this.#gotSettings(event.settings.enableConnectProtocol);
        if (event.type === "goaway") this.#leave(event.id);
      },
      onError: (error) => this.#fail(error),
    });
    this.closed = quic.closed.then((info) => {
      this.#isOver = true;
      this.#gotSettings(false);
      this.#control.release();
      for (const tunnel of this.#tunnels) tunnel.lose();
      this.#tunnels.clear();
      return info;
    });
  }

  /** Connects and sends SETTINGS. Throws `NetError`. */
  static async connect(options: H3ConnectOptions): Promise<H3Client> {
    const quic = await connectQuic({
      idleTimeoutMs: 60_000,
      keepaliveMs: 20_000,
      ...options,
      alpnProtocols: [ALPN_H3],
      maxStreams: 0,
    });
    const client = new H3Client(quic);
    void client.#control.accept();
    try {
      // RFC 9000 §4.6: it waits for credit.
      const opened = client.#control.open({ maxFieldSectionSize: MAX_HEADER_BYTES });
      await orAborted(opened, options.signal);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /**
   * RFC 9220 §3: whether the server's SETTINGS allow WebSockets here; waits for them. Rejects where
   * the connection is over.
   */
  async extendedConnect(): Promise<boolean> {
    const allows = await this.#settings;
    if (!this.#isOver) return allows;
    if (this.#error !== null) throw this.#error;
    const { code, reason } = await this.closed;
    const said = code < 0 ? reason : `${h3CodeName(code)} ${reason}`.trimEnd();
    throw new NetError("lost", `the connection was closed: ${said}`);
  }

  /** RFC 9114 §5.2: whether the server said that it takes no more requests. */
  get goingAway(): boolean {
    return this.#isOver || this.#goaway !== Infinity;
  }

  /** What the peer broke, or a bug of ours: whoever waits for the connection is told. */
  #fail(error: unknown): void {
    if (error instanceof NetError) return;
    if (error instanceof PeerError && error.scope === "stream") return;
    this.#error ??= error instanceof Error ? error : new Error(String(error));
    if (error instanceof PeerError) this.#quic.close(error.code, error.message);
    else this.#quic.close(H3Code.H3_INTERNAL_ERROR, "internal error");
  }

  /** RFC 9114 §5.2: what GOAWAY names, and all behind it, was not served, and is not waited for. */
  #leave(id: number): void {
    this.#goaway = id;
    for (const asking of this.#asking) {
      if (asking.id >= id) asking.left.reject(leaving());
    }
  }

  /** An ordinary request without a body. */
  async fetch(head: RequestHead, options: AskOptions = {}): Promise<ClientResponse> {
    const { stream, parser, response } = await this.#send(head, true, options);
    const answered = { stream, parser, response, method: head.method };
    const { bytes: body, isCut } = await this.#body(answered, MAX_BODY_BYTES, options.signal);
    if (isCut) throw new NetError("other", "the answer's body is too big");
    return { ...response, body };
  }

  /** An extended CONNECT (RFC 9220); waits for the server's SETTINGS, which must allow it. */
  async connect(head: RequestHead, options: AskOptions = {}): Promise<Tunnelled> {
    // RFC 9220 §3: not before SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 has come.
    const allows = await orAborted(this.extendedConnect(), options.signal);
    if (!allows) throw new NoExtendedConnect(this.http);
    const { stream, parser, response } = await this.#send(head, false, options);
    if (response.status < 200 || response.status > 299) {
      const answered = { stream, parser, response, method: head.method };
      const { bytes: body, isCut } = await this.#body(
        answered,
        MAX_REFUSAL_BYTES,
        options.signal,
      );
      return { head: response, tunnel: null, body, isBodyCut: isCut };
    }
    const rest: Uint8Array[] = [];
    for (let event = parser.next(); event !== null; event = parser.next()) {
      if (event.type === "data") rest.push(event.bytes.slice());
    }
    parser.tunnel();
    const tunnel: H3Tunnel = new H3Tunnel({
      stream,
      parser,
      rest,
      early: null,
      broken: (error) => this.#fail(error),
      aborted: (freed) => {
        this.#tunnels.delete(tunnel);
        if (options.onFreed !== undefined) void freedOrLate(freed).then(options.onFreed);
      },
    });
    this.#tunnels.add(tunnel);
    return { head: response, tunnel, body: new Uint8Array(0), isBodyCut: false };
  }

  async #send(head: RequestHead, fin: boolean, options: AskOptions) {
    const { signal } = options;
    const stream = await this.#open(options);
    const parser = new RequestStreamParser({ role: "client", maxHeaderBytes: MAX_HEADER_BYTES });
    const ask = async () => {
      const block = encodeFieldSection(encodeRequest(head));
      await stream.write(encodeFrame(FrameType.HEADERS, block));
      if (fin) await stream.closeWrite();
      return await this.#response(stream, parser);
    };
    const asking = { id: stream.id, left: Promise.withResolvers<never>() };
    this.#asking.add(asking);
    try {
      const response = await orAborted(Promise.race([asking.left.promise, ask()]), signal);
      return { stream, parser, response };
    } catch (error) {
      void stream.abort();
      if (signal?.aborted) throw abortError(signal);
      if (error instanceof PeerError) this.#fail(error);
      if (stream.id >= this.#goaway) throw leaving();
      throw error;
    } finally {
      this.#asking.delete(asking);
    }
  }

  async #open({ signal, wait = true }: AskOptions): Promise<QuicStream> {
    if (signal?.aborted) throw abortError(signal);
    if (this.goingAway) throw leaving();
    if (!wait) {
      const stream = await this.#quic.tryOpenStream();
      if (stream === null) throw new NoRoom();
      return stream;
    }
    return await orAborted(this.#quic.openStream(), signal, (late) => void late.abort());
  }

  async #response(stream: QuicStream, parser: RequestStreamParser): Promise<ResponseHead> {
    for (;;) {
      const chunk = await stream.read();
      if (chunk === null) parser.end();
      else parser.push(chunk);
      for (let event = parser.next(); event !== null; event = parser.next()) {
        if (event.type === "oversize") throw new NetError("other", "the answer's head is too big");
        if (event.type !== "headers") continue;
        const response = readResponseHead(decodeFieldSection(event.block, MAX_HEADER_BYTES).fields);
        // RFC 9110 §15.2: any number of 1xx come before the final answer.
        if (response.status < 200) continue;
        parser.finalHeaders();
        return response;
      }
      if (chunk === null) throw new NetError("lost", "the stream ended before an answer");
    }
  }

  /** The body, up to `maxBytes`; throws when it broke off (RFC 9114 §4.1.2). */
  async #body(from: Answered, maxBytes: number, signal?: AbortSignal): Promise<Beginning> {
    const parts = bodyParts(from);
    const read = async () => (await parts.next()).value ?? null;
    try {
      return await orAborted(readUpTo(read, maxBytes), signal);
    } catch (error) {
      if (error instanceof PeerError) this.#fail(error);
      throw error;
    } finally {
      from.stream.abort();
    }
  }

  /** Ends the connection with H3_NO_ERROR, and all that is open on it. */
  close(): void {
    this.#quic.close(H3Code.H3_NO_ERROR, "");
  }
}

/**
 * No stream can be reset: one with a write that the server takes nothing of is free only with its
 * connection, for which nobody should wait.
 */
async function freedOrLate(freed: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, FREE_MS);
  await Promise.race([freed, late.promise]);
  clearTimeout(timer);
}
