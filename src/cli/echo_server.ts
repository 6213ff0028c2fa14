import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { type RawData, type WebSocket, WebSocketServer } from "ws";

export interface EchoOptions {
  hostname: string;
  /** 0 for any free port. */
  port: number;
  /** A unix socket instead of hostname and port. */
  unixPath?: string;
  /** Close 1009 above it. Default 64 MiB. */
  maxMessageBytes?: number;
}

export interface EchoServer {
  /** The port that it listens on; 0 for a unix socket. */
  readonly port: number;
  /** Drops every connection and frees the port. */
  close(): Promise<void>;
}

export const DEFAULT_MAX_MESSAGE_BYTES: number = 64 * 1024 * 1024;
// A client that sends and does not read is not read from either.
const MAX_UNSENT_BYTES = 1024 * 1024;

/**
 * A WebSocket server that sends back what it gets: text as text, binary as binary. It takes the
 * first subprotocol on offer and permessage-deflate (RFC 7692).
 * Rejects with the error of `listen` when the address can't be had.
 */
export async function startEcho(options: EchoOptions): Promise<EchoServer> {
  const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = options;
  const http = createServer((_request, response) => {
    response.writeHead(426, { "content-type": "text/plain", upgrade: "websocket" });
    response.end("This is a WebSocket echo server.\n");
  });
  await listen(http, options);
  const sockets = new WebSocketServer({
    server: http,
    maxPayload: maxMessageBytes,
    perMessageDeflate: true,
    handleProtocols: (offered: Set<string>) => offered.values().next().value ?? false,
  });
  sockets.on("connection", echo);
  const address = http.address() as AddressInfo | string | null;
  let closed: Promise<void> | null = null;
  return {
    port: typeof address === "object" && address !== null ? address.port ?? 0 : 0,
    close: () => closed ??= close(http, sockets),
  };
}

function listen(http: Server, { hostname, port, unixPath }: EchoOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once("error", reject);
    const listening = () => {
      http.off("error", reject);
      resolve();
    };
    if (unixPath === undefined) http.listen({ host: hostname, port }, listening);
    else http.listen({ path: unixPath }, listening);
  });
}

function echo(socket: WebSocket): void {
  // What a client did wrong ends its socket, and is told to it by a Close.
  socket.on("error", () => {});
  socket.on("message", (data: RawData, isBinary: boolean) => {
    socket.send(data, { binary: isBinary }, () => {
      if (socket.isPaused && socket.bufferedAmount <= MAX_UNSENT_BYTES) socket.resume();
    });
    if (socket.bufferedAmount > MAX_UNSENT_BYTES) socket.pause();
  });
}

async function close(http: Server, sockets: WebSocketServer): Promise<void> {
  for (const socket of sockets.clients) socket.terminate();
  sockets.close();
  await new Promise<void>((resolve) => {
    http.close(() => resolve());
    http.closeAllConnections();
  });
}
