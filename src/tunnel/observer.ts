import type { Refusal } from "../net/accepted.ts";
import type { TunnelCode } from "../protocol/tunnel/code.ts";
import type { Agent } from "./agents.ts";
import type { Limits } from "./limits.ts";
import type { LinkEnd } from "./link.ts";
import type { RelayEnd, Traffic } from "./relay.ts";
import type { TunnelTarget } from "./target.ts";
import type { Pass } from "./users.ts";

/** By which way somebody came to a gateway. */
export type Front = "socks5" | "http" | "forward" | "route" | "cluster";

/** What becomes of a gateway's place among several. */
export type ClusterNews =
  /** The server of NATS takes us. */
  | { readonly type: "joined" }
  /** It does not, or not any more; it is tried again. */
  | { readonly type: "lost"; readonly reason: string }
  /** Another gateway is there. */
  | { readonly type: "found"; readonly gateway: string }
  /** Once for each `found`. */
  | { readonly type: "gone"; readonly gateway: string; readonly reason: string };

/** A connection that a gateway was asked for. */
export interface Asked {
  /** Counts up. */
  readonly id: number;
  readonly front: Front;
  /** "ip:port" of who asked. */
  readonly client: string;
  /** Who it is; empty where nobody was asked. */
  readonly user: string;
  readonly group: string;
  readonly target: TunnelTarget;
  /** What he was let in by; he has no connection any more once that is over. */
  readonly pass?: Pass;
  /** What he may have, before what all users may. */
  readonly limits?: Limits;
}

/** A port of the gateway that an agent asked for. */
export interface AskedPort {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly user: string;
  readonly group: string;
}

/** What a gateway tells. No method throws or waits. */
export interface GatewayObserver {
  agentConnected(agent: Agent): void;
  /** Once for each `agentConnected`. */
  agentGone(agent: Agent, end: LinkEnd): void;
  /** Somebody was not let in, as an agent or as a client. */
  authFailed(info: { front: Front | "agent"; remote: string; user: string; reason: string }): void;
  /** Somebody did not speak what is spoken there. */
  wrongProtocol?(info: { front: Front; remote: string; reason: string }): void;
  /** An agent has a port of the gateway that it asked for. */
  portOpened?(info: AskedPort & { target: TunnelTarget }): void;
  /** It has not; all else of it goes on. */
  portRefused?(info: AskedPort & { reason: string }): void;
  /** A client's connection at a port of ours was not taken. */
  clientRefused?(refusal: Refusal): void;
  /** A connection is asked for; then comes `opened` or `refused`. */
  asked?(asked: Asked): void;
  /** That agent did not connect, and the next one is asked. */
  retried?(asked: Asked, info: { agent: Agent; reason: string }): void;
  /** An agent has connected to the target. */
  opened(asked: Asked, info: { agent: Agent; dialMs: number }): void;
  /** Where the bytes of one that was opened are counted as they pass; their sum is in its end. */
  traffic?(asked: Asked): Traffic;
  /** No agent did; `agent` is the last that was tried. */
  refused(asked: Asked, info: { code: TunnelCode; reason: string; agent: Agent | null }): void;
  /** Once for each `opened`. */
  closed(asked: Asked, end: RelayEnd & { agent: Agent; durationMs: number }): void;
  cluster?(news: ClusterNews): void;
  /** Something was thrown that is not the peer's fault but ours. */
  bug(where: string, error: unknown): void;
}
