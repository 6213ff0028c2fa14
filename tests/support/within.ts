/** Far above what anything here takes, for machines under load. */
const DEADLINE_MS = 20_000;

/** The outcome of `work`, or an error that says what was waited for. */
export async function within<T>(
  what: string,
  work: Promise<T>,
  deadlineMs: number = DEADLINE_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${deadlineMs} ms for: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
