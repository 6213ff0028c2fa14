import { connectionError, H2Code, type H2Error, tooMuch } from "../protocol/http2/codes.ts";
import type { Http2Connection } from "../protocol/http2/connection.ts";

/** How long a client may keep a connection of HTTP/2 waiting. */
export class H2Times {
  /** Since when no stream is open; Infinity while one is. */
  idleSinceMs = performance.now();
  readonly #h2: Http2Connection;
  readonly #limits: { readonly headTimeoutMs: number; readonly idleTimeoutMs: number };
  /** The field block that was open at the last look, and since when. */
  #block = 0;
  #blockSinceMs = Infinity;

  constructor(h2: Http2Connection, limits: { headTimeoutMs: number; idleTimeoutMs: number }) {
    this.#h2 = h2;
    this.#limits = limits;
  }

  /** Why the connection has to end now; `null` while it need not. */
  late(nowMs: number): H2Error | null {
    const { headTimeoutMs, idleTimeoutMs } = this.#limits;
    const idleMs = nowMs - this.idleSinceMs;
    if (!this.#h2.settingsAcknowledged && idleMs >= headTimeoutMs) {
      // RFC 9113 §6.5.3: SETTINGS_TIMEOUT; and a client that never says anything.
      return connectionError(H2Code.SETTINGS_TIMEOUT, "no SETTINGS in time");
    }
    if (idleMs >= idleTimeoutMs) return connectionError(H2Code.NO_ERROR, "idle");
    return this.#isBlockLate(nowMs) ? tooMuch("A field block took too long to come") : null;
  }

  /** RFC 9113 §10.5.1: a field block has no end but its sender's, and nothing comes beside it. */
  #isBlockLate(nowMs: number): boolean {
    const { openFieldBlock } = this.#h2;
    if (openFieldBlock !== this.#block) {
      this.#block = openFieldBlock;
      this.#blockSinceMs = nowMs;
    }
    return openFieldBlock !== 0 && nowMs - this.#blockSinceMs >= this.#limits.headTimeoutMs;
  }
}
