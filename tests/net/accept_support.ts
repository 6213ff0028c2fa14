import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import type { Accepted, AcceptOptions, Refusal } from "../../src/net/accepted.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { TcpServer } from "../../src/net/tcp_server.ts";
import { type TlsListenOptions, TlsServer } from "../../src/net/tls_server.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

export const certificates = await makeCertificates({ hosts: ["localhost"], days: 1 });

/** What a server gave, in order. */
export class Seen {
  readonly accepted: Accepted[] = [];
  readonly refusals: Refusal[] = [];
  readonly bugs: unknown[] = [];

  async next(): Promise<Accepted> {
    await until("a connection", () => this.accepted.length > 0);
    return this.accepted.shift()!;
  }

  async refusal(): Promise<Refusal> {
    await until("a refusal", () => this.refusals.length > 0);
    return this.refusals.shift()!;
  }
}

export function optionsFor(seen: Seen, sweeper: Sweeper): AcceptOptions {
  return {
    hostname: "127.0.0.1",
    port: 0,
    proxyProtocol: false,
    maxHandshakes: 1000,
    handshakeTimeoutMs: 20_000,
    sweeper,
    onAccept: (accepted) => seen.accepted.push(accepted),
    onRefused: (refusal) => seen.refusals.push(refusal),
    onBug: (_where, error) => seen.bugs.push(error),
  };
}

export async function withTcpServer(
  options: Partial<AcceptOptions>,
  body: (server: TcpServer, seen: Seen) => Promise<void>,
): Promise<void> {
  const seen = new Seen();
  const sweeper = new Sweeper(20);
  const server = new TcpServer({ ...optionsFor(seen, sweeper), ...options });
  try {
    await body(server, seen);
    assert.deepEqual(seen.bugs, []);
  } finally {
    await server.closeAll();
    sweeper.stop();
  }
}

export async function withTlsServer(
  options: Partial<TlsListenOptions>,
  body: (server: TlsServer, seen: Seen) => Promise<void>,
): Promise<void> {
  const seen = new Seen();
  const sweeper = new Sweeper(20);
  const server = await TlsServer.listen({
    ...optionsFor(seen, sweeper),
    certificates: [certificates],
    clientCaPem: null,
    ...options,
  });
  try {
    await body(server, seen);
    assert.deepEqual(seen.bugs, []);
  } finally {
    await server.closeAll();
    sweeper.stop();
  }
}

/** A client of node:tls whose handshake is over; rejects when that fails. */
export function connectTls(
  port: number,
  options: tls.ConnectionOptions = {},
): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    servername: "localhost",
    ca: certificates.caPem,
    allowHalfOpen: true,
    ...options,
  } as tls.ConnectionOptions);
  return within(
    "the handshake",
    new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.once("close", () => reject(new Error("closed in the handshake")));
      socket.once("secureConnect", () => resolve(socket));
    }),
  );
}

/** A client of node:net that says `bytes`. */
export async function connectRaw(
  port: number,
  bytes: string | Uint8Array = "",
): Promise<net.Socket> {
  const socket = net.connect(
    { host: "127.0.0.1", port, allowHalfOpen: true } as net.NetConnectOpts,
  );
  socket.on("error", () => {});
  await within("the connection", new Promise<void>((resolve) => socket.once("connect", resolve)));
  if (bytes.length > 0) socket.write(bytes);
  return socket;
}

/** Resolves when the peer ended the connection, by FIN or RST. */
export function ended(socket: net.Socket): Promise<void> {
  return within(
    "the end at the client",
    new Promise((resolve) => {
      if (socket.destroyed || socket.readableEnded) return resolve();
      socket.once("end", resolve).once("close", resolve).resume();
    }),
  );
}

/** All that comes up to FIN, as text. */
export async function readText(stream: ByteStream): Promise<string> {
  let text = "";
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
    assert.ok(chunk.length > 0);
    text += new TextDecoder().decode(chunk);
  }
  return text;
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
