// All doors of one proxy, in front of the test's own backends.
import assert from "node:assert/strict";
import type * as net from "node:net";
import { RawH2, type RawH2Options } from "./raw_h2.ts";
import { connectRaw, stopReading } from "./raw_socket.ts";
import { fromLatin1, latin1 } from "./inbox.ts";
import { testCertificates, type TestProxy, type TestProxyOptions, withProxy } from "./proxy.ts";
import { until } from "./until.ts";

/** A client of HTTP/1.1 that sends text as it is. */
export class RawH1 {
  readonly socket: net.Socket;
  readonly tcp: net.Socket;
  /** All that came; each character is one byte. */
  got = "";
  /** FIN or RST has come. */
  isOver = false;
  isReset = false;
  readonly #ready: Promise<void>;
  #closed: Promise<void>;

  constructor(port: number, caCerts?: readonly string[]) {
    const { socket, tcp } = connectRaw(port, { caCerts, alpn: "http/1.1" });
    this.socket = socket;
    this.tcp = tcp;
    this.#ready = new Promise((resolve) => {
      this.socket.once(caCerts === undefined ? "connect" : "secureConnect", () => resolve());
      this.socket.once("close", () => resolve());
    });
    this.#closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
    this.socket.on("data", (chunk: Uint8Array) => this.got += latin1(chunk));
    this.socket.on("end", () => this.isOver = true);
    this.socket.on("close", () => this.isOver = true);
    this.socket.on("error", () => this.isReset = true);
  }

  static async connect(port: number, caCerts?: readonly string[]): Promise<RawH1> {
    const client = new RawH1(port, caCerts);
    await client.#ready;
    return client;
  }

  send(data: string | Uint8Array): void {
    if (this.socket.destroyed) return;
    this.socket.write(typeof data === "string" ? fromLatin1(data) : data);
  }

  /** Takes nothing more in. */
  stopReading(): void {
    stopReading(this);
  }

  /** FIN. */
  fin(): void {
    this.socket.end();
  }

  /** RST. */
  reset(): void {
    this.tcp.resetAndDestroy();
  }

  async has(text: string): Promise<void> {
    await until(
      `${JSON.stringify(text)} in ${JSON.stringify(this.got.slice(-200))}`,
      () => this.got.includes(text) || this.isOver,
    );
    assert.ok(this.got.includes(text), `ended after ${JSON.stringify(this.got.slice(-200))}`);
  }

  /** All that came until the proxy ended it. */
  async ended(): Promise<string> {
    await until(`the end behind ${JSON.stringify(this.got.slice(-80))}`, () => this.isOver);
    return this.got;
  }

  async close(): Promise<void> {
    this.socket.destroy();
    this.tcp.destroy();
    await this.#closed;
  }
}

/** A whole answer of HTTP/1.1, with Content-Length. */
export interface SeenAnswer {
  status: number;
  text: string;
  /** Where the next one would begin. */
  end: number;
}

/** The first whole answer from `at` on that is not interim; `null` while it is not there. */
export function answerAt(text: string, at = 0, method = "GET"): SeenAnswer | null {
  for (;;) {
    const end = text.indexOf("\r\n\r\n", at);
    if (end < 0) return null;
    const head = text.slice(at, end + 2);
    const status = Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(head)?.[1]);
    if (status >= 100 && status < 200 && status !== 101) {
      at = end + 4;
      continue;
    }
    const length = Number(/\r\ncontent-length: *([0-9]+)\r\n/i.exec(head)?.[1] ?? 0);
    // RFC 9112 §6.3: these have no content, whatever their fields say.
    const bodyEnd = end + 4 + (method === "HEAD" || status === 304 ? 0 : length);
    if (text.length < bodyEnd) return null;
    return { status, text: text.slice(end + 4, bodyEnd), end: bodyEnd };
  }
}

/** What a test of all doors has at hand. */
export interface Doors extends TestProxy {
  readonly caCerts: readonly string[];
  /** Clients that are closed when the test is over. */
  h1(): Promise<RawH1>;
  h1s(): Promise<RawH1>;
  h2c(options?: Partial<RawH2Options>): Promise<RawH2>;
  h2(options?: Partial<RawH2Options>): Promise<RawH2>;
}

/** A proxy with all its doors, that takes any path, any upgrade and ordinary requests. */
export async function withDoors(
  options: TestProxyOptions,
  body: (t: Doors) => Promise<void>,
): Promise<void> {
  const { caPem } = await testCertificates();
  const caCerts = [caPem];
  const open: { close(): Promise<void> }[] = [];
  const add = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const client = await opening;
    open.push(client);
    return client;
  };
  const all = {
    tcp: true,
    plain: true,
    plainListen: { hostname: "127.0.0.1", port: 0 },
    path: { regexp: /^\// },
    upgrades: ["*"],
    ...options,
  };
  try {
    await withProxy(all, async (t) => {
      const { proxy } = t;
      await body({
        ...t,
        caCerts,
        h1: () => add(RawH1.connect(proxy.plainPort!)),
        h1s: () => add(RawH1.connect(proxy.port, caCerts)),
        h2c: (more) => add(RawH2.connect({ port: proxy.plainPort!, ...more })),
        h2: (more) => add(RawH2.connect({ port: proxy.port, caCerts, ...more })),
      });
      // Connections that are pooled are no leak.
      for (const conn of t.backend.connections) await conn.destroy();
    });
  } finally {
    await Promise.all(open.map((client) => client.close()));
  }
}
