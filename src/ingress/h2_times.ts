import { connectionError, H2Code, type H2Error, tooMuch } from "../protocol/http2/codes.ts";
import type { Http2Connection } from "../protocol/http2/connection.ts";

/** How long a client may keep a connection of HTTP/2 waiting. */
export class H2Times {
  /** Since when no stream is open; Infinity while one is. */
  idleSinceMs = performance.now();
  readonly #h2: Http2Connection;
  readonly #limits: { readonly headTimeoutMs: number; readonly idleTimeoutMs: number };
  /** Till when the client's preface may take, where a stream can be open before it. */
  readonly #prefaceUntilMs: number;
  /** The field block that was open at the last look, and since when. */
  #block = 0;
  #blockSinceMs = Infinity;

  /** `upgraded`: whether it began as HTTP/1.1, with a request (RFC 7540 §3.2). */
  constructor(
    h2: Http2Connection,
    limits: { headTimeoutMs: number; idleTimeoutMs: number },
    upgraded: boolean,
  ) {
    this.#h2 = h2;
    this.#limits = limits;
    this.#prefaceUntilMs = upgraded ? performance.now() + limits.headTimeoutMs : Infinity;
  }

  /** Why the connection has to end now; `null` while it need not. */
  late(nowMs: number): H2Error | null {
    const { headTimeoutMs, idleTimeoutMs } = this.#limits;
    const idleMs = nowMs - this.idleSinceMs;
    const prefaceLate = nowMs >= this.#prefaceUntilMs && !this.#h2.settingsReceived;
    if (prefaceLate || !this.#h2.settingsAcknowledged && idleMs >= headTimeoutMs) {
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
