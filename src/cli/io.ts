import { untilStopSignal } from "./signals.ts";

/** What a command sees of the process, so that a test can run it in its own. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Columns of the terminal. */
  readonly columns: number;
  /** Resolves when the process is asked to end. */
  untilStopped(): Promise<void>;
}

const COLUMNS = 100;

/** The process itself. */
export function processIo(): Io {
  return {
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
    env: Deno.env.toObject(),
    columns: terminalColumns(),
    untilStopped: async () => {
      await untilStopSignal();
    },
  };
}

function terminalColumns(): number {
  try {
    return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : COLUMNS;
  } catch {
    return COLUMNS;
  }
}

function writeAll(target: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(target.writeSync(bytes));
  } catch {
    // Nobody reads what is written: `h3ws --help | head -1`.
  }
}
