import { NetError } from "./error.ts";

/** How long its port may stay taken behind a server that is closed. */
const PATIENCE_MS = 5_000;
const AGAIN_MS = 20;
/** Never touched, and so no memory; V8 collects for it. */
const URGE_BYTES = 64 * 1024 * 1024;

/**
 * What `listen` gives, which listens where a server of ours did that is closed: its UDP socket is
 * there until it is collected (see quic.ts), so a port that is taken is tried again for a while.
 */
export async function listenAgain<T>(listen: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  while (true) {
    try {
      return await listen();
    } catch (error) {
      const taken = error instanceof NetError && error.kind === "in_use";
      if (!taken || performance.now() >= endMs) throw error;
    }
    new ArrayBuffer(URGE_BYTES, { maxByteLength: URGE_BYTES });
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
