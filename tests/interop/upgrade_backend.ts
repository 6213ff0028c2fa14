// A backend of a protocol of the tests' own, behind node:http: after 101 both ways are bytes, and
// each is ended by itself.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { Inbox } from "../support/inbox.ts";
import { within } from "../support/within.ts";

/** Upgraded: seen from one of its ends. */
export class Raw {
  readonly stream: Duplex;
  readonly inbox: Inbox;

  /** `head` came with the head of the request or answer. */
  constructor(stream: Duplex, what: string, head: Uint8Array = new Uint8Array(0)) {
    this.stream = stream;
    // Whatever breaks it is told where it is read.
    stream.on("error", () => {});
    const chunks = stream.iterator({ destroyOnReturn: false });
    let first: Uint8Array | null = head.length > 0 ? new Uint8Array(head) : null;
    this.inbox = new Inbox(what, async () => {
      const early = first;
      first = null;
      if (early !== null) return early;
      const { value, done } = await chunks.next();
      return done ? null : new Uint8Array(value);
    });
  }

  fin(): void {
    this.stream.end();
  }
}

export interface RawPeer extends Raw {
  request: IncomingMessage;
}

/** Takes `Upgrade: tcp` and says "ready" in the packet of its 101; refuses all else. */
export class UpgradeBackend implements AsyncDisposable {
  readonly #server = createServer((_request, response) => response.writeHead(426).end());
  readonly #sockets = new Set<Duplex>();
  #peer = Promise.withResolvers<RawPeer>();

  private constructor() {
    this.#server.on("upgrade", (request, socket, head) => {
      this.#sockets.add(socket);
      if (request.headers.upgrade !== "tcp") {
        return void socket.end("HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n");
      }
      const fields = "Connection: upgrade\r\nUpgrade: tcp\r\nX-Kept: As It Is\r\n";
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\nready\n`);
      const raw = new Raw(socket, "from the proxy at node:http", head);
      this.#peer.resolve(Object.assign(raw, { request }));
    });
  }

  static async listen(): Promise<UpgradeBackend> {
    const backend = new UpgradeBackend();
    await new Promise<void>((resolve) => backend.#server.listen(0, "127.0.0.1", resolve));
    return backend;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next that was upgraded. */
  async accept(): Promise<RawPeer> {
    const peer = await within("an upgrade at the backend", this.#peer.promise);
    this.#peer = Promise.withResolvers();
    return peer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
