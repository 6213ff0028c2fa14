// A server of HTTP/3 that sends what a test says, right or wrong.
import { Inbox } from "./inbox.ts";
import type { QuicConnection } from "../../src/net/quic.ts";
import { QuicServer } from "../../src/net/quic_server.ts";
import type { QuicSendStream, QuicStream } from "../../src/net/quic_stream.ts";
import { encodeFrame, FrameType } from "../../src/protocol/http3/frame.ts";
import { RequestStreamParser } from "../../src/protocol/http3/request_stream.ts";
import { decodeFieldSection } from "../../src/protocol/qpack/decoder.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { testCertificates } from "./proxy.ts";
import { dataFrame, headersFrame } from "./raw_h3.ts";
import { within } from "./within.ts";

/** RFC 9220 §3: SETTINGS_ENABLE_CONNECT_PROTOCOL of that value. */
export function connectSettings(value: number): Uint8Array {
  return encodeFrame(FrameType.SETTINGS, Uint8Array.of(0x08, value));
}

/** RFC 9114 §5.2: no request of that stream, or of a later one, was or will be served. */
export function goaway(streamId: number): Uint8Array {
  return encodeFrame(FrameType.GOAWAY, Uint8Array.of(streamId));
}

/** One QUIC socket; its connections are told one by one. */
export class RawH3Server implements AsyncDisposable {
  readonly #quic: QuicServer;
  readonly #connections: QuicConnection[] = [];

  private constructor(quic: QuicServer) {
    this.#quic = quic;
  }

  static async listen(maxStreams = 16): Promise<RawH3Server> {
    const { certPem, keyPem } = await testCertificates();
    return new RawH3Server(
      new QuicServer({
        ...{ hostname: "127.0.0.1", port: 0, alpnProtocols: ["h3"], certPem, keyPem },
        ...{ maxStreams, idleTimeoutMs: 60_000, keepaliveMs: 0 },
      }),
    );
  }

  get port(): number {
    return this.#quic.port;
  }

  /** The next connection, behind its handshake. Nothing was sent on it. */
  async accept(): Promise<RawH3Peer> {
    const attempt = await within("a connection", this.#quic.incoming());
    const connection = attempt!.accept();
    this.#connections.push(connection);
    await within("a handshake", connection.handshake());
    return new RawH3Peer(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#quic.close(0x100);
    await Promise.all(this.#connections.map(({ closed }) => closed));
  }
}

/** One connection's end. */
export class RawH3Peer {
  readonly quic: QuicConnection;
  #control: QuicSendStream | null = null;

  constructor(quic: QuicConnection) {
    this.quic = quic;
  }

  /** Frames of the control stream, which begins with the first call (RFC 9114 §6.2.1). */
  async control(...frames: Uint8Array[]): Promise<void> {
    const begins = this.#control === null;
    this.#control ??= await within("a stream", this.quic.openUniStream());
    await this.#control.write(
      concat([begins ? Uint8Array.of(0x00) : new Uint8Array(0), ...frames]),
    );
  }

  /** SETTINGS that allow WebSockets. */
  welcome(): Promise<void> {
    return this.control(connectSettings(1));
  }

  /** The next request, as far as its head. */
  async request(): Promise<RawH3Request> {
    const stream = await within("a request", this.quic.acceptStream());
    if (stream === null) throw new Error("The connection ended before a request");
    const request = new RawH3Request(stream);
    await request.readHead();
    return request;
  }

  /** Opens every tunnel that is asked for from now on. */
  async openAll(): Promise<void> {
    for (;;) {
      const stream = await this.quic.acceptStream();
      if (stream === null) return;
      const request = new RawH3Request(stream);
      // A client may go before it has its answer.
      await request.readHead().then(() => request.answer(200)).catch(() => {});
    }
  }
}

/** One request and its answer. */
export class RawH3Request {
  readonly #stream: QuicStream;
  readonly #parser = new RequestStreamParser({ role: "server", maxHeaderBytes: 65_536 });
  /** The head as it came, with its pseudo-header fields. */
  fields: readonly Field[] = [];
  /** What comes behind the head. */
  readonly inbox: Inbox = new Inbox("from the client", () => this.#data());

  constructor(stream: QuicStream) {
    this.#stream = stream;
  }

  get(name: string): string | null {
    return this.fields.find(([own]) => own === name)?.[1] ?? null;
  }

  async readHead(): Promise<void> {
    const event = await this.#event();
    if (event?.type !== "headers") throw new Error(`A request began with ${event?.type}`);
    this.fields = decodeFieldSection(event.block, 65_536).fields;
  }

  async #data(): Promise<Uint8Array | null> {
    const event = await this.#event();
    if (event === null) return null;
    if (event.type !== "data") throw new Error(`${event.type} in a tunnel`);
    return event.bytes.slice();
  }

  async #event() {
    for (;;) {
      const event = this.#parser.next();
      if (event !== null) return event;
      const chunk = await within("bytes from the client", this.#stream.read());
      if (chunk === null) return null;
      this.#parser.push(chunk);
    }
  }

  /** Bytes of the stream, as they are. */
  write(...bytes: Uint8Array[]): Promise<void> {
    return this.#stream.write(concat(bytes));
  }

  /** HEADERS, and what goes out in one write with them. */
  answer(status: number, fields: readonly Field[] = [], ...more: Uint8Array[]): Promise<void> {
    return this.write(headersFrame([[":status", String(status)], ...fields]), ...more);
  }

  /** Bytes of the tunnel, in one DATA frame. */
  send(bytes: Uint8Array): Promise<void> {
    return this.write(dataFrame(bytes));
  }

  fin(): Promise<void> {
    return this.#stream.closeWrite();
  }

  /** STOP_SENDING and FIN. */
  abort(): void {
    void this.#stream.abort();
  }
}
