import * as net from "node:net";
import * as tls from "node:tls";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import { fromLatin1, Inbox, latin1 } from "./inbox.ts";
import { CLIENT_KEY } from "./raw_h3.ts";
import type { ClientTunnel, TunnelClient, TunnelRequest } from "./tunnel_client.ts";
import { chunksOf, endOf, writeTo } from "./tunnel_socket.ts";
import { within } from "./within.ts";

export interface H1ClientOptions {
  port: number;
  /** Whom to trust; clear text without it. */
  caPem?: string;
}

/** RFC 9110 §7.8: one connection for each request, as a tunnel takes it wholly. */
export class H1TunnelClient implements TunnelClient {
  readonly #options: H1ClientOptions;
  /** The TCP sockets. */
  readonly #sockets: net.Socket[] = [];

  constructor(options: H1ClientOptions) {
    this.#options = options;
  }

  async open(request: TunnelRequest): Promise<ClientTunnel> {
    const { raw, socket } = await this.#connect();
    socket.write(concat([fromLatin1(headOf(request)), request.first ?? new Uint8Array(0)]));
    const inbox = new Inbox("from the proxy", chunksOf(socket));
    const { status, fields } = parseHead(await inbox.takeUpTo("\r\n\r\n"));
    return {
      status,
      fields,
      body: () => readBody(inbox, fields),
      inbox,
      write: (bytes) => writeTo(socket, bytes),
      fin: () => endOf(socket),
      reset: () => void raw.resetAndDestroy(),
    };
  }

  async #connect(): Promise<{ raw: net.Socket; socket: net.Socket }> {
    const { port, caPem } = this.#options;
    const raw = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    raw.on("error", () => {});
    this.#sockets.push(raw);
    await within("a TCP connection", new Promise<void>((resolve) => raw.once("connect", resolve)));
    if (caPem === undefined) return { raw, socket: raw };
    const socket = tls.connect({
      ...{ socket: raw, ca: caPem, servername: "localhost", ALPNProtocols: ["http/1.1"] },
      // deno-lint-ignore no-explicit-any -- it is passed on to the stream
      ...{ allowHalfOpen: true } as any,
    });
    socket.on("error", () => {});
    await within(
      "a TLS handshake",
      new Promise<void>((resolve) => socket.once("secureConnect", resolve)),
    );
    return { raw, socket };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) {
      if (socket.closed) continue;
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      socket.destroy();
      await within("the end of a client's connection", closed);
    }
  }
}

function headOf({ protocol, path, fields = [] }: TunnelRequest): string {
  const handshake: Field[] = protocol === "websocket"
    ? [["Sec-WebSocket-Version", "13"], ["Sec-WebSocket-Key", CLIENT_KEY]]
    : [];
  const all: Field[] = [
    ["Host", "localhost"],
    ["Connection", "Upgrade"],
    ["Upgrade", protocol],
    ...handshake,
    ...fields,
  ];
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

function parseHead(text: string): { status: number; fields: Field[] } {
  const [line, ...lines] = text.split("\r\n").slice(0, -2);
  const [, status] = /^HTTP\/1\.1 ([0-9]{3}) /.exec(line) ??
    (() => {
      throw new Error(`Not a status line of HTTP/1.1: ${line}`);
    })();
  const fields = lines.map((line): Field => {
    const at = line.indexOf(":");
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
  });
  return { status: Number(status), fields };
}

/** RFC 9112 §6.3: by its length or by chunks; a connection's end would tell nothing. */
async function readBody(inbox: Inbox, fields: readonly Field[]): Promise<string> {
  const length = getField(fields, "content-length");
  if (length !== null) return latin1(await inbox.take(Number(length)));
  if (getField(fields, "transfer-encoding") !== "chunked") {
    throw new Error("A body without framing");
  }
  let body = "";
  for (;;) {
    const size = parseInt(await inbox.takeUpTo("\r\n"), 16);
    body += latin1(await inbox.take(size));
    if (await inbox.takeUpTo("\r\n") !== "\r\n") throw new Error("A chunk without its end");
    if (size === 0) return body;
  }
}
