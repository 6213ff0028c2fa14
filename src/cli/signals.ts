/** What asks the process to end. Windows has no SIGTERM; Ctrl+Break comes nearest. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/** Calls `listener` at each of `STOP_SIGNALS`, which no longer end the process, until released. */
export function onStopSignal(listener: (signal: Deno.Signal) => void): () => void {
  const handlers = STOP_SIGNALS.map((signal) => ({ signal, handler: () => listener(signal) }));
  for (const { signal, handler } of handlers) Deno.addSignalListener(signal, handler);
  return () => {
    for (const { signal, handler } of handlers) Deno.removeSignalListener(signal, handler);
  };
}

// Ctrl+C comes twice under `deno task`: from the terminal, and handed on by the task.
const TWICE_MS = 250;

/** Resolves at the first of `STOP_SIGNALS`. One that comes later ends the process, as ever. */
export function untilStopSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    let stopped = false;
    const release = onStopSignal((signal) => {
      if (stopped) return;
      stopped = true;
      Deno.unrefTimer(setTimeout(release, TWICE_MS));
      resolve(signal);
    });
  });
}
