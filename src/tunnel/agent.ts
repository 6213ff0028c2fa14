import type { ByteStream } from "../net/byte_stream.ts";
import type { CancelSignal } from "../net/cancel.ts";
import { timerMs } from "../net/numbers.ts";
import { pause } from "../net/pause.ts";
import { backoff, type BackoffOptions } from "../client/backoff.ts";
import { messageOf } from "../net/error.ts";
import { addressesOf } from "../net/happy_eyeballs.ts";
import type { Sweeper } from "../net/sweeper.ts";
import type { RefusedPort } from "../protocol/tunnel/auth.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { type AgentLinkOptions, connectGateway, type Linked } from "./agent_links.ts";
import { GatewayPlaces, type Place } from "./gateway_places.ts";
import type { ConnectTarget, Link, LinkEnd } from "./link.ts";
import type { AskedStream } from "./mux_link.ts";
import { relay, type RelayEnd, type Traffic } from "./relay.ts";
import { drains } from "./refusals.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";

/** A connection that a gateway asks an agent for. */
export interface Served {
  /** Counts up. */
  readonly id: number;
  /** "host:port". */
  readonly gateway: string;
  readonly target: TunnelTarget;
}

/** What an agent tells. No method throws or waits. */
export interface AgentObserver {
  /** `instead` is what was to be tried before, and why it did not stand, if anything. */
  linked(gateway: string, link: Link, info: { instead: string | null }): void;
  /** Once for each `linked`; `retryMs` is `null` where it does not come back. */
  unlinked(gateway: string, info: { end: LinkEnd; retryMs: number | null }): void;
  /** A port of the gateway that was asked for is not open; all else goes on. */
  portRefused(gateway: string, port: RefusedPort): void;
  /** No link came to be; `code` is that of a gateway that was there, and did not take us. */
  failed(
    gateway: string,
    info: { reason: string; code: TunnelCode | null; retryMs: number | null },
  ): void;
  /** A connection is asked for; then comes `opened` or `refused`. */
  asked?(served: Served): void;
  opened(served: Served, info: { dialMs: number }): void;
  /** Where the bytes of one that was opened are counted as they pass; their sum is in its end. */
  traffic?(served: Served): Traffic;
  refused(served: Served, error: TunnelRefused): void;
  /** Once for each `opened`. */
  closed(served: Served, end: RelayEnd & { durationMs: number }): void;
  bug(where: string, error: unknown): void;
}

type OfLinks = "url" | "address" | "signal" | "onAuthed" | "onOpen" | "onBug";

export interface AgentOptions extends Omit<AgentLinkOptions, OfLinks>, BackoffOptions {
  /** One link to each address of each, `replicas` times; to those of IPv6 where IPv4 has none. */
  gateways: readonly URL[];
  /** Where a name leads to; default as the system says. */
  lookup?: (hostname: string) => Promise<readonly string[]>;
  /** How often names are looked up while all links stand; default 5 min. */
  lookupEveryMs?: number;
  replicas: number;
  connect: ConnectTarget;
  /** A connection ends when no byte went either way for so long; 0 for never. */
  idleTimeoutMs: number;
  /** A link that lived so long was none of several in a row that failed. */
  stableMs: number;
  sweeper: Sweeper;
  observer: AgentObserver;
}

const LOOKUP_EVERY_MS = 5 * 60_000;
const nowhere = () => Promise.resolve([]);
/** How long a family of addresses leaves the other one alone. */
const REST_MS = 1_000;

/** One of the links that are kept. */
interface Way {
  readonly url: URL;
  readonly places: GatewayPlaces;
  readonly place: Place;
  readonly replica: number;
}

/** Those of a connection that is carried. */
interface Ends {
  readonly client: ByteStream;
  readonly target: ByteStream;
}

/** Keeps links to gateways, and connects to the targets that they ask for. */
export class TunnelAgent {
  readonly #options: AgentOptions;
  readonly #stopped = new AbortController();
  readonly #links = new Set<Link>();
  readonly #loops: Promise<void>[];
  #streams = 0;
  #served = 0;
  /** As long as it drains; `null` before. */
  #drainMs: number | null = null;
  /** Called when the last connection has ended. */
  #onIdle: (() => void) | null = null;

  /** Begins at once. */
  constructor(options: AgentOptions) {
    this.#options = options;
    this.#loops = options.gateways.map((url) => this.#follow(url).over);
  }

  /** Links that stand now. */
  get links(): ReadonlySet<Link> {
    return this.#links;
  }

  /** Connections that are open, and being opened. */
  get streams(): number {
    return this.#streams;
  }

  #follow(url: URL): GatewayPlaces {
    const { proxy = null, lookupEveryMs = LOOKUP_EVERY_MS, replicas } = this.#options;
    // A proxy looks the name up itself: here it may lead nowhere.
    const { lookup = proxy === null ? addressesOf : nowhere } = this.#options;
    const places: GatewayPlaces = new GatewayPlaces({
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      ...{ lookup, everyMs: lookupEveryMs, signal: this.#stopped.signal },
      keep: async (place) => {
        const keep = (_: unknown, replica: number) => this.#keep({ url, places, place, replica });
        await Promise.all(Array.from({ length: replicas }, keep));
      },
    });
    return places;
  }

  async #keep(way: Way): Promise<void> {
    const { observer, stableMs } = this.#options;
    const { url: { host }, places, place } = way;
    const { signal } = place;
    const delay = backoff(this.#options);
    if (places.isSecond(place)) await pause(REST_MS, signal);
    for (let failures = 0; !signal.aborted;) {
      if (places.rests(place)) {
        await pause(REST_MS, signal);
        continue;
      }
      const startedMs = performance.now();
      const linked = await this.#connect(way).catch((error: unknown) => error);
      const isLinked = linked !== null && typeof linked === "object" && "link" in linked;
      const end = isLinked ? await this.#hold(way, linked as Linked) : null;
      if (end !== null && performance.now() - startedMs >= stableMs) failures = 0;
      const retryMs = signal.aborted ? null : delay(++failures);
      if (end !== null) observer.unlinked(host, { end, retryMs });
      else if (!signal.aborted) observer.failed(host, { ...whyFailed(linked), retryMs });
      places.lookAgain();
      if (retryMs !== null) await pause(retryMs, signal);
    }
  }

  #connect({ url, place: { address }, replica }: Way): Promise<Linked> {
    const { auth, replicas, observer } = this.#options;
    const clientId = replicas === 1 ? auth.clientId : `${auth.clientId}-${replica + 1}`;
    return connectGateway({
      ...this.#options,
      ...{ url, address },
      auth: { ...auth, clientId },
      signal: this.#stopped.signal,
      onAuthed: ({ refusedPorts }) => {
        for (const port of refusedPorts) observer.portRefused(url.host, port);
      },
      onOpen: (target, asked) => {
        this.#serve({ id: ++this.#served, gateway: url.host, target }, asked);
      },
      onBug: (where, error) => observer.bug(where, error),
    });
  }

  async #hold({ url, place }: Way, { link, instead }: Linked): Promise<LinkEnd> {
    this.#links.add(link);
    place.links++;
    this.#options.observer.linked(url.host, link, { instead });
    if (this.#drainMs !== null) link.drain(this.#drainMs);
    if (this.#stopped.signal.aborted) link.close("the agent shuts down");
    const end = await link.closed;
    this.#links.delete(link);
    place.links--;
    return end;
  }

  /** The gateway wants a connection. */
  #serve(served: Served, asked: AskedStream): void {
    this.#streams++;
    // Nothing of how it was asked for is kept while bytes are carried.
    const carried = this.#reach(served, asked).then((ends) => {
      return ends === null ? undefined : this.#carry(served, ends);
    });
    void carried.then(this.#left);
  }

  readonly #left = (): void => {
    if (--this.#streams === 0) this.#onIdle?.();
  };

  /** Both ends of a connection; `null` where it did not come to be. Never rejects. */
  async #reach(served: Served, asked: AskedStream): Promise<Ends | null> {
    const { observer } = this.#options;
    const startedMs = performance.now();
    observer.asked?.(served);
    try {
      const target = await this.#open(served.target, asked.signal);
      const client = asked.accept();
      if (client === null) {
        target.abort();
        throw new TunnelRefused(TunnelCode.CONNECTION_FAILED, "aborted: the gateway gave it up");
      }
      observer.opened(served, { dialMs: performance.now() - startedMs });
      return { client, target };
    } catch (error) {
      if (!(error instanceof TunnelRefused)) observer.bug("tunnel target", error);
      const refused = error instanceof TunnelRefused
        ? error
        : new TunnelRefused(TunnelCode.INTERNAL_ERROR, "internal error");
      asked.refuse(refused);
      observer.refused(served, refused);
      return null;
    }
  }

  #carry(served: Served, ends: Ends): Promise<void> {
    const { observer, sweeper, idleTimeoutMs } = this.#options;
    const openedMs = performance.now();
    const carried = relay({
      ...ends,
      ...{ sweeper, idle: { idleTimeoutMs }, traffic: observer.traffic?.(served) },
      onBug: (where, error) => observer.bug(where, error),
    });
    return carried.then((end) => {
      observer.closed(served, { ...end, durationMs: performance.now() - openedMs });
    });
  }

  async #open(target: TunnelTarget, signal: CancelSignal) {
    const { connect, maxStreams } = this.#options;
    if (this.#drainMs !== null) throw drains();
    if (this.#streams > maxStreams) {
      throw new TunnelRefused(TunnelCode.RATE_LIMITED, "the agent has all it can carry");
    }
    return await connect(target, signal);
  }

  /** Takes no more connections; ends every link once they have ended, or after `forMs`. */
  async drain(forMs: number): Promise<void> {
    const drainMs = Math.ceil(Math.max(0, timerMs(forMs)));
    this.#drainMs = drainMs;
    for (const link of this.#links) link.drain(drainMs);
    if (this.#streams > 0) {
      const late = pause(drainMs, this.#stopped.signal);
      await Promise.race([late, new Promise<void>((resolve) => this.#onIdle = resolve)]);
    }
    await this.stop();
  }

  /** Ends every link; resolves when nothing is left. */
  async stop(): Promise<void> {
    this.#stopped.abort(new TunnelRefused(TunnelCode.CONNECTION_FAILED, "the agent shuts down"));
    for (const link of this.#links) link.close("the agent shuts down");
    await Promise.all(this.#loops);
  }
}

function whyFailed(error: unknown): { reason: string; code: TunnelCode | null } {
  return { reason: messageOf(error), code: error instanceof TunnelRefused ? error.code : null };
}
