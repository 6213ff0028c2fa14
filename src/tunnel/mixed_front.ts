import type { Accepted } from "../net/accepted.ts";
import { NetError } from "../net/error.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { unread } from "../net/unread.ts";
import { SOCKS_VERSION } from "../protocol/socks5/codes.ts";

/** What serves clients. */
export interface ClientFront {
  /** Serves one to its end. Never rejects. */
  take(accepted: Accepted): Promise<void>;
  /** From now on each client's connection ends with what goes on; absent where it does anyway. */
  drain?(): void;
}

export interface MixedFrontOptions {
  socks: ClientFront;
  http: ClientFront;
  sweeper: Sweeper;
  /** How long the first byte may take. */
  handshakeTimeoutMs: number;
  onBug: (where: string, error: unknown) => void;
}

/** One port for both: RFC 1928 §3 begins with X'05', and no request of HTTP does. */
export class MixedFront implements ClientFront {
  readonly #options: MixedFrontOptions;

  constructor(options: MixedFrontOptions) {
    this.#options = options;
  }

  async take(accepted: Accepted): Promise<void> {
    const { socks, http, onBug } = this.#options;
    const { stream } = accepted;
    let first: Uint8Array | null = null;
    try {
      first = await this.#first(accepted);
    } catch (error) {
      if (!(error instanceof NetError)) onBug("mixed front", error);
    }
    if (first === null) return stream.abort();
    const front = first[0] === SOCKS_VERSION ? socks : http;
    await front.take({ ...accepted, stream: unread(stream, first) });
  }

  drain(): void {
    const { socks, http } = this.#options;
    for (const front of [socks, http]) front.drain?.();
  }

  async #first({ stream }: Accepted): Promise<Uint8Array | null> {
    const { sweeper, handshakeTimeoutMs } = this.#options;
    const late = () => stream.abort("nothing was asked for in time");
    const deadline = new Deadline(sweeper, handshakeTimeoutMs, late);
    try {
      return await stream.read();
    } finally {
      deadline.clear();
    }
  }
}
