import { NetError } from "../net/error.ts";
import { MAX_CONTROL_PAYLOAD } from "../protocol/websocket/close.ts";
import { forgivable } from "./forgivable.ts";
import type { Outbox } from "./outbox.ts";

interface Awaited {
  payload: string;
  sentMs: number;
  resolve: (ms: number) => void;
  reject: (error: NetError) => void;
}

/** The Pings that were sent and wait for their Pongs. */
export class Pings {
  readonly #outbox: Outbox;
  #awaited: Awaited[] = [];
  #count = 0;
  #over: NetError | null = null;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** Sends a Ping; resolves with the milliseconds until its Pong. */
  send(payload: Uint8Array = this.#own()): Promise<number> {
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      const text = `Cannot send a Ping of ${payload.length} bytes: it takes 125`;
      return Promise.reject(new RangeError(text));
    }
    return forgivable(this.#over !== null ? Promise.reject(this.#over) : this.#send(payload));
  }

  #send(payload: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const sentMs = performance.now();
      this.#awaited.push({ payload: keyOf(payload), sentMs, resolve, reject });
      this.#outbox.ping(payload).catch(reject);
    });
  }

  /**
   * RFC 6455 §5.5.3: a Pong has the payload of its Ping, and answers those before it too: a peer may
   * answer but the last of several. One that was not asked for answers none.
   */
  came(payload: Uint8Array): void {
    if (this.#awaited.length === 0) return;
    const key = keyOf(payload);
    const index = this.#awaited.findIndex((ping) => ping.payload === key);
    const nowMs = performance.now();
    for (const { sentMs, resolve } of this.#awaited.splice(0, index + 1)) resolve(nowMs - sentMs);
  }

  /** No Pong comes any more. */
  end(error: NetError): void {
    this.#over ??= error;
    for (const { reject } of this.#awaited.splice(0)) reject(error);
  }

  /** A payload that no other Ping of the socket has. */
  #own(): Uint8Array {
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, ++this.#count);
    return payload;
  }
}

function keyOf(payload: Uint8Array): string {
  return String.fromCharCode(...payload);
}
