import { type Beginning, readUpTo } from "../ingress/content.ts";
import type { H2Stream } from "../ingress/h2_stream.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { type Dial, dial, type Dialled } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import type { RequestHead } from "../protocol/http2/fields.ts";
import { H2Session } from "./h2_session.ts";
import {
  type AskOptions,
  type ClientResponse,
  type CloseInfo,
  type HttpClient,
  MAX_BODY_BYTES,
  MAX_REFUSAL_BYTES,
  NoExtendedConnect,
  orAborted,
  type Tunnelled,
} from "./http_client.ts";

/** Where an `H2Client` connects to, and whom it trusts. */
export interface H2ConnectOptions {
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** The TCP port. */
  port: number;
  /** Default: TLS, where ALPN must choose h2. Without it HTTP/2 is spoken by prior knowledge. */
  secure?: boolean;
  /** SNI, and the name that the certificate must have; default the hostname. */
  serverName?: string;
  /** PEM, beside the roots that Deno trusts. */
  caCerts?: string[];
  /** Takes any certificate. */
  insecure?: boolean;
  /** How the TCP connection is made. */
  dial?: Dial;
  /** Gives up the attempt. */
  signal?: AbortSignal;
  /**
   * Milliseconds between our own PINGs, the first of which that stays without an answer for as long
   * ends the connection; default 20 s, 0 for none.
   */
  keepaliveMs?: number;
}

/** RFC 7301: the ALPN token of HTTP/2. */
export const ALPN_H2 = "h2";

const KEEPALIVE_MS = 20_000;

/**
 * One HTTP/2 connection on the client's side (RFC 9113, RFC 8441); any number of requests at once.
 * `H2Client.connect` makes it, `H2Client.over` on a connection that is there.
 *
 * ```ts
 * import { connectWebSocket, H2Client } from "h3ws";
 *
 * const caCerts = [await Deno.readTextFile("ca.pem")];
 * const client = await H2Client.connect({ hostname: "localhost", port: 8443, caCerts });
 * const { status } = await client.fetch({
 *   ...{ method: "GET", scheme: "https", authority: "localhost:8443", path: "/healthz" },
 *   ...{ protocol: null, fields: [] },
 * });
 * const socket = await connectWebSocket("wss://localhost:8443/ws", { connection: client });
 * console.log(status, socket.http); // 200 "2"
 * await socket.close();
 * client.close(); // it stays open behind its sockets
 * ```
 */
export class H2Client implements HttpClient {
  /** The version that it speaks. */
  readonly http = "2";
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<CloseInfo>;

  readonly #session: H2Session;

  private constructor(session: H2Session) {
    this.#session = session;
    this.closed = session.closed;
  }

  /**
   * Connects and sends SETTINGS.
   *
   * @throws {NetError} when it can't, or the server does not choose HTTP/2
   */
  static async connect(options: H2ConnectOptions): Promise<H2Client> {
    const { hostname, port, secure = true, serverName = hostname, caCerts, insecure } = options;
    const signal = options.signal ?? new AbortController().signal;
    const tls = secure
      ? { serverName, caCerts, alpnProtocols: [ALPN_H2], insecure: insecure ?? false }
      : undefined;
    const stream = await (options.dial ?? dial)({ hostname, port, tls }, signal);
    if (secure) checkAlpn(stream);
    return H2Client.over(stream, options);
  }

  /** HTTP/2 on a connection that is there, by ALPN or by prior knowledge. Sends SETTINGS. */
  static over(stream: ByteStream, options: { keepaliveMs?: number } = {}): H2Client {
    return new H2Client(new H2Session(stream, options.keepaliveMs ?? KEEPALIVE_MS));
  }

  /** RFC 9113 §6.8: whether the server said that it takes no more requests. */
  get goingAway(): boolean {
    return this.#session.goingAway;
  }

  /**
   * RFC 8441 §3: whether the server's SETTINGS allow WebSockets here; waits for them. Rejects where
   * the connection is over.
   */
  extendedConnect(): Promise<boolean> {
    return this.#session.extendedConnect();
  }

  /** An ordinary request without a body. */
  async fetch(head: RequestHead, options: AskOptions = {}): Promise<ClientResponse> {
    const { stream, response } = await this.#session.send(head, true, options);
    try {
      const { bytes: body, isCut } = await bodyOf(stream, MAX_BODY_BYTES, options.signal);
      if (isCut) throw new NetError("other", "the answer's body is too big");
      return { ...response, body };
    } finally {
      stream.abort();
    }
  }

  /** An extended CONNECT (RFC 8441); waits for the server's SETTINGS, which must allow it. */
  async connect(head: RequestHead, options: AskOptions = {}): Promise<Tunnelled> {
    // RFC 8441 §3: not before SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 has come.
    const allows = await orAborted(this.extendedConnect(), options.signal);
    if (!allows) throw new NoExtendedConnect(this.http);
    const { stream, response } = await this.#session.send(head, false, options);
    if (response.status >= 200 && response.status < 300) {
      stream.isTunnel = true;
      return { head: response, tunnel: stream, body: new Uint8Array(0), isBodyCut: false };
    }
    try {
      const { bytes: body, isCut } = await bodyOf(stream, MAX_REFUSAL_BYTES, options.signal);
      return { head: response, tunnel: null, body, isBodyCut: isCut };
    } finally {
      stream.abort();
    }
  }

  /** The process waits for the connection, as it does at first. */
  ref(): void {
    this.#session.ref();
  }

  /** The process does not wait for the connection any more. */
  unref(): void {
    this.#session.unref();
  }

  /** Ends the connection with NO_ERROR, and all that is open on it. */
  close(): void {
    this.#session.close();
  }
}

function bodyOf(stream: H2Stream, maxBytes: number, signal?: AbortSignal): Promise<Beginning> {
  return orAborted(readUpTo(() => stream.read(), maxBytes), signal);
}

function checkAlpn(stream: Dialled): void {
  if (stream.alpn === ALPN_H2) return;
  stream.abort();
  throw new NetError("other", "the server did not choose HTTP/2 (ALPN h2)");
}
