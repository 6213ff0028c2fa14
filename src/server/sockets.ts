import type { Socket } from "../endpoint/socket.ts";
import { handshakeFault, originFault, tunnelFault } from "../ingress/handshake.ts";
import type { Offer } from "../ingress/offer.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { Exchange, type ExchangeOptions } from "./exchange.ts";
import type { Refused } from "./refuse.ts";

const SHUTTING_DOWN = "server is shutting down";
/** Seconds after which a client that was turned away for now may come again. */
const RETRY_AFTER = ["retry-after", "5"] as const;

/** Requests for WebSockets, and those that a handler has accepted. */
export class Sockets {
  readonly open: Set<Socket> = new Set();
  readonly #options: ExchangeOptions;
  /** With those that are not answered yet. */
  #taken = 0;
  /** Of the handlers that have not returned yet; they may go on behind the ends of their sockets. */
  readonly #handled = new Set<Promise<void>>();
  #opened = 0;
  #draining = false;

  constructor(options: Omit<ExchangeOptions, "onOpen" | "nextId">) {
    this.#options = {
      ...options,
      onOpen: (socket) => this.#add(socket),
      nextId: () => ++this.#opened,
    };
  }

  /** Resolves when the request is answered and its socket is over. */
  async take(offer: Offer): Promise<void> {
    const refused = this.#fault(offer) ?? this.#full();
    if (refused !== null) return await this.#options.refuser.refuse(offer, refused);
    this.#taken++;
    const exchange = new Exchange(offer, this.#options);
    const handled = exchange.run();
    this.#handled.add(handled);
    const forget = () => this.#handled.delete(handled);
    handled.then(forget, forget);
    try {
      await Promise.race([handled, exchange.over]);
    } finally {
      this.#taken--;
    }
  }

  #fault({ request }: Offer): Refused | null {
    const { allowedOrigins } = this.#options.config;
    return tunnelFault(request) ?? originFault(request, allowedOrigins) ?? handshakeFault(request);
  }

  #full(): Refused | null {
    const fields = [RETRY_AFTER];
    if (this.#draining) return { status: 503, fields, text: "shutting down", rejected: "draining" };
    if (this.#taken < this.#options.config.maxSockets) return null;
    return { status: 503, fields, text: "too many sockets", rejected: "max_sockets" };
  }

  #add(socket: Socket): void {
    this.open.add(socket);
    void socket.closed.then(() => this.open.delete(socket));
    if (this.#draining) shutDown(socket);
  }

  /** Takes nothing new, and says so to those that are open. */
  drain(): void {
    this.#draining = true;
    for (const socket of this.open) shutDown(socket);
  }

  /** Resolves when every handler has returned. */
  async idle(): Promise<void> {
    while (this.#handled.size > 0) await Promise.allSettled(this.#handled);
  }

  stop(): void {
    this.#draining = true;
    for (const socket of this.open) socket.abort(SHUTTING_DOWN);
  }
}

/** RFC 6455 §7.4.1: 1001, a server that goes down. */
function shutDown(socket: Socket): void {
  void socket.close(CloseCode.GOING_AWAY, SHUTTING_DOWN);
}
