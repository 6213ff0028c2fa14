/** How long anything may take on a machine that does much else. */
const PATIENCE_MS = 30_000;

/**
 * Polls until `test` holds; throws after `patienceMs`. For what tells no event: a number in
 * /metrics, a socket in the kernel's table.
 */
export async function until(
  what: string,
  test: () => boolean | Promise<boolean>,
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!await test()) {
    if (performance.now() > endMs) throw new Error(`Waited ${patienceMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
