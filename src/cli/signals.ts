/** What asks the process to end. Windows has no SIGTERM; Ctrl+Break comes nearest. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/**
 * Calls `listener` at each of `STOP_SIGNALS`, and when the terminal closes; they no longer end the
 * process, until released.
 */
export function onStopSignal(listener: (signal: Deno.Signal) => void): () => void {
  const releases = STOP_SIGNALS.map((signal) => onSignal(signal, () => listener(signal)));
  releases.push(onHangup({ closed: () => listener("SIGHUP") }));
  return () => releases.forEach((release) => release());
}

/**
 * Calls `asked` at a SIGHUP that somebody sent, for a service to read its files again, and `closed`
 * at the one of a terminal that closes. Neither ends the process, until released. Windows has none.
 */
export function onHangup(
  { asked = () => {}, closed = () => {} }: { asked?: () => void; closed?: () => void },
): () => void {
  if (Deno.build.os === "windows") return () => {};
  const hadTerminal = Deno.stdin.isTerminal();
  return onSignal("SIGHUP", () => hadTerminal && !Deno.stdin.isTerminal() ? closed() : asked());
}

/** What a command says of such a SIGHUP that has no files. */
export const NOTHING_TO_REREAD = "h3ws: SIGHUP: there are no files to read again\n";

function onSignal(signal: Deno.Signal, handler: () => void): () => void {
  Deno.addSignalListener(signal, handler);
  return () => Deno.removeSignalListener(signal, handler);
}

// Ctrl+C comes twice under `deno task`: from the terminal, and handed on by the task.
const TWICE_MS = 250;

// signal(7); 128 and the number is how shells tell of a process that a signal ended.
const NUMBER: Partial<Record<Deno.Signal, number>> = { SIGINT: 2, SIGTERM: 15, SIGBREAK: 21 };

/**
 * Resolves at the first of `STOP_SIGNALS`, or when the terminal closes. One that comes later, and
 * is not the same Ctrl+C once more, ends the process at once with 128 and the signal's number.
 */
export function untilStopSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    let state: "waiting" | "stopping" | "final" = "waiting";
    onStopSignal((signal) => {
      // A shell hands on what its terminal said already.
      if (signal === "SIGHUP" && state !== "waiting") return;
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
