import * as net from "node:net";
import * as tls from "node:tls";
import { ProxyHeaderParser } from "../protocol/proxy_protocol/parser.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type AcceptOptions, addressText, proxiedEnds, type RefusalKind } from "./accepted.ts";
import { messageOf } from "./error.ts";
import { type Handshake, Handshakes } from "./handshakes.ts";
import { NodeListener } from "./node_listener.ts";
import { NodeStream } from "./node_stream.ts";
import { type CertificatePair, ServerCertificates, subjectText } from "./tls_certificates.ts";

export interface TlsListenOptions extends AcceptOptions, Trust {
  /** What ALPN may choose, best first (RFC 7301). */
  readonly alpnProtocols?: readonly string[];
}

/** Who the server is, and which clients it takes. */
interface Trust {
  /** The first is for clients that name none of the others. */
  readonly certificates: readonly CertificatePair[];
  /** PEM: whose certificates clients must have. `null` where they need none. */
  readonly clientCaPem: string | null;
}

/** RFC 9113 §3.2, RFC 7301 §6. */
const ALPN_PROTOCOLS = ["h2", "http/1.1"];

/** How much later than ours the deadline of node:tls is. */
const MARGIN_MS = 5_000;

/** A connection whose handshake is under way. */
interface Pending {
  readonly raw: net.Socket;
  readonly handshake: Handshake;
  /** Who it is, by the PROXY header or the socket. */
  remote: string;
  local: string;
}

/** One TCP port that takes TLS 1.2 and 1.3. */
export class TlsServer {
  readonly #options: TlsListenOptions;
  readonly #handshakes: Handshakes;
  readonly #pending = new Map<net.Socket, Pending>();
  readonly #streams = new Set<NodeStream>();
  #tls: tls.Server;
  #certificates: readonly CertificatePair[];
  #clientCaPem: string | null;
  #listener: NodeListener | null = null;

  /**
   * Listens. Throws `NetError`: "tls" when a certificate, its key or the client CA can't be used,
   * else when the port is taken or the address is not ours.
   */
  static async listen(options: TlsListenOptions): Promise<TlsServer> {
    const server = new TlsServer(options);
    server.#listener = await NodeListener.listen(options, (raw) => server.#take(raw));
    return server;
  }

  private constructor(options: TlsListenOptions) {
    this.#options = options;
    this.#handshakes = new Handshakes(options);
    this.#certificates = options.certificates;
    this.#clientCaPem = options.clientCaPem;
    this.#tls = this.#makeTls(options);
  }

  /** It never listens; it takes the sockets that are handed to it. */
  #makeTls({ certificates, clientCaPem }: Trust): tls.Server {
    const { alpnProtocols, handshakeTimeoutMs } = this.#options;
    const server = tls.createServer({
      ...new ServerCertificates(certificates, clientCaPem).options,
      ALPNProtocols: [...alpnProtocols ?? ALPN_PROTOCOLS],
      requestCert: clientCaPem !== null,
      rejectUnauthorized: clientCaPem !== null,
      // Where the next line does nothing, ours is first still.
      handshakeTimeout: handshakeTimeoutMs + MARGIN_MS,
    });
    // Its timer outlives the handshake that fails, and holds 20 KB for each. 0 is taken for 120 s by
    // the public way; tests/net/tls_server_handshake_test.ts pins this one.
    (server as unknown as { _handshakeTimeout: number })._handshakeTimeout = 0;
    server.on("secureConnection", (socket) => this.#secured(socket));
    server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
    return server;
  }

  get hostname(): string {
    return this.#listener!.hostname;
  }

  get port(): number {
    return this.#listener!.port;
  }

  /** Those that were handed over and are not closed yet. */
  get connections(): number {
    return this.#streams.size;
  }

  get handshakes(): number {
    return this.#handshakes.size;
  }

  /** From now on new connections get these; throws `NetError`, and the old stay, if unusable. */
  reload(certificates: readonly CertificatePair[]): void {
    this.prepare({ certificates })();
  }

  /**
   * Looks whether these can be used, and gives what has new connections get them; the one that is
   * left out stays. Throws `NetError`.
   */
  prepare(
    { certificates = this.#certificates, clientCaPem = this.#clientCaPem }: Partial<Trust>,
  ): () => void {
    const server = this.#makeTls({ certificates, clientCaPem });
    return () => {
      this.#certificates = certificates;
      this.#clientCaPem = clientCaPem;
      this.#tls = server;
    };
  }

  #take(raw: net.Socket): void {
    const { remoteAddress, remotePort, localAddress = "0.0.0.0", localPort = 0 } = raw;
    raw.on("error", () => {});
    // Gone before it was seen.
    if (remoteAddress === undefined || remotePort === undefined) return void raw.destroy();
    const remote = addressText(remoteAddress, remotePort);
    const handshake = this.#handshakes.begin(remote, () => {
      this.#pending.delete(raw);
      raw.destroy();
    });
    if (handshake === null) return;
    const local = addressText(localAddress, localPort);
    const pending: Pending = { raw, handshake, remote, local };
    this.#pending.set(raw, pending);
    if (this.#options.proxyProtocol) this.#awaitHeader(pending);
    else this.#begin(pending);
  }

  #begin({ raw, handshake }: Pending): void {
    try {
      // Until the handshake is over, FIN is the end: nobody else would see it.
      raw.allowHalfOpen = false;
      this.#tls.emit("connection", raw);
    } catch (error) {
      handshake.cut();
      this.#options.onBug("tls accept", error);
    }
  }

  #awaitHeader(pending: Pending): void {
    const { raw, handshake } = pending;
    const parser = new ProxyHeaderParser();
    const refuse = (error: unknown) => {
      if (error instanceof PeerError) return handshake.refuse("proxy_protocol", error.message);
      handshake.cut();
      this.#options.onBug("proxy header", error);
    };
    const onEnd = () => {
      try {
        parser.end();
      } catch (error) {
        refuse(error);
      }
    };
    const onClose = () => handshake.refuse("lost", "The client closed the connection");
    const onData = (chunk: Uint8Array) => {
      try {
        parser.push(chunk);
        const header = parser.next();
        if (header === null) return;
        raw.off("data", onData).off("end", onEnd).off("close", onClose).pause();
        if (header.proxied !== null) Object.assign(pending, proxiedEnds(header.proxied));
        const rest = parser.rest();
        if (rest.length > 0) raw.unshift(rest);
        this.#begin(pending);
      } catch (error) {
        refuse(error);
      }
    };
    raw.on("data", onData).on("end", onEnd).on("close", onClose);
  }

  /** The TCP socket below: internal API, which tests/net/tls_server_test.ts pins. */
  #pendingOf(socket: tls.TLSSocket): Pending | undefined {
    const { _parent } = socket as unknown as { _parent?: net.Socket };
    return _parent && this.#pending.get(_parent);
  }

  #secured(socket: tls.TLSSocket): void {
    const pending = this.#pendingOf(socket);
    if (pending === undefined || !pending.handshake.finish()) return void socket.destroy();
    const { raw, remote, local } = pending;
    this.#pending.delete(raw);
    raw.allowHalfOpen = true;
    socket.allowHalfOpen = true;
    const stream = new NodeStream(socket, raw, {
      onClosed: () => this.#streams.delete(stream),
    });
    this.#streams.add(stream);
    try {
      this.#options.onAccept({
        ...{ stream, remote, local, secure: true },
        alpn: socket.alpnProtocol || null,
        serverName: serverNameOf(socket),
        clientCertificate: this.#clientCaPem === null
          ? null
          : subjectText(socket.getPeerCertificate().subject as unknown as Record<string, string>),
      });
    } catch (error) {
      stream.abort();
      this.#options.onBug("tls accept", error);
    }
  }

  #failed(error: Error, socket: tls.TLSSocket): void {
    const { code } = error as { code?: string };
    const { authorizationError } = socket;
    const kind: RefusalKind = code === "ECONNRESET" && !authorizationError ? "lost" : "tls";
    const message = authorizationError
      ? `Client certificate not accepted: ${messageOf(authorizationError)}`
      : messageOf(error);
    this.#pendingOf(socket)?.handshake.refuse(kind, message);
    socket.destroy();
  }

  /** Frees the port; connections that were handed over live on. */
  close(): Promise<void> {
    this.#listener?.close();
    this.#handshakes.cut();
    return Promise.resolve();
  }

  /** Frees the port and aborts every connection. */
  async closeAll(): Promise<void> {
    for (const stream of this.#streams) stream.abort();
    await this.close();
    for (const stream of this.#streams) stream.abort();
  }
}

function serverNameOf({ servername }: tls.TLSSocket & { servername?: unknown }): string | null {
  return typeof servername === "string" && servername !== "" ? servername.toLowerCase() : null;
}
