import type { Traffic } from "../protocol/websocket/traffic.ts";

/** All bytes of a chunk. */
export interface PassEvent {
  readonly type: "pass";
  readonly bytes: Uint8Array;
}

/**
 * Stands where a WebSocket has its `Meter`, for tunnels of which nothing is known but their bytes:
 * they pass as they come, and nothing of the proxy's own can be put between them.
 */
export class Passthrough {
  readonly messages = 0;
  readonly frames = 0;
  readonly closed = false;
  readonly atBoundary = false;
  bytes = 0;
  readonly #traffic: Traffic;
  #chunk: Uint8Array | null = null;

  constructor(traffic: Traffic) {
    this.#traffic = traffic;
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
  }

  next(): PassEvent | null {
    const chunk = this.#chunk;
    if (chunk === null) return null;
    this.#chunk = null;
    this.bytes += chunk.length;
    this.#traffic.bytes += chunk.length;
    return { type: "pass", bytes: chunk };
  }
}
