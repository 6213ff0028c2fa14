// Python's websockets, over TCP and over aioquic's HTTP/3, through tests/interop/websockets_peer.py.
import { Buffer } from "node:buffer";
import type { Message } from "../../src/endpoint/message.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { testCertificates } from "../support/proxy.ts";
import {
  type Asked,
  type Came,
  type CameOf,
  type ClientPeer,
  type SendForm,
  type ServerPeer,
  type TheirEnd,
  toHeaders,
} from "./ends.ts";
import { type PeerEvent, PeerProcess } from "./peer_process.ts";

/** What it tells; the fields are those of the one event. */
interface Told extends PeerEvent {
  id: number;
  /** Of "listening". */
  port: number;
  plainPort: number;
  /** Of "open". */
  fields: Field[];
  path: string;
  protocol: string;
  deflate: boolean;
  connection: number;
  /** Of "message". */
  hex?: string;
  /** Of "message" too, "ping" and "pong". */
  text?: string;
  /** Of "message": bytes that had come by then. */
  received: number;
  /** Of "close". */
  code: number;
  reason: string;
  /** Of "close" and "refused": what the other side did wrong. */
  fault: string | null;
  /** Of "refused". */
  status: number;
  body: string;
}

const PROGRAM = { name: "websockets", program: "websockets_peer.py" };

export class PythonClient implements ClientPeer {
  readonly #process: PeerProcess<Told>;
  readonly #url: string;
  readonly #http: "1.1" | "3";
  #count = 0;

  private constructor(
    process: PeerProcess<Told>,
    { url, http }: Pick<ClientOptions, "url" | "http">,
  ) {
    this.#process = process;
    this.#url = url;
    this.#http = http;
  }

  static async start({ python, url, http, caPem }: ClientOptions): Promise<PythonClient> {
    const files = { "ca.pem": caPem };
    const process = await PeerProcess.spawn<Told>({
      ...PROGRAM,
      python,
      args: ["client"],
      files,
    });
    return new PythonClient(process, { url, http });
  }

  async #ask({ path, ...asked }: Asked): Promise<Told> {
    const id = ++this.#count;
    await this.#process.do("open", { id, url: this.#url + path, http: this.#http, ...asked });
    return await this.#process.event(
      "an answer",
      (told) => told.id === id && (told.event === "open" || told.event === "refused"),
    );
  }

  async open(asked: Asked): Promise<TheirEnd> {
    const told = await this.#ask(asked);
    if (told.event !== "open") throw new Error(`Refused: ${JSON.stringify(told)}`);
    return new PythonEnd(this.#process, told);
  }

  async refused(asked: Asked): Promise<{ status: number; body: string }> {
    const { event, status, body, fault } = await this.#ask(asked);
    if (event !== "refused" || fault !== null) throw new Error(`Expected a refusal, got ${fault}`);
    return { status, body };
  }

  leave(): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}

export interface ClientOptions {
  python: string;
  /** Up to the path. */
  url: string;
  http: "1.1" | "3";
  caPem: string;
}

export class PythonServer implements ServerPeer {
  readonly #process: PeerProcess<Told>;
  readonly #connections = new Set<number>();
  readonly origin: string;

  private constructor(process: PeerProcess<Told>, origin: string) {
    this.#process = process;
    this.origin = origin;
  }

  static async start(python: string, secure: boolean): Promise<PythonServer> {
    const { certPem, keyPem } = await testCertificates();
    const files = { "cert.pem": certPem, "key.pem": keyPem };
    const process = await PeerProcess.spawn<Told>({
      ...PROGRAM,
      python,
      args: ["server"],
      files,
    });
    try {
      const isIt = ({ event }: Told) => event === "listening";
      const { port, plainPort } = await process.event("a port", isIt);
      return new PythonServer(
        process,
        secure ? `wss://localhost:${port}` : `ws://localhost:${plainPort}`,
      );
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  async accept(): Promise<TheirEnd> {
    const told = await this.#process.event("a WebSocket", ({ event }) => event === "open");
    this.#connections.add(told.connection);
    return new PythonEnd(this.#process, told);
  }

  connections(): number {
    return this.#connections.size;
  }

  leave(): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}

class PythonEnd implements TheirEnd {
  readonly #process: PeerProcess<Told>;
  readonly #id: number;
  readonly protocol: string;
  readonly deflate: boolean;
  readonly headers: Headers;
  readonly path: string;

  constructor(process: PeerProcess<Told>, { id, protocol, deflate, fields, path }: Told) {
    this.#process = process;
    this.#id = id;
    this.protocol = protocol;
    this.deflate = deflate;
    this.headers = toHeaders(fields);
    this.path = path;
  }

  #do(what: string, args: Record<string, unknown> = {}): Promise<void> {
    return this.#process.do(what, { id: this.#id, ...args });
  }

  send(data: Message, form: SendForm = {}): Promise<void> {
    return this.#do("send", {
      hex: Buffer.from(data as string).toString("hex"),
      text: typeof data === "string",
      ...form,
    });
  }

  ping(text: string): Promise<void> {
    return this.#do("ping", { text });
  }

  close(code?: number, reason?: string): Promise<void> {
    return this.#do("close", { code, reason });
  }

  raw(bytes: Uint8Array): Promise<void> {
    return this.#do("raw", { hex: Buffer.from(bytes).toString("hex") });
  }

  fin(): Promise<void> {
    return this.#do("fin");
  }

  abort(): Promise<void> {
    return this.#do("abort");
  }

  async expect<T extends Came["type"]>(type: T): Promise<CameOf<T>> {
    const told = await this.#process.event(type, ({ id }) => id === this.#id);
    const came = cameOf(told);
    if (came.type !== type) {
      throw new Error(`Expected ${type} at websockets, got ${JSON.stringify(told).slice(0, 200)}`);
    }
    return came as CameOf<T>;
  }
}

function cameOf({ event, hex, text = "", received, code, reason }: Told): Came {
  switch (event) {
    case "message": {
      const data = hex === undefined ? text : new Uint8Array(Buffer.from(hex, "hex"));
      return { type: event, data, received };
    }
    case "ping":
    case "pong":
      return { type: event, data: text };
    case "close":
      return { type: event, code, reason };
    default:
      throw new Error(`websockets told ${event}`);
  }
}
