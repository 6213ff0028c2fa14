import type { Sweeper } from "../net/sweeper.ts";

/** After so many intervals without a word the gateway is gone. */
const PATIENCE = 3;

export interface JsonHeartbeat {
  sweeper: Sweeper;
  pingMs: number;
  /** Counts up while anything comes, and odd while what came is worked on. */
  heard: () => number;
  /** `timestamp`: seconds since 1970. */
  ping: (timestamp: number) => void;
  /** Nothing came for too long. */
  lost: (reason: string) => void;
}

/** Sends the "ping" of an agent when it is due, and tells of silence, until it is stopped. */
export function keepJsonAlive(options: JsonHeartbeat): () => void {
  const { sweeper, pingMs, heard, ping, lost } = options;
  let pingedMs = performance.now();
  let heardMs = pingedMs;
  let count = heard();
  const entry = {
    sweep(nowMs: number): void {
      const now = heard();
      // Where we do not read it is no fault of the gateway's.
      if (now !== count || now % 2 === 1) heardMs = nowMs;
      count = now;
      if (nowMs - heardMs >= PATIENCE * pingMs) {
        return lost(`nothing came for ${PATIENCE * pingMs} ms`);
      }
      if (nowMs - pingedMs < pingMs) return;
      pingedMs = nowMs;
      ping(Math.floor(Date.now() / 1000));
    },
  };
  sweeper.add(entry);
  return () => sweeper.delete(entry);
}
