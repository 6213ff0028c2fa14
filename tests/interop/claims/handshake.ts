import { type MeasureOptions, onGround } from "./path.ts";
import type { WebSocketHandler } from "../../../src/server/exchange.ts";
import type { HttpVersion } from "../../../src/ingress/offer.ts";

/** Round trips from `connectWebSocket` to the open socket. */
export interface RoundTrips {
  http: HttpVersion;
  /** Where nothing is open yet. */
  first: number;
  /** With the first still open. */
  second: number;
}

/** Long beside what either side takes to answer, so that a flight stays together. */
const DELAY_MS = 80;

/** Opens two sockets, one after the other. */
export function measureRoundTrips({ kind, http }: MeasureOptions): Promise<RoundTrips> {
  return onGround({ kind, http, delayMs: DELAY_MS, handler }, async ({ path, connect }) => {
    const open = async () => {
      await path.reset();
      const socket = await connect();
      return { socket, trips: await path.trips() };
    };
    const first = await open();
    const second = await open();
    // RFC 9110 §7.8: a connection of HTTP/1.1 is one socket's alone, and the next needs its own.
    const hidden = { first: path.hiddenTrips, second: http === "1.1" ? path.hiddenTrips : 0 };
    await Promise.all([first, second].map(({ socket }) => socket.close()));
    return { http, first: first.trips + hidden.first, second: second.trips + hidden.second };
  });
}

const handler: WebSocketHandler = async (request) => {
  const socket = await request.accept();
  for await (const message of socket) await socket.send(message);
};
