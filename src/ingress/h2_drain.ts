import type { Http2Connection } from "../protocol/http2/connection.ts";

/** RFC 9113 §6.8: GOAWAY's second step comes a round trip after the first, or so much later. */
const PING = new Uint8Array([0x68, 0x33, 0x77, 0x73, 1, 1, 1, 1]);
const PING_MS = 1_000;

/** RFC 9113 §6.8: the two steps by which a connection takes no new streams. */
export class H2Drain {
  readonly #h2: Http2Connection;
  #begun = false;
  #lastAtMs = Infinity;

  constructor(h2: Http2Connection) {
    this.#h2 = h2;
  }

  /** The first; `false` where it was taken before. */
  begin(): boolean {
    if (this.#begun) return false;
    this.#begun = true;
    this.#lastAtMs = performance.now() + PING_MS;
    this.#h2.drain();
    this.#h2.ping(PING);
    return true;
  }

  /** Whether the second waits no longer for its round trip. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#lastAtMs;
  }

  /** Whether this is the answer that the second waits for. */
  isAnswer(payload: Uint8Array): boolean {
    return payload.every((byte, i) => byte === PING[i]);
  }

  /** The second. */
  nameLast(): void {
    this.#lastAtMs = Infinity;
    this.#h2.goaway();
  }
}
