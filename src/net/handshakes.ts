import type { RefusalKind } from "./accepted.ts";
import type { AcceptOptions } from "./accepted.ts";
import { Deadline } from "./sweeper.ts";

/** Above the limit, a handshake that has had so long makes room for the next. */
const GIVES_WAY_MS = 1_000;

type HandshakeOptions = Pick<
  AcceptOptions,
  "maxHandshakes" | "handshakeTimeoutMs" | "sweeper" | "onRefused"
>;

/** The connections that are not served yet: anyone can open them, so they are few and short. */
export class Handshakes {
  readonly #options: HandshakeOptions;
  /** Oldest first. */
  readonly #open = new Set<Handshake>();

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Takes note of one that begins; `cut` frees its socket. `null`, and it is refused, when there
   * is no room for it.
   */
  begin(remote: string, cut: () => void): Handshake | null {
    const options = this.#options;
    if (this.#open.size >= options.maxHandshakes && !this.#giveWay()) {
      cut();
      const message = `${this.#open.size} handshakes are under way`;
      options.onRefused({ kind: "full", message, remote });
      return null;
    }
    const handshake: Handshake = new Handshake(options, {
      remote,
      cut,
      over: () => this.#open.delete(handshake),
    });
    this.#open.add(handshake);
    return handshake;
  }

  /** Ends the oldest, if it has had its time. */
  #giveWay(): boolean {
    for (const handshake of this.#open) {
      if (performance.now() - handshake.startedMs < GIVES_WAY_MS) return false;
      handshake.refuse("timeout", "Made room for the next");
      return true;
    }
    return false;
  }

  /** Cuts all of them, without a word. */
  cut(): void {
    for (const handshake of this.#open) handshake.cut();
  }
}

/** One connection until it is served or refused. */
export class Handshake {
  readonly startedMs: number = performance.now();
  readonly remote: string;
  readonly #options: HandshakeOptions;
  readonly #deadline: Deadline;
  readonly #cut: () => void;
  readonly #over: () => void;
  #isOver = false;

  constructor(
    options: HandshakeOptions,
    { remote, cut, over }: { remote: string; cut: () => void; over: () => void },
  ) {
    this.#options = options;
    this.remote = remote;
    this.#cut = cut;
    this.#over = over;
    const { handshakeTimeoutMs, sweeper } = options;
    this.#deadline = new Deadline(sweeper, handshakeTimeoutMs, () => {
      this.refuse("timeout", `No handshake within ${handshakeTimeoutMs} ms`);
    });
  }

  /** Says that it is over; `false` when it was before. */
  finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadline.clear();
    this.#over();
    return true;
  }

  /** Frees the socket and tells why, unless it is over. */
  refuse(kind: RefusalKind, message: string): void {
    if (!this.finish()) return;
    this.#cut();
    this.#options.onRefused({ kind, message, remote: this.remote });
  }

  /** Frees the socket, unless it is over. */
  cut(): void {
    if (this.finish()) this.#cut();
  }
}
