import type { ByteStream } from "../net/byte_stream.ts";
import type { Dialer, Dialled } from "../net/dial.ts";
import { messageOf, NetError, type NetErrorKind } from "../net/error.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { Gateway, GatewayConnection } from "./gateway.ts";
import type { RelayEnd, Traffic } from "./relay.ts";
import { TunnelRefused } from "./target.ts";

/** Connects through the agents of a group: the way of `agent://group/host:port`. */
export function routeDialer(gateway: Gateway, group: string): Dialer {
  return async ({ hostname: host, port }, signal) => {
    try {
      const connection = await gateway.open({
        // A connection serves one client after the other.
        ...{ front: "route", client: "", user: "", group },
        target: { protocol: "tcp", host, port },
      }, signal);
      return new RouteStream(gateway, connection);
    } catch (error) {
      throw signal.aborted && signal.reason instanceof NetError ? signal.reason : netErrorOf(error);
    }
  };
}

/** What the agent said of the network behind it, as if it had been ours. */
const KINDS: ReadonlySet<string> = new Set<NetErrorKind>([
  ...(["refused", "unreachable", "unresolved", "timeout", "reset", "lost", "tls"] as const),
]);

function netErrorOf(error: unknown): unknown {
  if (!(error instanceof TunnelRefused)) return error;
  const { code, message } = error;
  if (code === TunnelCode.RATE_LIMITED) return new NetError("busy", message, error);
  if (code !== TunnelCode.CONNECTION_FAILED) return new NetError("other", message, error);
  const word = message.slice(0, Math.max(0, message.indexOf(":")));
  const kind = KINDS.has(word) ? word as NetErrorKind : "unreachable";
  return new NetError(kind, message, error);
}

/** A tunnelled connection that somebody reads and writes. It is over when it is aborted. */
class RouteStream implements Dialled {
  readonly headroom: number;
  readonly alpn = null;
  readonly #gateway: Gateway;
  readonly #connection: GatewayConnection;
  readonly #stream: ByteStream;
  readonly #traffic: Traffic;
  readonly #onEnd = () => this.#end("us", messageOf(this.#connection.signal.reason));
  /** Whose way ended first. */
  #firstFin: RelayEnd["by"] | null = null;
  #isOver = false;

  constructor(gateway: Gateway, connection: GatewayConnection) {
    this.#gateway = gateway;
    this.#connection = connection;
    this.#stream = connection.stream;
    this.headroom = connection.stream.headroom;
    this.#traffic = gateway.traffic(connection);
    connection.signal.addEventListener("abort", this.#onEnd, { once: true });
  }

  async read(): Promise<Uint8Array | null> {
    try {
      const chunk = await this.#stream.read();
      if (chunk === null) {
        this.#firstFin ??= "target";
        return null;
      }
      this.#traffic.bytesToClient += chunk.length;
      await this.#connection.throttle?.(chunk.length);
      return chunk;
    } catch (error) {
      throw this.#lost(error);
    }
  }

  async write(bytes: Uint8Array, headroom?: number): Promise<void> {
    this.#traffic.bytesToTarget += bytes.length;
    try {
      await this.#connection.throttle?.(bytes.length);
      await this.#stream.write(bytes, headroom);
    } catch (error) {
      throw this.#lost(error);
    }
  }

  async closeWrite(): Promise<void> {
    this.#firstFin ??= "client";
    try {
      await this.#stream.closeWrite();
    } catch (error) {
      throw this.#lost(error);
    }
  }

  #lost(error: unknown): unknown {
    this.#end("target", messageOf(error));
    return error;
  }

  abort(reason?: string): void {
    if (this.#firstFin === null) this.#end("client", reason ?? "aborted");
    else this.#end(this.#firstFin, "end of stream");
  }

  #end(by: RelayEnd["by"], reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.signal.removeEventListener("abort", this.#onEnd);
    this.#stream.abort(reason);
    this.#gateway.release(this.#connection, { by, reason, ...this.#traffic });
  }

  /** The link of its agent holds the process. */
  ref(): void {}

  unref(): void {}
}
