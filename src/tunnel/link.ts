import type { ByteStream } from "../net/byte_stream.ts";
import type { CancelSignal } from "../net/cancel.ts";
import type { Asked } from "./observer.ts";
import type { TunnelTarget } from "./target.ts";

/**
 * What carries a link: QUIC streams, frames over a WebSocket, or the JSON messages. By "nats" it is
 * another gateway that is linked, and not an agent.
 */
export type LinkTransport = "quic" | "ws/3" | "ws/2" | "ws/1.1" | "json" | "nats";

/** How a link ended. */
export interface LinkEnd {
  /** `us` for the side that tells of it. */
  readonly by: "us" | "peer" | "lost";
  readonly reason: string;
}

/** The way between a gateway and one agent, whose AUTH was taken. */
export interface Link {
  readonly transport: LinkTransport;
  /** Connections through it that are open or being opened. */
  readonly streams: number;
  /** Resolves when it is gone and all its streams with it. Never rejects. */
  readonly closed: Promise<LinkEnd>;
  /** Ends it and all its streams; the peer is told why. */
  close(reason: string): void;
  /** Agent: tells the gateway to ask for nothing more, where the messages have a word for it. */
  drain(forMs: number): void;
}

/** As the gateway has it. */
export interface GatewayLink extends Link {
  /**
   * Resolves once nothing more can come of it, which may be before `closed`: the peer is told, and
   * its answer is waited for. Never rejects.
   */
  readonly over: Promise<LinkEnd>;
  /** Whether the agent has said that it takes no new streams. */
  readonly isDraining: boolean;
  /**
   * Has the agent connect to `target`. An abort of `signal` gives it up.
   *
   * @param asked who wants it: what another gateway is told
   * @throws {TunnelRefused} when the agent can't or won't
   * @throws {NetError} when the link is lost before it answers
   */
  open(target: TunnelTarget, signal: CancelSignal, asked?: Asked): Promise<ByteStream>;
}

/** How an agent connects to a target; throws `TunnelRefused`. */
export type ConnectTarget = (target: TunnelTarget, signal: CancelSignal) => Promise<ByteStream>;
