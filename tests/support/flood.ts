// Senders that push as much as they are let, and count what was taken from them.
import { once } from "node:events";
import { fromBackend, fromClient } from "./frames.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { BackendConn } from "./backend.ts";

export interface Flood {
  /** Bytes that were taken so far. */
  readonly taken: number;
  /** Resolves when all was taken, or the way broke. */
  readonly ended: Promise<void>;
}

const PAYLOAD = new Uint8Array(64 * 1024);

/** A backend sends `bytes` of frames; each is waited for. */
export function floodClient({ socket }: BackendConn, bytes: number): Flood {
  const frame = fromBackend.frame(Opcode.BINARY, PAYLOAD);
  return flood(bytes, async () => {
    if (socket.destroyed) throw new Error("The connection is gone");
    if (!socket.write(frame)) {
      const gone = once(socket, "close").then(() => Promise.reject(new Error("gone")));
      await Promise.race([once(socket, "drain"), gone]);
    }
    return frame.length;
  });
}

/** A client sends `bytes` of frames; each is waited for. */
export function floodBackend(
  write: (bytes: Uint8Array) => Promise<void>,
  bytes: number,
): Flood {
  const frame = fromClient.frame(Opcode.BINARY, PAYLOAD);
  return flood(bytes, async () => {
    await write(frame);
    return frame.length;
  });
}

function flood(bytes: number, push: () => Promise<number>): Flood {
  let taken = 0;
  const run = async () => {
    try {
      while (taken < bytes) taken += await push();
    } catch {
      // The way is broken: `taken` says where.
    }
  };
  const ended = run();
  return {
    get taken() {
      return taken;
    },
    ended,
  };
}

/** Resolves once nothing more was taken for so long. */
export async function stalled(flood: Flood, forMs = 500): Promise<void> {
  for (let last = -1; flood.taken !== last;) {
    last = flood.taken;
    await new Promise((resolve) => setTimeout(resolve, forMs));
  }
}
