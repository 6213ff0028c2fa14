import { collect, trim } from "../net/memory.ts";

/** By then what serves has begun to. */
const AFTER_MS = 5_000;
/** Where there is more, somebody is served already, and would wait for it. */
const MAX_HEAP_BYTES = 32 * 1024 * 1024;

/**
 * Soon gives back what the start took, which is more than what serves needs: V8 and the allocator
 * keep it as long as nothing asks them. Gives what calls that off.
 */
export function giveBackSoon(): () => void {
  const timer = setTimeout(() => {
    if (Deno.memoryUsage().heapUsed > MAX_HEAP_BYTES) return;
    collect();
    trim();
  }, AFTER_MS);
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}
