/** No longer than this after he got in there for the last time. */
const FOR_MS = 7 * 24 * 3_600_000;
/** Of one user: more push out his own, and nobody else's. */
const MAX_NETWORKS = 16;
const MAX_USERS = 10_000;

/** From where users got in lately. */
export class Familiar {
  readonly #nowMs: () => number;
  /** When, by network, by user; the latest last. */
  readonly #users = new Map<string, Map<string, number>>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  has(user: string, network: string): boolean {
    const lastMs = this.#users.get(user)?.get(network);
    return lastMs !== undefined && this.#nowMs() - lastMs < FOR_MS;
  }

  /** He got in from there, now. */
  add(user: string, network: string): void {
    const networks = this.#users.get(user) ?? new Map<string, number>();
    setLast(networks, network, { value: this.#nowMs(), most: MAX_NETWORKS });
    setLast(this.#users, user, { value: networks, most: MAX_USERS });
  }
}

/** The oldest goes where there are too many. */
function setLast<V>(
  map: Map<string, V>,
  key: string,
  { value, most }: { value: V; most: number },
): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value!);
}
