import assert from "node:assert/strict";
import * as net from "node:net";
import type { ConnectionEnd, DoorOptions } from "../../src/ingress/door.ts";
import { H1Connection } from "../../src/ingress/h1_connection.ts";
import type { Content, Offer, Tunnel } from "../../src/ingress/offer.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { ConnStream } from "../../src/net/tcp.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { until } from "../support/until.ts";

export const HOST = "Host: a.example\r\n";
export const GET = `GET /a HTTP/1.1\r\n${HOST}\r\n`;

/** What takes the offers of a door under test. */
export type Handler = (offer: Offer) => Promise<void>;

/** A door on a port of its own, and all that it told. */
export class Door {
  readonly offers: Offer[] = [];
  readonly refused: number[] = [];
  readonly peerErrors: number[] = [];
  readonly bugs: unknown[] = [];
  readonly ends: ConnectionEnd[] = [];
  readonly connections = new Set<H1Connection>();
  readonly sweeper = new Sweeper(10);
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #clients: RawClient[] = [];
  readonly #options: DoorOptions;

  constructor(handler: Handler, options: Partial<DoorOptions> = {}) {
    this.#options = {
      maxHeaderBytes: 16384,
      headTimeoutMs: 20_000,
      idleTimeoutMs: 20_000,
      writeTimeoutMs: 20_000,
      sweeper: this.sweeper,
      onOffer: (offer) => {
        this.offers.push(offer);
        return handler(offer);
      },
      onHeadRefused: (status) => this.refused.push(status),
      onPeerError: (error) => this.peerErrors.push(error.code),
      onBug: (_where, error) => this.bugs.push(error),
      ...options,
    };
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        conn.setNoDelay(true);
        void this.#serve(conn);
      }
    } catch {
      // Closed.
    }
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    const connection = new H1Connection({
      stream: new ConnStream(conn),
      remote: "192.0.2.7:1234",
      secure: false,
      alpn: null,
      serverName: null,
      clientCertificate: null,
    }, this.#options);
    this.connections.add(connection);
    this.ends.push(await connection.run());
    this.connections.delete(connection);
  }

  async connect(): Promise<RawClient> {
    const client = new RawClient(this.port);
    this.#clients.push(client);
    await client.connected;
    return client;
  }

  /** Sends each part by itself; all that comes up to the end of the connection. */
  async exchange(...parts: string[]): Promise<string> {
    const client = await this.connect();
    for (const part of parts) await client.send(part);
    return await client.ended();
  }

  /** Ends all, and looks whether anything is left of a connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.socket.destroy();
    for (const connection of this.connections) connection.close();
    await until("all connections over", () => this.connections.size === 0);
    this.#listener.close();
    assert.equal(this.sweeper.size, 0, "deadlines are left");
    this.sweeper.stop();
    assert.deepEqual(this.bugs, []);
  }
}

/** A TCP client that may end one direction, or reset both. */
export class RawClient {
  readonly socket: net.Socket;
  readonly connected: Promise<void>;
  /** All that came; each character is one byte. */
  got = "";
  #ended = false;
  #closed = false;
  error: Error | null = null;

  constructor(port: number) {
    this.socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    this.connected = new Promise((resolve) => this.socket.once("connect", () => resolve()));
    this.socket.on("data", (chunk: Uint8Array) => this.got += latin1(chunk));
    this.socket.on("end", () => this.#ended = true);
    this.socket.on("error", (error: Error) => this.error = error);
    this.socket.on("close", () => this.#closed = true);
  }

  /** Sends the text, and lets it go out by itself. */
  async send(text: string): Promise<void> {
    if (text === "") return;
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    await new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()));
    await pause(2);
  }

  /** FIN. */
  fin(): void {
    this.socket.end();
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** All that came until the door ended it; then the client ends, too. */
  async ended(): Promise<string> {
    await until(`the end behind ${JSON.stringify(this.got.slice(-80))}`, () => this.isOver);
    this.socket.end();
    return this.got;
  }

  get isOver(): boolean {
    return this.#ended || this.#closed;
  }

  async has(text: string): Promise<void> {
    await until(
      `${JSON.stringify(text)} in ${this.got.slice(-200)}`,
      () => this.got.includes(text),
    );
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The whole content of a request. */
export async function readAll(content: Content | null): Promise<string> {
  let text = "";
  if (content === null) return text;
  for (let chunk = await content.read(); chunk !== null; chunk = await content.read()) {
    text += latin1(chunk);
  }
  return text;
}

/** Says what came, with the content read whole. */
export async function echo(offer: Offer): Promise<void> {
  const { method, authority, path } = offer.request;
  const body = await readAll(offer.content);
  await offer.respond(200, [], bytes(`${method} ${authority} ${path} [${body}]`));
}

/** What `echo` sends, but to HEAD. */
export function echoed(text: string, connection = ""): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n${connection}\r\n${text}`;
}

/** A request that offers to switch to this protocol. */
export function upgrade(protocol: string, lines = ""): string {
  return `GET /t HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${lines}\r\n`;
}

/** The head of the answer that does so. */
export function switched(protocol: string, fields = ""): string {
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${fields}\r\n`;
}

/** Sends back what comes, and then FIN. */
export async function echoTunnel(tunnel: Tunnel): Promise<void> {
  for (let chunk = await tunnel.read(); chunk !== null; chunk = await tunnel.read()) {
    await tunnel.write(chunk.slice());
  }
  await tunnel.closeWrite();
}

export async function acceptEcho(offer: Offer): Promise<void> {
  await echoTunnel(await offer.accept([]));
}

/** Content that gives these parts, one after the other; an error is thrown where it stands. */
export class Parts implements Content {
  trailers: readonly Field[] = [];
  cancelled = false;
  readonly #parts: (string | Error | Promise<string>)[];
  readonly #trailers: readonly Field[];

  constructor(
    parts: (string | Error | Promise<string>)[],
    readonly length: number | null = null,
    trailers: readonly Field[] = [],
  ) {
    this.#parts = [...parts];
    this.#trailers = trailers;
  }

  async read(): Promise<Uint8Array | null> {
    const part = this.#parts.shift();
    if (part instanceof Error) throw part;
    if (part !== undefined) return bytes(await part);
    this.trailers = this.#trailers;
    return null;
  }

  cancel(): void {
    this.cancelled = true;
  }
}
