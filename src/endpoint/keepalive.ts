import { Sweeper } from "../net/sweeper.ts";

/**
 * Pings of a socket's own, which find out that its peer is gone. While a message waits that nobody
 * takes no Pong can be heard; then a peer is gone to which no Ping can be written.
 */
export interface Keepalive {
  /** A Ping goes after so long without a byte from the peer; 0 for none. */
  pingIntervalMs: number;
  /** How long anything may take to come behind it; then the socket ends with 1006. 0 for any time. */
  pongTimeoutMs: number;
}

export interface KeptSocket {
  /** The timer that many sockets share; one of its own if left out. */
  sweeper?: Sweeper;
  /** How many chunks have come from the peer, and whether none is read as a message waits. */
  inbox: { readonly chunks: number; readonly stalled: boolean };
  /** Sends a Ping. */
  ping: () => void;
  /** Sends one whose Pong nobody will hear: where it can't be sent, the peer is gone. */
  probe: () => void;
  /** Called when the peer is taken for dead. */
  lost: (reason: string) => void;
}

/** Sends a Ping when it is due, and tells when nothing came behind it, until it is stopped. */
export function keepAlive(keepalive: Keepalive | undefined, socket: KeptSocket): () => void {
  if (keepalive === undefined || keepalive.pingIntervalMs === 0) return () => {};
  const { pingIntervalMs } = keepalive;
  const pongTimeoutMs = keepalive.pongTimeoutMs || Infinity;
  const sweeper = socket.sweeper ?? new Sweeper(Math.min(pingIntervalMs, pongTimeoutMs) / 4);
  let chunks = 0;
  let heardMs = sweeper.nowMs;
  let pingedMs: number | null = null;
  let late = false;
  const heard = (nowMs: number) => {
    chunks = socket.inbox.chunks;
    heardMs = nowMs;
    pingedMs = null;
    late = false;
  };
  const entry = {
    sweep(nowMs: number): void {
      // RFC 6455 §5.4: a Pong may wait for the end of a frame: whatever comes tells that it is
      // there.
      if (socket.inbox.chunks !== chunks) return heard(nowMs);
      // Where nobody reads nothing can come: that is no fault of the peer.
      if (socket.inbox.stalled) {
        if (nowMs - heardMs < pingIntervalMs) return;
        heard(nowMs);
        return socket.probe();
      }
      if (pingedMs === null) {
        if (nowMs - heardMs < pingIntervalMs) return;
        pingedMs = nowMs;
        socket.ping();
      } else if (nowMs - pingedMs >= pongTimeoutMs) {
        // Once more: a process that was stopped has not read yet what came meanwhile.
        if (late) socket.lost(`no Pong within ${pongTimeoutMs} ms`);
        late = true;
      }
    },
  };
  sweeper.add(entry);
  return () => {
    sweeper.delete(entry);
    if (socket.sweeper === undefined) sweeper.stop();
  };
}
