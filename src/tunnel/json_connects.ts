import { randomUUID } from "node:crypto";
import type { ByteStream } from "../net/byte_stream.ts";
import { Cancel, type CancelSignal } from "../net/cancel.ts";
import type { NetError } from "../net/error.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { ConnectResponseMessage, JsonMessage } from "../protocol/tunnel/message.ts";
import type { JsonStream } from "./json_stream.ts";
import type { AskedStream } from "./mux_link.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";

/** An "error" with the code may come behind the refusal that it is for: so long it is waited for. */
const CODE_WAIT_MS = 50;

/** What connects need of their link. */
export interface JsonConnectsOptions {
  say: (message: JsonMessage) => void;
  /** It is open. */
  add: (id: string, protocol: "tcp" | "udp") => JsonStream;
  /** It did not come to be. */
  ended: (id: string) => void;
}

interface Opening extends PromiseWithResolvers<ByteStream> {
  readonly protocol: "tcp" | "udp";
  /** Refused, but for its code. */
  timer?: ReturnType<typeof setTimeout>;
}

/** The connections of a link that were asked for and not answered yet, on either side. */
export class JsonConnects {
  readonly #options: JsonConnectsOptions;
  /** Gateway: what it asked for. */
  readonly #opening = new Map<string, Opening>();
  /** Agent: what it is asked for. */
  readonly #asked = new Map<string, Cancel>();

  constructor(options: JsonConnectsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#opening.size + this.#asked.size;
  }

  has(id: string): boolean {
    return this.#opening.has(id) || this.#asked.has(id);
  }

  /** Gateway: asks for a connection. See `GatewayLink.open`. */
  async open({ protocol, host, port }: TunnelTarget, signal: CancelSignal): Promise<ByteStream> {
    if (signal.aborted) throw signal.reason;
    const id = randomUUID();
    const opening: Opening = { ...Promise.withResolvers<ByteStream>(), protocol };
    const giveUp = () => {
      this.#options.say({ type: "close", connectionId: id, reason: "given up" });
      opening.reject(signal.reason);
    };
    this.#opening.set(id, opening);
    signal.addEventListener("abort", giveUp, { once: true });
    this.#options.say({ type: "connect", connectionId: id, host, port, protocol });
    try {
      return await opening.promise;
    } catch (error) {
      this.#options.ended(id);
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
      clearTimeout(opening.timer);
      this.#opening.delete(id);
    }
  }

  /** Gateway: whether that was an answer that somebody waits for. */
  answered({ connectionId: id, success, message }: ConnectResponseMessage): boolean {
    const opening = this.#opening.get(id);
    if (opening === undefined) return false;
    // From now on there may be data for it.
    if (success) {
      opening.resolve(this.#options.add(id, opening.protocol));
      this.#opening.delete(id);
    } else {
      const refused = new TunnelRefused(TunnelCode.CONNECTION_FAILED, message || "refused");
      opening.timer ??= setTimeout(() => opening.reject(refused), CODE_WAIT_MS);
    }
    return true;
  }

  /** The peer says that nothing will come of it. */
  failed(id: string, refused: TunnelRefused): void {
    this.#opening.get(id)?.reject(refused);
    this.#asked.get(id)?.abort(refused);
  }

  /** The link is gone. */
  fail(lost: NetError): void {
    for (const { reject } of this.#opening.values()) reject(lost);
    for (const asked of this.#asked.values()) asked.abort(lost);
    this.#opening.clear();
    this.#asked.clear();
  }

  /** Agent: the gateway asks for a connection. */
  asked(id: string, protocol: "tcp" | "udp"): AskedStream {
    const { say, add, ended } = this.#options;
    const gone = new Cancel();
    this.#asked.set(id, gone);
    const isOver = () => !this.#asked.delete(id) || gone.aborted;
    return {
      signal: gone,
      accept: () => {
        if (isOver()) return null;
        say({ type: "connect_response", connectionId: id, success: true, message: "connected" });
        return add(id, protocol);
      },
      refuse: ({ code, message }) => {
        ended(id);
        if (isOver()) return;
        say({ type: "connect_response", connectionId: id, success: false, message });
        say({ type: "error", code, message, connectionId: id });
      },
    };
  }
}
