import { NetError } from "../net/error.ts";
import { Nats, type NatsOptions } from "../net/nats.ts";
import type { Sweeper, Swept } from "../net/sweeper.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { Agent, Elsewhere } from "./agents.ts";
import {
  CLUSTER_VERSION,
  decodeLinkMessage,
  decodePresence,
  encodeLinkMessage,
  encodePresence,
  MAX_HEARTBEAT_MS,
  type Presence,
} from "./cluster_message.ts";
import { ClusterPeer } from "./cluster_peer.ts";
import { ClusterSocket } from "./cluster_socket.ts";
import type { Gateway } from "./gateway.ts";
import { type AskedStream, MuxLink } from "./mux_link.ts";
import type { GatewayObserver } from "./observer.ts";
import { TunnelRefused, type TunnelTarget } from "./target.ts";

/** How a gateway finds the others. */
export interface ClusterConfig extends Pick<NatsOptions, "urls" | "creds" | "caPem"> {
  /** Those with the same name pass connections to each other; default `h3ws`. */
  name?: string;
  /** Whoever says nothing for three times as long is gone; a minute at most. */
  heartbeatMs?: number;
}

export interface ClusterOptions extends ClusterConfig {
  gateway: Gateway;
  windowBytes: number;
  sweeper: Sweeper;
  observer: GatewayObserver;
}

const HEARTBEAT_MS = 2_000;
/** A change is told at once, but not more often. */
const MIN_TELL_MS = 100;
const MAX_STREAMS = 10_000;
const NATS_PORT = 4222;
/** Others that are known at once. Whoever may publish can say that there are any number. */
const MAX_PEERS = 256;

/** A link that somebody else has asked for, or we. */
interface Held {
  readonly peer: string;
  readonly socket: ClusterSocket;
}

/**
 * The place of a gateway among others: it tells them which groups have agents here, passes to them
 * what it has no agent for, and serves what they pass. Subjects of NATS, behind the name:
 * `v1.here` for what each says to all, and `v1.to.ID.FROM.LINK` for the messages of links.
 */
export class Cluster implements Elsewhere, Swept {
  readonly id: string = crypto.randomUUID();
  readonly #options: ClusterOptions;
  readonly #prefix: string;
  readonly #heartbeatMs: number;
  readonly #nats: Nats;
  readonly #peers = new Map<string, ClusterPeer>();
  readonly #links = new Map<string, Held>();
  #turn = 0;
  #toldMs = 0;
  #sweptMs = performance.now();
  #isChanged = false;
  #draining = false;

  /** Begins at once. */
  constructor(options: ClusterOptions) {
    this.#options = options;
    const { name = "h3ws", heartbeatMs = HEARTBEAT_MS, gateway, sweeper, observer } = options;
    this.#prefix = `${name}.${CLUSTER_VERSION}`;
    this.#heartbeatMs = Math.min(heartbeatMs, MAX_HEARTBEAT_MS);
    this.#nats = new Nats({
      ...options,
      name: `h3ws gateway ${this.id}`,
      subjects: [`${this.#prefix}.here`, `${this.#prefix}.to.${this.id}.*.*`],
      onMessage: (subject, bytes) => this.#take(subject, bytes),
      onBug: (error) => observer.bug("cluster", error),
      onJoined: () => {
        observer.cluster?.({ type: "joined" });
        this.#tell({ hello: true });
      },
      onLost: (reason) => this.#lost(reason),
    });
    gateway.agents.elsewhere = this;
    sweeper.add(this);
  }

  /** The other gateways that are there. */
  get gateways(): string[] {
    return [...this.#peers.keys()];
  }

  /** In turn. */
  find(group: string): Agent[] {
    const found = [...this.#peers.values()].filter(({ groups }) => groups.has(group));
    const first = found.length === 0 ? 0 : this.#turn++ % found.length;
    return [...found.slice(first), ...found.slice(0, first)].map((peer) => peer.agent(group));
  }

  changed(): void {
    this.#isChanged = true;
    if (performance.now() - this.#toldMs >= MIN_TELL_MS) this.#tell({});
  }

  /** What all are told of us. */
  #tell({ hello = false, leaves = false }: Partial<Presence>): void {
    this.#toldMs = performance.now();
    this.#isChanged = false;
    const groups = leaves || this.#draining ? [] : this.#options.gateway.agents.groups;
    const presence = { id: this.id, heartbeatMs: this.#heartbeatMs, groups, hello, leaves };
    for (const part of encodePresence(presence)) {
      void this.#nats.publish(`${this.#prefix}.here`, part);
    }
  }

  #take(subject: string, bytes: Uint8Array): void {
    const [kind, , from, link] = subject.slice(this.#prefix.length + 1).split(".");
    if (kind === "to") return this.#takeLink({ from, link }, bytes);
    const presence = decodePresence(bytes);
    if (presence !== null && presence.id !== this.id) this.#takePresence(presence);
  }

  #takePresence(presence: Presence): void {
    const { id, hello, leaves, more } = presence;
    if (leaves) return this.#gone(id, "it shuts down");
    let peer = this.#peers.get(id);
    if (peer === undefined) {
      if (this.#peers.size >= MAX_PEERS) return;
      peer = new ClusterPeer(id, () => this.#connect(id));
      this.#peers.set(id, peer);
      this.#options.observer.cluster?.({ type: "found", gateway: id });
    }
    peer.take(presence);
    if (hello && !more) this.#tell({});
  }

  /** A link to another gateway, that passes on what we have no agent for. */
  #connect(peer: string): MuxLink {
    const link = crypto.randomUUID();
    const socket = this.#hold(peer, link);
    return this.#mux(socket, {
      role: "gateway",
      onAsk: (stream, asked) => {
        const { client = "", user = "", group = "" } = asked ?? {};
        socket.ask({ stream, client, user, group });
      },
    });
  }

  #hold(peer: string, link: string): ClusterSocket {
    const subject = `${this.#prefix}.to.${peer}.${this.id}.${link}`;
    const socket = new ClusterSocket((bytes) => this.#nats.publish(subject, bytes));
    this.#links.set(link, { peer, socket });
    void socket.closed.then(() => this.#links.delete(link));
    return socket;
  }

  #mux(
    socket: ClusterSocket,
    options: Pick<ConstructorParameters<typeof MuxLink>[0], "role" | "onAsk" | "onOpen">,
  ): MuxLink {
    const { windowBytes, observer } = this.#options;
    const onBug = (where: string, error: unknown) => observer.bug(where, error);
    return new MuxLink({ ...options, socket, windowBytes, maxStreams: MAX_STREAMS, onBug });
  }

  #takeLink({ from, link }: { from: string; link: string }, bytes: Uint8Array): void {
    const held = this.#links.get(link);
    if (held !== undefined) return held.peer === from ? held.socket.take(bytes) : undefined;
    const decoded = decodeLinkMessage(bytes);
    if (decoded === null || decoded.message.type === "end") return;
    if (decoded.number !== 0 || decoded.message.type !== "about") {
      // One that was lost here only: the other end has to know.
      const end = encodeLinkMessage(0, { type: "end", reason: "no such link" });
      return void this.#nats.publish(`${this.#prefix}.to.${from}.${this.id}.${link}`, end);
    }
    const socket = this.#hold(from, link);
    this.#mux(socket, {
      role: "agent",
      onOpen: (target, asked, id) => void this.#serve(socket, { target, asked, id }),
    });
    socket.take(bytes);
  }

  /** Another gateway asks for a connection, which only agents that are here can be asked for. */
  async #serve(
    socket: ClusterSocket,
    { target, asked, id }: { target: TunnelTarget; asked: AskedStream; id: number },
  ): Promise<void> {
    const { gateway, observer } = this.#options;
    try {
      const about = socket.about(id);
      if (about === null) {
        throw new TunnelRefused(TunnelCode.INVALID_MESSAGE, "nobody asks for it");
      }
      const { client, user, group } = about;
      if (!gateway.agents.has(group)) {
        // It was here a moment ago: another gateway may be asked.
        throw new TunnelRefused(TunnelCode.RATE_LIMITED, `no agent of group ${group}`);
      }
      const ask = { front: "cluster", client, user, group, target } as const;
      const connection = await gateway.open(ask, asked.signal);
      await gateway.carryTo(connection, () => {
        const stream = asked.accept();
        if (stream === null) throw new NetError("lost", "the other gateway gave it up");
        return Promise.resolve(stream);
      });
    } catch (error) {
      if (!(error instanceof TunnelRefused)) observer.bug("cluster", error);
      asked.refuse(
        error instanceof TunnelRefused
          ? error
          : new TunnelRefused(TunnelCode.INTERNAL_ERROR, "internal error"),
      );
    }
  }

  #lost(why: string): void {
    const { urls, observer } = this.#options;
    // A URL's login is nobody's to read.
    const servers = urls.map(({ hostname, port }) => `${hostname}:${port || NATS_PORT}`);
    const reason = `${servers.join(", ")}: ${why}; it is tried again`;
    observer.cluster?.({ type: "lost", reason });
    for (const id of this.gateways) this.#gone(id, "NATS is gone");
    for (const { socket } of [...this.#links.values()]) socket.lose("NATS is gone");
  }

  #gone(id: string, reason: string): void {
    if (!this.#peers.delete(id)) return;
    this.#options.observer.cluster?.({ type: "gone", gateway: id, reason });
    for (const { peer, socket } of [...this.#links.values()]) {
      if (peer === id) socket.lose(`the other gateway is gone: ${reason}`);
    }
  }

  sweep(nowMs: number): void {
    const sinceMs = performance.now() - this.#toldMs;
    const isDue = sinceMs >= this.#heartbeatMs;
    if (isDue) { for (const { socket } of this.#links.values()) socket.beat(); }
    if (isDue || (this.#isChanged && sinceMs >= MIN_TELL_MS)) this.#tell({});
    // Where this process itself stood still, what was said meanwhile is still to be heard.
    const stood = nowMs - this.#sweptMs > this.#heartbeatMs;
    this.#sweptMs = nowMs;
    for (const [id, peer] of [...this.#peers]) {
      if (stood) peer.heard();
      else if (peer.isSilent) this.#gone(id, "nothing is heard of it");
    }
  }

  /** The others ask for nothing more; what is open goes on. */
  drain(): void {
    this.#draining = true;
    this.#tell({});
  }

  /** Tells the others, and ends what is left. */
  async close(): Promise<void> {
    const { sweeper, gateway } = this.#options;
    sweeper.delete(this);
    gateway.agents.elsewhere = null;
    this.#tell({ leaves: true });
    const reason = "the gateway shuts down";
    await Promise.all([...this.#links.values()].map(({ socket }) => socket.close(0, reason)));
    this.#peers.clear();
    await this.#nats.close();
  }
}
