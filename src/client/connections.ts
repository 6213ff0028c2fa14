import type { Dial } from "../net/dial.ts";
import { Origin, type OriginTimes, type Way } from "./origin.ts";
import type { Target } from "./target.ts";

/** What `Connections` may be told; all of it is optional. */
export interface ConnectionsOptions {
  /** How long an HTTP/2 connection without a socket stays open; default 30 s. */
  idleTimeoutMs?: number;
  /**
   * The same of HTTP/3; default 1 s. Deno's QUIC keeps the process alive as long as it is open, where
   * an HTTP/2 connection without a socket does not.
   */
  idleQuicTimeoutMs?: number;
  /** How long HTTP/3 alone is tried where the server said that it speaks it; default 300 ms. */
  headStartMs?: number;
  /**
   * How long it is remembered that HTTP/3 failed, or that WebSockets need HTTP/1.1; default 5
   * minutes.
   */
  failedForMs?: number;
}

/** What is known of so many origins is kept. */
const MAX_ORIGINS = 1_000;

let originIn: (connections: Connections, target: Target, way: Way) => Origin;

/**
 * The connections that sockets share, and what is known of their origins: where HTTP/3 is spoken
 * (RFC 7838), and what did not work. Sockets share only where they trust the same certificates, ask for
 * the same host and have the same `dial`.
 */
export class Connections {
  readonly #times: OriginTimes;
  readonly #origins = new Map<string, Origin>();

  /** Nothing is known and open yet. */
  constructor(options: ConnectionsOptions = {}) {
    this.#times = {
      idleMs: options.idleTimeoutMs ?? 30_000,
      idleQuicMs: options.idleQuicTimeoutMs ?? 1_000,
      headStartMs: options.headStartMs ?? 300,
      failedMs: options.failedForMs ?? 300_000,
    };
  }

  static {
    originIn = (connections, target, way) => connections.#origin(target, way);
  }

  /** How many connections of HTTP/2 and HTTP/3 are open. */
  get size(): number {
    let size = 0;
    for (const origin of this.#origins.values()) size += origin.size;
    return size;
  }

  #origin(target: Target, way: Way): Origin {
    const key = keyOf(target, way);
    const known = this.#origins.get(key);
    // What was used last is the last to be forgotten.
    this.#origins.delete(key);
    const origin = known ?? new Origin(target, way, this.#times);
    this.#origins.set(key, origin);
    if (known === undefined) this.#forgetOldest();
    return origin;
  }

  #forgetOldest(): void {
    if (this.#origins.size <= MAX_ORIGINS) return;
    for (const [key, { size }] of this.#origins) {
      if (size > 0) continue;
      this.#origins.delete(key);
      return;
    }
  }

  /**
   * Ends every connection, with the sockets on it, and forgets all that is known. A socket over
   * HTTP/1.1 has a connection of its own, which is none of these.
   */
  close(): void {
    for (const origin of this.#origins.values()) origin.close();
    this.#origins.clear();
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

export { originIn };

/** Those that are used where no others are given. */
export const defaultConnections: Connections = new Connections();

const numbers = new WeakMap<Dial, number>();
let lastNumber = 0;

/** Which function it is, as a number; 0 for none. */
function numberOf(dial: Dial | undefined): number {
  if (dial === undefined) return 0;
  const number = numbers.get(dial) ?? ++lastNumber;
  numbers.set(dial, number);
  return number;
}

function keyOf({ secure, hostname, port, authority }: Target, way: Way): string {
  const { caCerts = [], certificateHashes = [], insecure, tcpOnly, dial } = way;
  const hashes = certificateHashes.map((hash) => [...hash]);
  const place = [secure, hostname, port, authority];
  return JSON.stringify([...place, insecure, tcpOnly, numberOf(dial), hashes, caCerts]);
}
