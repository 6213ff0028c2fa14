// node:http2, which is nghttp2's framing or Rust's and none of ours, as a client.
import { Buffer } from "node:buffer";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  type IncomingHttpHeaders,
  type Settings,
} from "node:http2";
import { encodeFrame, type Frame } from "../../src/protocol/websocket/encoder.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { Inbox, type SeenFrame } from "../support/inbox.ts";
import { within } from "../support/within.ts";
import type { Peer, PeerSocket } from "./flows.ts";

/** One connection of node:http2's. */
export class NodeHttp2 implements Peer {
  readonly #session: ClientHttp2Session;
  /** The first SETTINGS of the proxy's. */
  readonly settings: Settings;

  private constructor(session: ClientHttp2Session, settings: Settings) {
    this.#session = session;
    this.settings = settings;
  }

  /** Over TLS the certificate is checked; in clear text it speaks by prior knowledge. */
  static async connect(origin: string, ca: string): Promise<NodeHttp2> {
    const session = connect(origin, { ca });
    const settings = new Promise<Settings>((resolve, reject) => {
      session.once("remoteSettings", resolve);
      session.once("error", reject);
    });
    return new NodeHttp2(session, await within("SETTINGS at node:http2", settings));
  }

  get alpn(): string | undefined {
    return this.#session.alpnProtocol;
  }

  request(fields: readonly Field[], options: ClientSessionRequestOptions = {}): NodeStream {
    return new NodeStream(this.#session.request(Object.fromEntries(fields), options));
  }

  /** A request for a WebSocket (RFC 8441 §5). */
  open(fields: readonly Field[]): Promise<PeerSocket> {
    return Promise.resolve(this.request(fields));
  }

  async #ended(end: () => void): Promise<void> {
    if (this.#session.destroyed) return;
    const closed = new Promise<void>((resolve) => this.#session.once("close", resolve));
    end();
    await within("the end of node:http2's connection", closed);
  }

  /** Ends all that is open. */
  leave(): Promise<void> {
    return this.#ended(() => this.#session.destroy());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#ended(() => this.#session.close());
  }
}

export class NodeStream implements PeerSocket {
  readonly stream: ClientHttp2Stream;
  readonly #response: Promise<IncomingHttpHeaders>;
  readonly inbox: Inbox;
  /** Interim answers, in the order they came. */
  readonly interim: IncomingHttpHeaders[] = [];
  /** `null` until they came. */
  trailers: IncomingHttpHeaders | null = null;

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream;
    this.#response = new Promise((resolve) => stream.once("response", resolve));
    stream.on("headers", (headers) => this.interim.push(headers));
    stream.on("trailers", (headers) => this.trailers = headers);
    // Whatever breaks it is told where it is read.
    stream.on("error", () => {});
    const chunks = stream.iterator({ destroyOnReturn: false });
    this.inbox = new Inbox("from the proxy at node:http2", async () => {
      const { value, done } = await chunks.next();
      return done ? null : new Uint8Array(value);
    });
  }

  response(): Promise<IncomingHttpHeaders> {
    return within("an answer to node:http2", this.#response);
  }

  async fields(): Promise<Field[]> {
    return Object.entries(await this.response()).map(([name, value]) => [name, String(value)]);
  }

  /** A frame of a client: masked. */
  send(frame: Frame): void {
    const maskKey = crypto.getRandomValues(new Uint8Array(4));
    this.stream.write(Buffer.from(encodeFrame({ ...frame, maskKey })));
  }

  frame(): Promise<SeenFrame | null> {
    return this.inbox.frame();
  }

  fin(): void {
    this.stream.end();
  }
}
