import type { OfferRequest } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { Deadline, type Sweeper, type Swept } from "../net/sweeper.ts";
import type { BackendTarget } from "./backend.ts";
import { pick } from "./balance.ts";
import { checkBackend } from "./health_check.ts";
import type { Route } from "./route.ts";

/** What is known of one backend. */
export interface BackendStatus {
  readonly url: string;
  readonly up: boolean;
  /** Sessions and requests that are at it now. */
  readonly sessions: number;
  /** What was last wrong with it; empty while it is up. */
  readonly reason: string;
}

export interface UpstreamOptions {
  readonly sweeper: Sweeper;
  /** A backend of the route went down or came up again. */
  readonly onChange?: (route: Route, status: BackendStatus) => void;
  /** Those of before a reload: what is known of a backend with the same URL stays known. */
  readonly from?: Upstream;
}

/** Checks of one backend are spread by this part of their interval, so that they do not come at once. */
const JITTER = 0.1;

interface Peer {
  readonly target: BackendTarget;
  sessions: number;
  reason: string;
  /** By the sessions that fail: in a row, and until when it is down for them. */
  failures: number;
  downUntilMs: number;
  /** By the checks: its state, and how many in a row speak against that. */
  wellChecked: boolean;
  against: number;
  checkAtMs: number;
  check: AbortController | null;
  /** What `onChange` was last told. */
  toldUp: boolean;
}

/**
 * The backends of one route: which is tried first, which are down. All are taken to be up until
 * something tells otherwise. Active checks begin with `start` and end with `stop`.
 */
export class Upstream implements Swept {
  readonly route: Route;
  readonly #options: UpstreamOptions;
  readonly #peers: Map<BackendTarget, Peer>;
  #turn = 0;
  #sessions = 0;
  #started = false;

  constructor(route: Route, options: UpstreamOptions) {
    this.route = route;
    this.#options = options;
    const { from } = options;
    const before = (url: string) => from === undefined ? undefined : from.#peerAt(url);
    this.#peers = new Map(
      route.backends.map((target) => [target, newPeer(target, before(target.url))]),
    );
    if (route.health.active === undefined) {
      for (const peer of this.#peers.values()) peer.wellChecked = true;
    }
    if (from !== undefined) options.sweeper.add(this);
  }

  /** All sessions and ordinary requests of the route. */
  get sessions(): number {
    return this.#sessions;
  }

  /** Whether any backend is taken to be up. */
  get isUp(): boolean {
    return [...this.#peers.values()].some((peer) => isUp(peer));
  }

  get statuses(): BackendStatus[] {
    return [...this.#peers.values()].map(statusOf);
  }

  /** All backends in the order in which they are tried for one request. Counts as a turn. */
  order(request: OfferRequest): BackendTarget[] {
    return pick(this.route, request, {
      turn: this.#turn++,
      sessions: (target) => this.#peer(target).sessions,
      isUp: (target) => isUp(this.#peer(target)),
    });
  }

  /**
   * A backend is about to be dialled. What is given back is called once when the session, or the
   * way to it, is over; again does nothing.
   */
  take(target: BackendTarget): () => void {
    const peer = this.#peer(target);
    peer.sessions++;
    this.#sessions++;
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      peer.sessions--;
      this.#sessions--;
    };
  }

  /** It could not be dialled, or did not answer the handshake. A refusal of its own is no failure. */
  failed(target: BackendTarget, reason: string): void {
    const { passive } = this.route.health;
    if (passive === undefined) return;
    const peer = this.#peer(target);
    peer.failures++;
    peer.reason = reason;
    if (peer.failures >= passive.failures) {
      peer.downUntilMs = performance.now() + passive.forMs;
      // After that time one more failure is enough.
      peer.failures = passive.failures - 1;
      // To tell when it is over.
      this.#options.sweeper.add(this);
    }
    this.#tell(peer);
  }

  /** It answered. */
  succeeded(target: BackendTarget): void {
    const peer = this.#peer(target);
    peer.failures = 0;
    peer.downUntilMs = -Infinity;
    this.#tell(peer);
  }

  /** Begins with the active checks, if the route has any; the first ones come at once. */
  start(): void {
    if (this.route.health.active === undefined || this.#started) return;
    this.#started = true;
    this.#options.sweeper.add(this);
  }

  /** Ends all checks, those under way too. */
  stop(): void {
    this.#started = false;
    this.#options.sweeper.delete(this);
    for (const { check } of this.#peers.values()) {
      check?.abort(new NetError("aborted", "no more checks"));
    }
  }

  sweep(nowMs: number): void {
    let waits = this.#started;
    for (const peer of this.#peers.values()) {
      if (peer.downUntilMs !== -Infinity) {
        if (nowMs < peer.downUntilMs) waits = true;
        else peer.downUntilMs = -Infinity;
        this.#tell(peer);
      }
      if (this.#started && peer.check === null && nowMs >= peer.checkAtMs) void this.#check(peer);
    }
    if (!waits) this.#options.sweeper.delete(this);
  }

  async #check(peer: Peer): Promise<void> {
    const { active } = this.route.health;
    if (active === undefined) return;
    const { timeoutMs, intervalMs } = active;
    const check = new AbortController();
    peer.check = check;
    const deadline = new Deadline(this.#options.sweeper, timeoutMs, () => {
      check.abort(new NetError("timeout", `no answer within ${timeoutMs} ms`));
    });
    const reason = await checkBackend(peer.target, active, check.signal);
    deadline.clear();
    peer.check = null;
    peer.checkAtMs = performance.now() + intervalMs * (1 + JITTER * (Math.random() * 2 - 1));
    if (this.#started) this.#checked(peer, reason);
  }

  #checked(peer: Peer, reason: string | null): void {
    const { active } = this.route.health;
    if (active === undefined) return;
    const well = reason === null;
    peer.against = well === peer.wellChecked ? 0 : peer.against + 1;
    if (peer.against >= (well ? active.healthyAfter : active.unhealthyAfter)) {
      peer.wellChecked = well;
      peer.against = 0;
      // It was seen to answer: what failed before counts no more.
      if (well) peer.downUntilMs = -Infinity;
    }
    if (reason !== null) peer.reason = reason;
    this.#tell(peer);
  }

  #tell(peer: Peer): void {
    const up = isUp(peer);
    if (up === peer.toldUp) return;
    peer.toldUp = up;
    this.#options.onChange?.(this.route, statusOf(peer));
  }

  #peerAt(url: string): Peer | undefined {
    return [...this.#peers.values()].find(({ target }) => target.url === url);
  }

  #peer(target: BackendTarget): Peer {
    const peer = this.#peers.get(target);
    if (peer === undefined) throw new TypeError(`${target.url} is no backend of this route`);
    return peer;
  }
}

function newPeer(target: BackendTarget, before: Peer | undefined): Peer {
  return {
    target,
    sessions: 0,
    reason: before?.reason ?? "",
    failures: before?.failures ?? 0,
    downUntilMs: before?.downUntilMs ?? -Infinity,
    wellChecked: before?.wellChecked ?? true,
    against: before?.against ?? 0,
    checkAtMs: -Infinity,
    check: null,
    toldUp: before?.toldUp ?? true,
  };
}

function isUp(peer: Peer): boolean {
  return peer.wellChecked &&
    (peer.downUntilMs === -Infinity || performance.now() >= peer.downUntilMs);
}

function statusOf(peer: Peer): BackendStatus {
  const up = isUp(peer);
  return {
    url: peer.target.url,
    up,
    sessions: peer.sessions,
    reason: up ? "" : peer.reason,
  };
}
