import type { ByteStream } from "../net/byte_stream.ts";
import type { Dialer, Dialled } from "../net/dial.ts";
import { messageOf, NetError, type NetErrorKind } from "../net/error.ts";
import { Deadline } from "../net/sweeper.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { normalHost } from "../protocol/wire/host.ts";
import type { Gateway, GatewayConnection } from "./gateway.ts";
import type { RelayEnd, Traffic } from "./relay.ts";
import { TunnelRefused } from "./target.ts";

/** Connects through the agents of a group: the way of `agent://group/host:port`. */
export function routeDialer(gateway: Gateway, group: string): Dialer {
  return async ({ hostname, port }, signal) => {
    const host = normalHost(hostname);
    if (host === null) {
      throw new NetError("unresolved", `${JSON.stringify(hostname)} is no host`);
    }
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

/** How long the target may take to end its way, once nobody wants the connection any more. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 256 * 1024;

/**
 * A tunnelled connection that somebody reads and writes, to its `abort`. As with TCP that is a FIN for
 * the target, not the RST that a tunnel makes of what breaks.
 */
class RouteStream implements Dialled {
  readonly headroom: number;
  readonly alpn = null;
  readonly #gateway: Gateway;
  readonly #connection: GatewayConnection;
  readonly #stream: ByteStream;
  readonly #traffic: Traffic;
  /** Whose way ended first. */
  #firstFin: RelayEnd["by"] | null = null;
  #isOver = false;
  #isReleased = false;
  #writing = 0;
  /** What is under way of the stream below, and who waits for it. */
  #reading: { done: Promise<unknown>; reject: (error: NetError) => void } | null = null;

  constructor(gateway: Gateway, connection: GatewayConnection) {
    this.#gateway = gateway;
    this.#connection = connection;
    this.#stream = connection.stream;
    this.headroom = connection.stream.headroom;
    this.#traffic = gateway.traffic(connection);
    connection.signal.addEventListener("abort", this.#cut, { once: true });
  }

  read(): Promise<Uint8Array | null> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | null>();
    if (this.#isOver) reject(aborted());
    else this.#reading = { done: this.#read().then(resolve, reject), reject };
    return promise;
  }

  async #read(): Promise<Uint8Array | null> {
    try {
      const chunk = await this.#stream.read();
      if (chunk === null) this.#firstFin ??= "target";
      else if (!this.#isOver) {
        this.#traffic.bytesToClient += chunk.length;
        await this.#connection.throttle?.(chunk.length);
      }
      return chunk;
    } catch (error) {
      throw this.#lost(error);
    }
  }

  async write(bytes: Uint8Array, headroom?: number): Promise<void> {
    if (this.#isOver) throw aborted();
    this.#traffic.bytesToTarget += bytes.length;
    this.#writing++;
    try {
      const { throttle } = this.#connection;
      if (throttle !== undefined) await throttle(bytes.length);
      await this.#stream.write(bytes, headroom);
    } catch (error) {
      throw this.#lost(error);
    } finally {
      this.#writing--;
    }
  }

  async closeWrite(): Promise<void> {
    if (this.#isOver) throw aborted();
    this.#firstFin ??= "client";
    try {
      await this.#stream.closeWrite();
    } catch (error) {
      throw this.#lost(error);
    }
  }

  #lost(error: unknown): unknown {
    if (!this.#isOver) this.#end({ by: "target", reason: messageOf(error) });
    return error;
  }

  readonly #cut = (): void => {
    this.#end({ by: "us", reason: messageOf(this.#connection.signal.reason) });
  };

  abort(reason?: string): void {
    if (this.#isOver) return;
    const isCut = this.#writing > 0;
    const end = this.#firstFin === null
      ? { by: "client", reason: reason ?? (isCut ? "aborted" : "end of stream") } as const
      : { by: this.#firstFin, reason: "end of stream" };
    // What was not written can't be followed by an end.
    if (isCut) return this.#end(end);
    this.#isOver = true;
    this.#reading?.reject(aborted());
    void this.#linger().then(() => this.#end(end));
  }

  /** FIN, and then what still comes, as long as it is little. */
  async #linger(): Promise<void> {
    const stream = this.#stream;
    const deadline = new Deadline(this.#gateway.sweeper, LINGER_MS, () => stream.abort());
    try {
      await stream.closeWrite();
      await this.#reading?.done;
      let chunk = this.#firstFin === "target" ? null : await stream.read();
      for (let bytes = 0; chunk !== null && bytes < LINGER_BYTES; chunk = await stream.read()) {
        bytes += chunk.length;
      }
    } catch {
      // It is over all the same.
    }
    deadline.clear();
  }

  #end(end: Pick<RelayEnd, "by" | "reason">): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#isOver = true;
    this.#connection.signal.removeEventListener("abort", this.#cut);
    this.#reading?.reject(aborted());
    this.#stream.abort(end.reason);
    this.#gateway.release(this.#connection, { ...end, ...this.#traffic });
  }

  /** The link of its agent holds the process. */
  ref(): void {}

  unref(): void {}
}

function aborted(): NetError {
  return new NetError("aborted", "aborted");
}
