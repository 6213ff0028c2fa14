// A server on npm:ws that does what the path of a WebSocket says.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { sha1 } from "../../src/net/sha1.ts";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
// @ts-types="@types/ws"
import { type RawData, type WebSocket, WebSocketServer } from "ws";

/** What a test may ask of it. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** Ends every connection, in the midst of whatever. */
  drop(): void;
  /** How long the messages were that came, in order. */
  readonly messages: number[];
  /** The Closes that came, in order: 1005 for one without a code. */
  readonly closes: { code: number; reason: string }[];
}

const PATHS: Readonly<Record<string, (socket: WebSocket, request: IncomingMessage) => void>> = {
  "/echo": (socket) => {
    socket.on("message", (data: RawData, binary: boolean) => socket.send(data, { binary }));
  },
  "/headers": (socket, request) => socket.send(JSON.stringify(request.headers)),
  "/url": (socket, request) => socket.send(request.url!),
  // Reads nothing for a while, then says how long each message was.
  "/slow-sizes": (socket) => {
    rawOf(socket).pause();
    setTimeout(() => rawOf(socket).resume(), 200);
    socket.on("message", (data: RawData) => socket.send(String((data as Uint8Array).length)));
  },
  // Says Close, and text behind it, which no server may.
  "/close-data": (socket) => {
    socket.once("message", () => {
      rawOf(socket).write(Uint8Array.of(0x88, 2, 0x03, 0xe8, 0x81, 1, 0x61));
    });
  },
  "/unchosen": () => {},
  "/text": (socket) => socket.send("text"),
  "/binary": (socket) => socket.send(Uint8Array.of(0, 1, 255)),
  "/hundred": (socket) => {
    for (let i = 0; i < 100; i++) socket.send(String(i));
    socket.close(1000);
  },
  "/close": (socket) => socket.close(),
  "/close-4001": (socket) => socket.close(4001, "so lang, und \u{1f41f}"),
  "/drop": (socket) => socket.terminate(),
  // A frame that is masked, which no server sends.
  "/masked": (socket) => rawOf(socket).write(Uint8Array.of(0x81, 0x81, 0, 0, 0, 0, 0x61)),
  // Text that is not UTF-8.
  "/utf8": (socket) => rawOf(socket).write(Uint8Array.of(0x81, 1, 0xff)),
  // Sends on when it is asked to close, until it has said all.
  "/late": (socket) => {
    rawOf(socket).once("data", () => {
      for (let i = 0; i < 10; i++) socket.send("late");
    });
  },
  // Says "go" and reads no more, as far as its buffers let it.
  "/deaf": (socket) => {
    socket.send("go");
    rawOf(socket).pause();
  },
};

function rawOf(socket: WebSocket): Duplex {
  return (socket as unknown as { _socket: Duplex })._socket;
}

/** Listens on a port of the loopback. */
export async function startTestServer(): Promise<TestServer> {
  const closes: { code: number; reason: string }[] = [];
  const messages: number[] = [];
  const http = createServer((_request, response) => response.end());
  const held = new Set<Duplex>();
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered: Set<string>, { url }) => {
      return url === "/unchosen" ? false : offered.values().next().value ?? false;
    },
  });
  http.on("upgrade", (request: IncomingMessage, duplex: Duplex, head) => {
    const path = request.url!.replace(/\?.*/, "");
    duplex.on("error", () => {});
    held.add(duplex);
    duplex.once("close", () => held.delete(duplex));
    if (path === "/hang") return;
    if (path === "/refuse") {
      duplex.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    if (path === "/bad-accept" || path === "/other-protocol") {
      const protocol = path === "/bad-accept" ? "" : "sec-websocket-protocol: other\r\n";
      const accept = path === "/bad-accept" ? "AAAAAAAAAAAAAAAAAAAAAAAAAAA=" : acceptFor(
        request.headers["sec-websocket-key"]!,
        sha1,
      );
      duplex.write(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n" +
          `sec-websocket-accept: ${accept}\r\n${protocol}\r\n`,
      );
      return;
    }
    sockets.handleUpgrade(request, duplex, head, (socket: WebSocket) => {
      socket.on("error", () => {});
      socket.on("close", (code: number, reason) => closes.push({ code, reason: `${reason}` }));
      socket.on("message", (data: RawData) => messages.push((data as Uint8Array).length));
      PATHS[path](socket, request);
    });
  });
  const drop = () => held.forEach((duplex) => duplex.destroy());
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    port: (http.address() as AddressInfo).port,
    closes,
    messages,
    drop,
    async [Symbol.asyncDispose]() {
      drop();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
