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

// signal(7); 128 and the number is how shells tell of a process that a signal ended.
const NUMBER: Partial<Record<Deno.Signal, number>> = { SIGINT: 2, SIGTERM: 15, SIGBREAK: 21 };

/**
 * Resolves at the first of `STOP_SIGNALS`. One that comes later, and is not the same Ctrl+C once
 * more, ends the process at once with 128 and the signal's number.
 */
export function untilStopSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    let state: "waiting" | "stopping" | "final" = "waiting";
    onStopSignal((signal) => {
      if (state === "final") Deno.exit(128 + (NUMBER[signal] ?? 0));
      if (state === "stopping") return;
      state = "stopping";
      // What came while the event loop was busy is heard before the last timer.
      const later = () => Deno.unrefTimer(setTimeout(() => state = "final", 0));
      Deno.unrefTimer(setTimeout(later, TWICE_MS));
      resolve(signal);
    });
  });
}
