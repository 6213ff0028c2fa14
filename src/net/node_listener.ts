// A listener of node:net takes nothing any more once an accept has failed (EMFILE), and does not say
// so (Deno 2.9.6). One that was quiet for long is therefore tried by a connection of our own, and
// replaced when that one does not arrive.
import * as net from "node:net";
import type { AcceptOptions } from "./accepted.ts";
import { messageOf, toNetError } from "./error.ts";
import type { Swept } from "./sweeper.ts";

/** When a listener is tried. */
export interface TrialTimes {
  /** So long it may take nothing before it is tried. */
  readonly quietMs: number;
  /** So long the connection that tries it may be on its way. */
  readonly tryMs: number;
}

const TIMES: TrialTimes = { quietMs: 5_000, tryMs: 2_000 };
const WILDCARDS: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

type ListenOptions = Pick<AcceptOptions, "hostname" | "port" | "sweeper" | "onRefused">;

interface Trial {
  readonly socket: net.Socket;
  /** Its own, once it is connected; `null` when it never was. */
  readonly port: Promise<number | null>;
}

interface OwnOptions extends ListenOptions {
  readonly onSocket: (socket: net.Socket) => void;
  readonly times: TrialTimes;
}

/** One TCP port of node:net, with Nagle's algorithm off and half-open connections allowed. */
export class NodeListener implements Swept {
  readonly hostname: string;
  readonly port: number;
  readonly #options: ListenOptions;
  readonly #onSocket: (socket: net.Socket) => void;
  /** `null` while it could not be opened anew. */
  #server: net.Server | null;
  readonly #times: TrialTimes;
  #acceptedMs = performance.now();
  /** The connection that tries the listener, while it is on its way. */
  #trial: Trial | null = null;
  #closed = false;

  /** Throws `NetError` when the port is taken or the address is not ours. */
  static async listen(
    options: ListenOptions,
    onSocket: (socket: net.Socket) => void,
    times: TrialTimes = TIMES,
  ): Promise<NodeListener> {
    const server = await open(options.hostname, options.port);
    return new NodeListener(server, { ...options, onSocket, times });
  }

  private constructor(server: net.Server, options: OwnOptions) {
    const { address, port } = server.address() as net.AddressInfo;
    this.hostname = address;
    this.port = port;
    this.#options = options;
    this.#onSocket = options.onSocket;
    this.#times = options.times;
    this.#server = server;
    this.#serve(server);
    options.sweeper.add(this);
  }

  #serve(server: net.Server): void {
    server.on("connection", (socket) => {
      this.#acceptedMs = performance.now();
      if (this.#trial === null) this.#onSocket(socket);
      else void this.#sort(socket, this.#trial);
    });
    server.on("error", (error) => this.#tell(error));
  }

  sweep(nowMs: number): void {
    if (this.#trial !== null || nowMs - this.#acceptedMs < this.#times.quietMs) return;
    this.#acceptedMs = nowMs;
    if (this.#server === null) void this.#open();
    else this.#try();
  }

  /** Whatever arrives while the listener is tried shows that it lives. */
  async #sort(socket: net.Socket, trial: Trial): Promise<void> {
    socket.on("error", () => {});
    // The listener may see the connection before it is told here that it is one.
    const port = await trial.port;
    trial.socket.destroy();
    if (socket.remotePort === port) socket.destroy();
    else this.#onSocket(socket);
  }

  #try(): void {
    const host = WILDCARDS[this.hostname] ?? this.hostname;
    const socket = net.connect({ host, port: this.port });
    const port = new Promise<number | null>((resolve) => {
      socket.once("connect", () => resolve(socket.localPort ?? null));
      socket.once("close", () => resolve(null));
    });
    this.#trial = { socket, port };
    const timer = setTimeout(() => this.#replace(), this.#times.tryMs);
    socket.once("close", () => {
      clearTimeout(timer);
      this.#trial = null;
    });
    // No socket to be had: that is to be tried again.
    socket.on("error", () => socket.destroy());
  }

  #replace(): void {
    this.#trial?.socket.destroy();
    this.#tell(new Error("The listener had stopped, and is opened anew"));
    this.#server?.close();
    this.#server = null;
    void this.#open();
  }

  async #open(): Promise<void> {
    try {
      const server = await open(this.hostname, this.port);
      if (this.#closed) return void server.close();
      this.#server = server;
      this.#serve(server);
    } catch (error) {
      // The next sweep tries again.
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    this.#options.onRefused({ kind: "accept", message: messageOf(error), remote: null });
  }

  /** Frees the port; what was accepted lives on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.sweeper.delete(this);
    this.#trial?.socket.destroy();
    this.#server?.close();
  }
}

/**
 * node:net says EINVAL for an address that is not ours, so Deno's own listener tries it first: what
 * is wrong is told in one way for all doors.
 */
function tryAddress(hostname: string, port: number): string {
  try {
    using listener = Deno.listen({ hostname, port });
    return listener.addr.hostname;
  } catch (error) {
    throw toNetError(error);
  }
}

async function open(hostname: string, port: number): Promise<net.Server> {
  const host = tryAddress(hostname, port);
  return await new Promise((resolve, reject) => {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    const onError = (error: Error) => reject(toNetError(error));
    server.once("error", onError);
    server.listen({ host, port }, () => {
      server.off("error", onError);
      resolve(server);
    });
  });
}
