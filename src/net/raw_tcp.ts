// TCP for tunnels: what is given up ends by RST, so that the peer does not take what it has for the
// whole. Deno's own connections can't be reset; those of node:net can.
import * as net from "node:net";
import type * as tls from "node:tls";
import { type Accepted, type AcceptOptions, addressText } from "./accepted.ts";
import type { ByteStream } from "./byte_stream.ts";
import { NetError, toNetError } from "./error.ts";
import { NodeListener } from "./node_listener.ts";
import { NodeStream } from "./node_stream.ts";

/** Connects by TCP, with Nagle's algorithm off. Throws `NetError`. */
export function dialRaw(
  { hostname, port }: { hostname: string; port: number },
  signal: AbortSignal,
): Promise<ByteStream> {
  const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
  if (signal.aborted) return Promise.reject(toNetError(signal.reason));
  const socket = net.connect({ host: hostname, port, noDelay: true, allowHalfOpen: true });
  const giveUp = () => {
    socket.destroy();
    const { reason } = signal;
    reject(reason instanceof NetError ? reason : new NetError("aborted", "given up", reason));
  };
  const fail = (error: Error) => {
    signal.removeEventListener("abort", giveUp);
    reject(toNetError(error));
  };
  signal.addEventListener("abort", giveUp, { once: true });
  socket.once("error", fail);
  socket.once("connect", () => {
    signal.removeEventListener("abort", giveUp);
    socket.off("error", fail);
    resolve(streamOf(socket));
  });
  return promise;
}

/** By its streams: the handle of a plain socket writes only while it is read (Deno 2.9.6). */
function streamOf(socket: net.Socket, onClosed?: () => void): ByteStream {
  return new NodeStream(socket as tls.TLSSocket, socket, { resets: true, onClosed, direct: false });
}

/** One TCP port whose connections can be reset. */
export class RawTcpServer {
  readonly #listener: NodeListener;
  readonly #sockets: Set<net.Socket>;

  /** Listens; throws `NetError` when the port is taken or the address is not ours. */
  static async listen(
    options: Pick<AcceptOptions, "hostname" | "port" | "sweeper" | "onRefused" | "onAccept">,
  ): Promise<RawTcpServer> {
    const sockets = new Set<net.Socket>();
    const listener = await NodeListener.listen(options, (socket) => {
      sockets.add(socket);
      options.onAccept(acceptedOf(socket, () => sockets.delete(socket)));
    });
    return new RawTcpServer(listener, sockets);
  }

  private constructor(listener: NodeListener, sockets: Set<net.Socket>) {
    this.#listener = listener;
    this.#sockets = sockets;
  }

  get hostname(): string {
    return this.#listener.hostname;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Those that are not over yet. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Frees the port; what was accepted lives on. */
  close(): void {
    this.#listener.close();
  }
}

function acceptedOf(socket: net.Socket, onClosed: () => void): Accepted {
  return {
    stream: streamOf(socket, onClosed),
    remote: addressText(socket.remoteAddress ?? "unknown", socket.remotePort ?? 0),
    local: addressText(socket.localAddress ?? "unknown", socket.localPort ?? 0),
    secure: false,
    alpn: null,
    serverName: null,
    clientCertificate: null,
  };
}
