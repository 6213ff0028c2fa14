// TCP for tunnels: what is given up ends by RST, so that the peer does not take what it has for the
// whole. Deno's own connections serve where they can be reset (see reset.ts), else those of node:net,
// which cost a third more CPU and twice the memory.
import * as net from "node:net";
import type * as tls from "node:tls";
import { type Accepted, type AcceptOptions, addressText } from "./accepted.ts";
import type { ByteStream } from "./byte_stream.ts";
import { dial } from "./dial.ts";
import { NetError, toNetError } from "./error.ts";
import { NodeListener } from "./node_listener.ts";
import { NodeStream } from "./node_stream.ts";
import { canReset } from "./reset.ts";
import { TcpServer } from "./tcp_server.ts";

export interface RawTcpOptions {
  /** By node:net, whatever Deno can. For tests. */
  byNode?: boolean;
}

/** Connects by TCP, with Nagle's algorithm off. Throws `NetError`. */
export function dialRaw(
  address: { hostname: string; port: number },
  signal: AbortSignal,
  { byNode = !canReset }: RawTcpOptions = {},
): Promise<ByteStream> {
  return byNode ? dialNode(address, signal) : dial({ ...address, resets: true }, signal);
}

function dialNode(
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
export interface RawTcpServer {
  readonly hostname: string;
  readonly port: number;
  /** Those that are not over yet. */
  readonly connections: number;
  /** Frees the port; what was accepted lives on. */
  close(): void;
  /** Frees the port at once, and ends all that was accepted. */
  closeAll(): Promise<void>;
}

type ListenOptions = Omit<AcceptOptions, "proxyProtocol" | "resets">;

/** Listens; throws `NetError` when the port is taken or the address is not ours. */
export async function listenRaw(
  options: ListenOptions,
  { byNode = !canReset }: RawTcpOptions = {},
): Promise<RawTcpServer> {
  if (byNode) return await NodeTcpServer.listen(options);
  return new TcpServer({ ...options, proxyProtocol: false, resets: true });
}

class NodeTcpServer implements RawTcpServer {
  readonly #listener: NodeListener;
  readonly #streams: Set<ByteStream>;

  static async listen(options: ListenOptions): Promise<NodeTcpServer> {
    const streams = new Set<ByteStream>();
    const listener = await NodeListener.listen(options, (socket) => {
      const accepted = acceptedOf(socket, () => streams.delete(accepted.stream));
      streams.add(accepted.stream);
      options.onAccept(accepted);
    });
    return new NodeTcpServer(listener, streams);
  }

  private constructor(listener: NodeListener, streams: Set<ByteStream>) {
    this.#listener = listener;
    this.#streams = streams;
  }

  get hostname(): string {
    return this.#listener.hostname;
  }

  get port(): number {
    return this.#listener.port;
  }

  get connections(): number {
    return this.#streams.size;
  }

  close(): void {
    this.#listener.close();
  }

  closeAll(): Promise<void> {
    this.close();
    for (const stream of this.#streams) stream.abort();
    return Promise.resolve();
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
