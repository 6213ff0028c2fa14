import * as readline from "node:readline";
import process from "node:process";
import type { Output } from "./connect_output.ts";

/** Lines that are typed, with what comes above them. */
export interface Terminal {
  readonly lines: AsyncIterable<string>;
  /** Resolves at Ctrl+D, though lines may wait to be taken. */
  readonly ended: Promise<void>;
  /** Writes above the line that is being typed. */
  readonly output: Output;
  /** The same for what is no message. */
  print(text: string): void;
  /** The lines that were typed, the last one first. */
  readonly history: readonly string[];
  /** Gives the terminal back as it was. */
  close(): void;
}

export interface TerminalOptions {
  /** Of earlier, the last one first. */
  readonly history: readonly string[];
  readonly historySize: number;
  readonly prompt: string;
  /** Ctrl+C. */
  readonly onInterrupt: () => void;
}

/** Lines that were typed while nobody took any. */
export const MAX_WAITING_LINES = 1000;

/** Edits lines on the terminal of stdin and stdout. */
export function openTerminal(options: TerminalOptions): Terminal {
  const { history, historySize, prompt, onInterrupt } = options;
  const typed = readline.createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    removeHistoryDuplicates: true,
    history: [...history],
    ...{ historySize, prompt },
  });
  let kept: readonly string[] = history;
  let isOpen = true;
  typed.on("history", (lines: string[]) => kept = [...lines]);
  typed.on("SIGINT", onInterrupt);
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  typed.on("close", () => {
    // What is shown from now on begins where the prompt did.
    clearLine(typed);
    isOpen = false;
    end();
  });
  const print = (data: string | Uint8Array) => {
    if (isOpen) clearLine(typed);
    process.stdout.write(data);
    if (isOpen) typed.prompt(true);
  };
  typed.prompt();
  return {
    lines: linesOf(typed),
    ended,
    output: {
      gone: new Promise(() => {}),
      write: (data) => Promise.resolve(print(data)),
    },
    print,
    get history() {
      return kept;
    },
    close: () => typed.close(),
  };
}

/** What is being typed may go over several rows of the screen. */
function clearLine(typed: readline.Interface): void {
  readline.moveCursor(process.stdout, 0, -typed.getCursorPos().rows);
  readline.cursorTo(process.stdout, 0);
  readline.clearScreenDown(process.stdout);
}

/** An iterator that has each line from the start on, also before it is asked. */
function linesOf(typed: readline.Interface): AsyncIterable<string> {
  const waiting: string[] = [];
  let wake = () => {};
  let isOver = false;
  typed.on("line", (line) => {
    waiting.push(line);
    if (waiting.length >= MAX_WAITING_LINES) typed.pause();
    typed.prompt();
    wake();
  });
  typed.on("close", () => {
    isOver = true;
    wake();
  });
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const line = waiting.shift();
        if (line !== undefined) yield line;
        else if (isOver) return;
        else {
          typed.resume();
          await new Promise<void>((resolve) => wake = resolve);
        }
      }
    },
  };
}
