// Head-of-line blocking: what one lost packet does to the other sockets.
import type { Socket } from "../../../src/endpoint/socket.ts";
import type { WebSocketHandler } from "../../../src/server/exchange.ts";
import type { HttpVersion } from "../../../src/ingress/offer.ts";
import { until } from "../../support/until.ts";
import { type Ground, type MeasureOptions, onGround } from "./path.ts";

const SOCKETS = 12;
const DELAY_MS = 30;
/** Far less than a round trip for all of them, and long enough that each goes out alone. */
const GAP_MS = 1;
const ROUNDS = 5;
const MESSAGE_BYTES = 100;
/** With its headers of WebSocket and HTTP/3. */
const LEAST_BYTES = MESSAGE_BYTES + 8;

/** What came of packets that were lost, one at a time. */
export interface Blocking {
  http: HttpVersion;
  sockets: number;
  /** For each packet that was lost: how many messages may have been in it, by its size. */
  lost: number[];
  /** For each: how many other sockets' messages, sent behind it, came only when it had come again. */
  blocked: number[];
}

/**
 * All sockets send one message each, one after the other, and the first one's packet is lost. What
 * arrives before that message was not blocked by it. With `packed` they send all in one turn.
 */
export async function measureBlocking(
  { kind, http, packed = false }: MeasureOptions & { packed?: boolean },
): Promise<Blocking> {
  const arrived: number[] = [];
  const handler = arrivals((index) => arrived.push(index));
  return await onGround({ kind, http, delayMs: DELAY_MS, handler }, async (ground) => {
    const sockets = await openAll(ground);
    const blocking: Blocking = { http, sockets: SOCKETS, lost: [], blocked: [] };
    for (let round = 0; blocking.blocked.length < ROUNDS; round++) {
      // Each is the first once.
      const order = sockets.map((_, i) => (i + round) % SOCKETS);
      arrived.length = 0;
      await ground.path.loseNext();
      const startMs = performance.now();
      for (const index of order) {
        void sockets[index].send(message(index));
        if (!packed) await new Promise((resolve) => setTimeout(resolve, GAP_MS));
      }
      const tookMs = performance.now() - startMs;
      await until("all messages", () => arrived.length === SOCKETS);
      const lost = await ground.path.lost();
      // This machine paused: what is sent when the lost one may have come again shows nothing.
      if (tookMs > 2 * DELAY_MS) continue;
      blocking.lost.push(
        ...lost.map((bytes) => Math.min(SOCKETS, Math.floor(bytes / LEAST_BYTES))),
      );
      blocking.blocked.push(SOCKETS - 1 - arrived.indexOf(order[0]));
    }
    await Promise.all(sockets.map((socket) => socket.close()));
    return blocking;
  });
}

/** The same sockets under steady traffic with losses all the time. */
export interface Latency {
  http: HttpVersion;
  messages: number;
  /** Packets. */
  lost: number;
  /** Messages that arrived before one that was sent earlier. */
  overtook: number;
  /** The share of messages that took half a way longer than the way alone. */
  late: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** What one way of `measureLatency` takes. */
const STEADY_DELAY_MS = 20;
const TICK_MS = 3;
const MESSAGES = 800;
const LOSS = 0.03;
const SEED = 1;
const LATE_MS = STEADY_DELAY_MS / 2;

/** Sockets take turns to send a message at each tick, while a share of the packets is lost. */
export async function measureLatency({ kind, http }: MeasureOptions): Promise<Latency> {
  const sentMs: number[] = [];
  const tookMs: number[] = [];
  const order: number[] = [];
  const handler = arrivals((index) => {
    order.push(index);
    tookMs[index] = performance.now() - sentMs[index];
  });
  return await onGround({ kind, http, delayMs: STEADY_DELAY_MS, handler }, async (ground) => {
    const sockets = await openAll(ground);
    await ground.path.loseShare(LOSS, SEED);
    await ticks(MESSAGES, (index) => {
      sentMs[index] = performance.now();
      void sockets[index % SOCKETS].send(message(index));
    });
    await until("all messages", () => order.length === MESSAGES);
    const lost = (await ground.path.lost()).length;
    await Promise.all(sockets.map((socket) => socket.close()));
    return { ...summary(tookMs), http, messages: MESSAGES, lost, overtook: overtakings(order) };
  });
}

function summary(tookMs: readonly number[]) {
  const sorted = [...tookMs].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1];
  const late = sorted.filter((ms) => ms > STEADY_DELAY_MS + LATE_MS).length / sorted.length;
  return { late, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1) };
}

/** How many came while one that was sent before them was still on its way. */
function overtakings(order: readonly number[]): number {
  let missing = 0;
  const seen = new Set<number>();
  return order.filter((index) => {
    seen.add(index);
    while (seen.has(missing)) missing++;
    return missing < index;
  }).length;
}

function ticks(count: number, act: (index: number) => void): Promise<void> {
  return new Promise((resolve) => {
    let index = 0;
    const timer = setInterval(() => {
      act(index++);
      if (index < count) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
}

/** One by one: so QUIC has found its path's MTU (RFC 8899) before anything is lost. */
async function openAll({ connect }: Ground): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < SOCKETS) sockets.push(await connect());
  return sockets;
}

function message(index: number): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_BYTES);
  new DataView(bytes.buffer).setUint32(0, index);
  return bytes;
}

function arrivals(tell: (index: number) => void): WebSocketHandler {
  return async (request) => {
    const socket = await request.accept();
    for await (const bytes of socket) {
      if (typeof bytes === "string") continue;
      tell(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
    }
  };
}
