// A client over HTTP/3 that sends what a test says, right or wrong, and tells what came back.
import { H3Control } from "../../src/ingress/h3_control.ts";
import { type QuicConnection } from "../../src/net/quic.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { type QuicStream } from "../../src/net/quic_stream.ts";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
import { encodeFrame, FrameType } from "../../src/protocol/http3/frame.ts";
import { readResponseHead, type ResponseHead } from "../../src/protocol/http3/fields.ts";
import type { Settings } from "../../src/protocol/http3/settings.ts";
import { RequestStreamParser } from "../../src/protocol/http3/request_stream.ts";
import { decodeFieldSection } from "../../src/protocol/qpack/decoder.ts";
import { encodeFieldSection } from "../../src/protocol/qpack/encoder.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import { sha1 } from "../../src/net/sha1.ts";
import { Inbox, latin1, type SeenFrame } from "./inbox.ts";
import { within } from "./within.ts";

export interface RawConnectOptions {
  port: number;
  caCerts: string[];
  serverName?: string;
  /** Whether our control stream with SETTINGS is sent; default `true`. */
  settings?: boolean;
}

const MAX_HEADER_BYTES = 256 * 1024;
/** RFC 6455 §1.3: the example's key. */
export const CLIENT_KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const CLIENT_ACCEPT: string = acceptFor(CLIENT_KEY, sha1);

/** The pseudo-header fields of an extended CONNECT (RFC 9220); `null` leaves one out. */
export interface Pseudo {
  method?: string | null;
  protocol?: string | null;
  scheme?: string | null;
  authority?: string | null;
  path?: string | null;
}

export function connectFields(pseudo: Pseudo = {}, fields: readonly Field[] = []): Field[] {
  const all: Pseudo = {
    method: "CONNECT",
    protocol: "websocket",
    scheme: "https",
    authority: "localhost",
    path: "/ws",
    ...pseudo,
  };
  const section: Field[] = [];
  for (const [name, value] of Object.entries(all)) {
    if (value !== null && value !== undefined) section.push([`:${name}`, value]);
  }
  return [...section, ...fields];
}

export function headersFrame(fields: readonly Field[]): Uint8Array {
  return encodeFrame(FrameType.HEADERS, encodeFieldSection(fields));
}

export function dataFrame(payload: Uint8Array): Uint8Array {
  return encodeFrame(FrameType.DATA, payload);
}

export class RawClient {
  readonly quic: QuicConnection;
  readonly #control: H3Control;
  /** What the server's control stream said, by type: "settings", "goaway". */
  readonly seen: string[] = [];
  /** The server's, once they have come. */
  settings: Settings | null = null;

  private constructor(quic: QuicConnection) {
    this.quic = quic;
    this.#control = new H3Control(quic, {
      role: "client",
      onEvent: (event) => {
        this.seen.push(event.type);
        if (event.type === "settings") this.settings = event.settings;
      },
      onError: (error) => this.seen.push(String(error)),
    });
    void quic.closed.then(() => this.#control.release());
  }

  static async connect(options: RawConnectOptions): Promise<RawClient> {
    const { port, caCerts, serverName = "localhost", settings = true } = options;
    const quic = await within(
      "a QUIC connection",
      connectQuic({
        hostname: "127.0.0.1",
        port,
        serverName,
        caCerts,
        alpnProtocols: ["h3"],
        idleTimeoutMs: 60_000,
        keepaliveMs: 5_000,
        maxStreams: 0,
      }),
    );
    const client = new RawClient(quic);
    if (settings) await client.sendSettings();
    void client.#control.accept();
    return client;
  }

  async sendSettings(): Promise<void> {
    await this.#control.open({ maxFieldSectionSize: MAX_HEADER_BYTES });
  }

  /** A stream with nothing on it; waits for the server's credit. */
  async openStream(): Promise<RawStream> {
    return new RawStream(await within("a stream", this.quic.openStream()));
  }

  /** A request with these very fields; `more` goes out in one write with them. */
  async request(fields: readonly Field[], more: Uint8Array = new Uint8Array(0)) {
    const raw = await this.openStream();
    await raw.write(concat([headersFrame(fields), more]));
    return raw;
  }

  /** An extended CONNECT; what is answered is for the caller to see. */
  connectWs(pseudo: Pseudo = {}, fields: readonly Field[] = []): Promise<RawStream> {
    return this.request(connectFields(pseudo, [["sec-websocket-version", "13"], ...fields]));
  }

  /** A request and its answer: what was sent before it on the connection has come then. */
  async roundTrip(): Promise<void> {
    const pseudo = { method: "GET", protocol: null, path: "/healthz" };
    const request = await this.request(connectFields(pseudo));
    await request.fin();
    await request.answer();
  }

  close(): void {
    this.quic.close(0x100, "");
  }
}

/** The answer's head, with one field at hand. */
export interface RawResponse extends ResponseHead {
  get(name: string): string | null;
}

/** One request stream of the client's. */
export class RawStream {
  readonly #stream: QuicStream;
  readonly #parser = new RequestStreamParser({ role: "client", maxHeaderBytes: MAX_HEADER_BYTES });
  readonly #inbox: Inbox;
  #head: RawResponse | null = null;
  #trailers: Field[] | null = null;
  /** The heads of its interim answers, as far as they were read. */
  readonly interim: ResponseHead[] = [];

  constructor(stream: QuicStream) {
    this.#stream = stream;
    this.#inbox = new Inbox("from the proxy", () => this.#data());
  }

  /** Bytes of the stream, as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    await within("room for a write to the proxy", this.#stream.write(bytes));
  }

  /** Bytes of the tunnel, in one DATA frame. */
  send(bytes: Uint8Array): Promise<void> {
    return this.write(dataFrame(bytes));
  }

  async fin(): Promise<void> {
    await this.#stream.closeWrite();
  }

  /** STOP_SENDING and FIN. */
  abort(): void {
    this.#stream.abort();
  }

  /** The trailers; `null` when there were none up to now. */
  get trailers(): Field[] | null {
    return this.#trailers;
  }

  get inbox(): Inbox {
    return this.#inbox;
  }

  /** The head of the final answer. */
  async response(): Promise<RawResponse> {
    while (this.#head === null) {
      const event = await within("an answer", this.#event());
      if (event === null) throw new Error("The stream ended before an answer");
      if (event.type !== "headers") continue;
      const { fields } = decodeFieldSection(event.block, MAX_HEADER_BYTES);
      const head = readResponseHead(fields);
      if (head.status < 200) {
        this.interim.push(head);
        continue;
      }
      this.#parser.finalHeaders();
      this.#head = { ...head, get: (name) => getField(head.fields, name) };
    }
    return this.#head;
  }

  /** The whole answer; how it ended is in `inbox.ending` and `trailers`. */
  async answer(): Promise<RawResponse & { body: string }> {
    const head = await this.response();
    return { ...head, body: latin1(await this.#inbox.rest()) };
  }

  frame(): Promise<SeenFrame | null> {
    return this.#inbox.frame();
  }

  async #data(): Promise<Uint8Array | null> {
    await this.response();
    for (;;) {
      const event = await this.#event();
      if (event === null) return null;
      if (event.type === "data") return event.bytes.slice();
      if (event.type === "trailers") {
        this.#trailers = decodeFieldSection(event.block, MAX_HEADER_BYTES).fields;
      }
    }
  }

  async #event() {
    for (;;) {
      const event = this.#parser.next();
      if (event !== null) return event;
      const chunk = await this.#stream.read();
      if (chunk === null) {
        this.#parser.end();
        return null;
      }
      this.#parser.push(chunk);
    }
  }
}
