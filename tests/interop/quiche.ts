// quiche, by the npm package @currentspace/http3, as a client. The package is not in deno.json:
// Deno refuses it for optional dependencies that do not exist, npm does not.
import { createRequire } from "node:module";
import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { encodeFrame, type Frame } from "../../src/protocol/websocket/encoder.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { Inbox, type SeenFrame } from "../support/inbox.ts";
import { within } from "../support/within.ts";
import type { PeerSocket } from "./flows.ts";

type Headers = Record<string, string>;

interface Package {
  connectAsync(url: string, options: { ca: string; servername: string }): Promise<Session>;
}

interface Session {
  readonly alpnProtocol: string;
  requestAsync(
    headers: Headers,
    options?: { endStream?: boolean },
  ): Promise<QuicheStream["stream"]>;
  once(event: "goaway", listener: (info: { lastStreamId: number }) => void): void;
  once(event: "close", listener: (info: { errorCode: number }) => void): void;
  close(): Promise<void>;
}

/** One connection of quiche's. */
export class Quiche implements AsyncDisposable {
  readonly #session: Session;
  /** The ID of the first GOAWAY. */
  readonly goaway: Promise<number>;
  /** The code by which the connection ended. */
  readonly closed: Promise<number>;

  private constructor(session: Session) {
    this.#session = session;
    this.goaway = new Promise((resolve) => {
      session.once("goaway", ({ lastStreamId }) => resolve(lastStreamId));
    });
    this.closed = new Promise((resolve) => {
      session.once("close", ({ errorCode }) => resolve(errorCode));
    });
  }

  /** `folder` is the package's; the certificate is checked. */
  static async connect(folder: string, port: number, ca: string): Promise<Quiche> {
    const { connectAsync }: Package = createRequire(`${folder}/package.json`)(folder);
    const url = `https://127.0.0.1:${port}`;
    const connected = connectAsync(url, { ca, servername: "localhost" });
    return new Quiche(await within("a connection of quiche's", connected));
  }

  get alpn(): string {
    return this.#session.alpnProtocol;
  }

  async request(fields: readonly Field[], endStream = false): Promise<QuicheStream> {
    const sent = this.#session.requestAsync(Object.fromEntries(fields), { endStream });
    return new QuicheStream(await within("a request of quiche's", sent));
  }

  /** A request for a WebSocket. */
  open(fields: readonly Field[]): Promise<PeerSocket> {
    return this.request(fields);
  }

  leave(): Promise<void> {
    return this.#session.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}

export class QuicheStream implements PeerSocket {
  readonly stream: Duplex & { close(code: number): void };
  readonly #response: Promise<Headers>;
  readonly inbox: Inbox;

  constructor(stream: QuicheStream["stream"]) {
    this.stream = stream;
    this.#response = new Promise((resolve) => stream.once("response", resolve));
    // Whatever breaks it is told where it is read.
    stream.on("error", () => {});
    // At the stream's end the package drops what nobody has begun to read, but for one that is paused.
    stream.pause();
    const chunks = stream.iterator({ destroyOnReturn: false });
    this.inbox = new Inbox("from the proxy at quiche", async () => {
      const { value, done } = await chunks.next();
      return done ? null : new Uint8Array(value);
    });
  }

  response(): Promise<Headers> {
    return within("an answer to quiche", this.#response);
  }

  async fields(): Promise<Field[]> {
    return Object.entries(await this.response());
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

  /** RESET_STREAM and STOP_SENDING; `destroy` sends nothing. */
  reset(): void {
    this.stream.close(H3Code.H3_REQUEST_CANCELLED);
  }
}
