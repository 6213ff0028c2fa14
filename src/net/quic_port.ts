import { collect } from "./memory.ts";

/** Each wait is twice as long as the one before. */
const FIRST_WAIT_MS = 5;
/** Connections that were closed live on for three probe timeouts (RFC 9000 §10.2). */
const LAST_WAIT_MS = 640;

/**
 * Resolves when the UDP port of a server that is closed is free, or nothing frees it: its socket is
 * there until it is collected (see quic.ts), which takes some 20 to 100 ms of the event loop.
 */
export async function portFreed(at: { hostname: string; port: number }): Promise<void> {
  for (let waitMs = FIRST_WAIT_MS; waitMs <= LAST_WAIT_MS; waitMs *= 2) {
    // What is on the stack is not collected.
    await new Promise((resolve) => setTimeout(resolve, 0));
    collect();
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (isFree(at)) return;
  }
}

function isFree({ hostname, port }: { hostname: string; port: number }): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.AddrInUse);
  }
}
