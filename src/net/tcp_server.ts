import type { ProxyHeader } from "../protocol/proxy_protocol/header.ts";
import { ProxyHeaderParser } from "../protocol/proxy_protocol/parser.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type Accepted, type AcceptOptions, addressText, proxiedEnds } from "./accepted.ts";
import { messageOf, NetError, toNetError } from "./error.ts";
import { type Handshake, Handshakes } from "./handshakes.ts";
import { ConnStream } from "./tcp.ts";

/** The system gave no socket: it may have one a little later. */
const ACCEPT_PAUSE_MS = 100;

/** One TCP port that takes connections in the clear. */
export class TcpServer {
  readonly #listener: Deno.TcpListener;
  readonly #options: AcceptOptions;
  readonly #handshakes: Handshakes;
  readonly #streams = new Set<AcceptedStream>();
  #closed = false;
  /** Ends the wait after a failed accept. */
  #wake: (() => void) | null = null;
  readonly #loop: Promise<void>;

  /** Listens at once; throws `NetError` when the port is taken or the address is not ours. */
  constructor(options: AcceptOptions) {
    this.#options = options;
    this.#handshakes = new Handshakes(options);
    try {
      this.#listener = Deno.listen({ hostname: options.hostname, port: options.port });
    } catch (error) {
      throw toNetError(error);
    }
    this.#loop = this.#accept();
  }

  get hostname(): string {
    return this.#listener.addr.hostname;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Those that were handed over and are not aborted yet. */
  get connections(): number {
    return this.#streams.size;
  }

  /** Those whose PROXY header has not come yet. */
  get handshakes(): number {
    return this.#handshakes.size;
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#take(await this.#listener.accept());
      } catch (error) {
        if (this.#closed) return;
        this.#options.onRefused({ kind: "accept", message: messageOf(error), remote: null });
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ACCEPT_PAUSE_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #take(conn: Deno.TcpConn): void {
    const stream = new AcceptedStream(conn, this.#options, () => this.#streams.delete(stream));
    const { remoteAddr, localAddr } = conn;
    const remote = addressText(remoteAddr.hostname, remoteAddr.port);
    const local = addressText(localAddr.hostname, localAddr.port);
    try {
      conn.setNoDelay(true);
    } catch {
      // The client is gone already: who reads will see it.
    }
    if (!this.#options.proxyProtocol) return this.#handOver(stream, { remote, local });
    const handshake = this.#handshakes.begin(remote, () => stream.abort());
    if (handshake !== null) void this.#awaitHeader(stream, handshake, local);
  }

  async #awaitHeader(
    stream: AcceptedStream,
    handshake: Handshake,
    local: string,
  ): Promise<void> {
    try {
      const { proxied } = await readProxyHeader(stream);
      if (!handshake.finish()) return;
      const { remote } = handshake;
      this.#handOver(stream, proxied === null ? { remote, local } : proxiedEnds(proxied));
    } catch (error) {
      if (error instanceof PeerError) handshake.refuse("proxy_protocol", error.message);
      else if (error instanceof NetError) handshake.refuse("lost", error.message);
      else {
        handshake.cut();
        this.#options.onBug("proxy header", error);
      }
    }
  }

  #handOver(stream: AcceptedStream, ends: Pick<Accepted, "remote" | "local">): void {
    this.#streams.add(stream);
    try {
      const accepted = { stream, ...ends, secure: false, alpn: null, serverName: null };
      this.#options.onAccept({ ...accepted, clientCertificate: null });
    } catch (error) {
      stream.abort();
      this.#options.onBug("accept", error);
    }
  }

  /** Frees the port; connections that were handed over live on. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#listener.close();
      this.#wake?.();
      this.#handshakes.cut();
    }
    await this.#loop;
  }

  /** Frees the port and aborts every connection. */
  async closeAll(): Promise<void> {
    for (const stream of this.#streams) stream.abort();
    await this.close();
    for (const stream of this.#streams) stream.abort();
  }
}

/** Reads up to the end of the header; what came behind it is given by the next `read`. */
async function readProxyHeader(stream: AcceptedStream): Promise<ProxyHeader> {
  const parser = new ProxyHeaderParser();
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
    parser.push(chunk);
    const header = parser.next();
    if (header === null) continue;
    stream.unread(parser.rest());
    return header;
  }
  parser.end();
  throw new Error("unreachable");
}

/** A connection that tells when it is let go. */
class AcceptedStream extends ConnStream {
  #unread: Uint8Array | null = null;
  readonly #onAbort: () => void;

  constructor(conn: Deno.TcpConn, options: { resets?: boolean }, onAbort: () => void) {
    super(conn, options);
    this.#onAbort = onAbort;
  }

  /** Gives back what the last `read` gave and was not used. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#unread = bytes;
  }

  override read(): Promise<Uint8Array | null> {
    if (this.#unread === null) return super.read();
    const bytes = this.#unread;
    this.#unread = null;
    return Promise.resolve(bytes);
  }

  override abort(): void {
    this.#unread = null;
    super.abort();
    this.#onAbort();
  }
}
