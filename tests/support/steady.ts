const STEADY_MS = 300;
const STEP_MS = 20;
const PATIENCE_MS = 30_000;

/**
 * Resolves with a number that has begun to grow and grows no more: what stands still tells no event.
 */
export async function steady(
  what: string,
  read: () => number | Promise<number>,
): Promise<number> {
  const endMs = performance.now() + PATIENCE_MS;
  let last = 0;
  let sinceMs = performance.now();
  for (;;) {
    const now = await read();
    const nowMs = performance.now();
    if (now === last && now > 0 && nowMs - sinceMs >= STEADY_MS) return now;
    if (nowMs > endMs) throw new Error(`Waited ${PATIENCE_MS} ms for a stand of: ${what}`);
    if (now !== last) [last, sinceMs] = [now, nowMs];
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
