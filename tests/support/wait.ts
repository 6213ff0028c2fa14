/** Far above what anything here takes, for machines under load. */
const DEADLINE_MS = 9_000;
const POLL_MS = 10;

/** The outcome of `work`, or an error that says what was waited for. */
export async function within<T>(
  what: string,
  work: Promise<T>,
  deadlineMs: number = DEADLINE_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For what has no event: looks again and again until `holds`. */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  deadlineMs: number = DEADLINE_MS,
): Promise<void> {
  const atMs = performance.now() + deadlineMs;
  while (!await holds()) {
    if (performance.now() > atMs) {
      throw new Error(`Waited in vain for ${typeof what === "string" ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
