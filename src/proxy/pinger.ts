import { encodeFrame } from "../protocol/websocket/encoder.ts";
import { Opcode } from "../protocol/websocket/opcode.ts";
import type { SessionLimits } from "./session_options.ts";
import type { Way } from "./way.ts";

/** Of our Pings, which are all the same in a session: enough for no peer to have it by chance. */
const PING_BYTES = 12;

/** The proxy's own Pings to the client of one session, and the Pongs to them. */
export class Pinger {
  readonly #limits: SessionLimits;
  readonly #toBackend: Way;
  readonly #toClient: Way;
  /** The payload of our Pings; when the last went, and how many chunks had come by then. */
  #payload: Uint8Array | null = null;
  #sentMs = 0;
  #readsThen = 0;
  #awaitsPong = false;

  constructor(limits: SessionLimits, ways: { toBackend: Way; toClient: Way }) {
    this.#limits = limits;
    this.#toBackend = ways.toBackend;
    this.#toClient = ways.toClient;
  }

  /** Sends a Ping when it is time; `false` if the last one was not answered in time. */
  sweep(nowMs: number, lastReadMs: number): boolean {
    const { pingIntervalMs, pongTimeoutMs } = this.#limits;
    if (pingIntervalMs === 0) return true;
    // RFC 6455 §5.5.3: of several Pings only the last may be answered, and §5.4 a Pong waits for the
    // end of a frame: whatever comes from the client behind our Ping tells that it is there.
    if (this.#toBackend.reads !== this.#readsThen) this.#awaitsPong = false;
    if (this.#awaitsPong) return nowMs - this.#sentMs < pongTimeoutMs;
    if (nowMs - Math.max(lastReadMs, this.#sentMs) < pingIntervalMs) return true;
    const payload = this.#payload ?? crypto.getRandomValues(new Uint8Array(PING_BYTES));
    if (!this.#toClient.put(encodeFrame({ opcode: Opcode.PING, payload }))) return true;
    this.#payload = payload;
    this.#sentMs = nowMs;
    this.#readsThen = this.#toBackend.reads;
    this.#awaitsPong = true;
    return true;
  }

  /** RFC 6455 §5.5.3: a Pong has the payload of its Ping; one to our own goes no further. */
  isOurs(payload: Uint8Array): boolean {
    const ping = this.#payload;
    if (ping === null || ping.length !== payload.length) return false;
    return ping.every((byte, i) => byte === payload[i]);
  }
}
