import type { ConnectConfig } from "./connect_flags.ts";
import { type ConnectEvent, format, type Style } from "./connect_format.ts";
import { chunksOf, type Input, inputOf, linesOf, readAhead } from "./connect_input.ts";
import { fileOutput } from "./connect_output.ts";
import { MAX_WAITING_LINES, openTerminal, type Terminal } from "./connect_terminal.ts";
import { loadHistory, saveHistory } from "./connect_history.ts";
import type { Io } from "./io.ts";

/** What is typed or piped in, and where everything is shown. */
export interface Screen {
  /** `null` where stdin is not read. */
  readonly input: Input | null;
  /** Whether lines are typed: on a terminal. */
  readonly isTyped: boolean;
  /** Resolves at Ctrl+D, though lines before it may wait to be sent; never where none are typed. */
  readonly ended: Promise<void>;
  emit(event: ConnectEvent): Promise<void>;
  /** Resolves at Ctrl+C or a signal, and when nobody reads stdout any more. */
  readonly stopped: Promise<void>;
  close(): Promise<void>;
}

// As shells tell of a process that Ctrl+C ended.
const INTERRUPTED = 130;
const HISTORY_SIZE = 1000;

/** Opens stdin and stdout: with line editing where both are a terminal. */
export async function openScreen(config: ConnectConfig, io: Io): Promise<Screen> {
  const isScreen = Deno.stdout.isTerminal();
  const isTyped = Deno.stdin.isTerminal();
  const isEdited = isTyped && isScreen && !config.json;
  const style = styleOf(config, { isScreen, isEdited, env: io.env });
  const stop = Promise.withResolvers<void>();
  void io.untilStopped().then(() => stop.resolve());
  const history = await loadHistory(config.historyFile, HISTORY_SIZE);
  const terminal = isEdited ? terminalOf(history, style, stop.resolve) : null;
  const output = terminal?.output ?? fileOutput(Deno.stdout);
  void output.gone.then(() => stop.resolve());
  return {
    ...inputFor(config, terminal),
    isTyped,
    stopped: stop.promise,
    async emit(event) {
      const shown = format(event, style, new Date());
      if (shown === null) return;
      if (shown.to === "out") await output.write(shown.data);
      else if (terminal !== null) terminal.print(String(shown.data));
      else io.err(String(shown.data));
    },
    async close() {
      if (terminal === null) return;
      terminal.close();
      await saveHistory(config.historyFile, terminal.history);
    },
  };
}

function styleOf(
  config: ConnectConfig,
  { isScreen, isEdited, env }: { isScreen: boolean; isEdited: boolean; env: Io["env"] },
): Style {
  const { json, timestamps, binary, base64, showPingPong, printRtts, noColor } = config;
  return {
    ...{ json, timestamps, binary, base64, showPingPong, printRtts, isScreen },
    color: isEdited && !noColor && !env.NO_COLOR && env.TERM !== "dumb",
  };
}

function terminalOf(history: readonly string[], { color }: Style, stop: () => void): Terminal {
  let interrupts = 0;
  const terminal = openTerminal({
    history,
    historySize: HISTORY_SIZE,
    prompt: color ? "\x1b[32m>\x1b[0m " : "> ",
    onInterrupt() {
      if (++interrupts === 1) return stop();
      terminal.close();
      Deno.exit(INTERRUPTED);
    },
  });
  return terminal;
}

const NEVER = new Promise<void>(() => {});

function inputFor(
  { execute, binary }: ConnectConfig,
  terminal: Terminal | null,
): Pick<Screen, "input" | "ended"> {
  if (terminal !== null) return { input: inputOf(terminal.lines), ended: terminal.ended };
  // What -x says is all there is to say: stdin may be one that never ends.
  if (execute.length > 0) return { input: null, ended: NEVER };
  const chunks = chunksOf(Deno.stdin);
  if (!Deno.stdin.isTerminal()) {
    return { input: inputOf(binary ? chunks : linesOf(chunks)), ended: NEVER };
  }
  const { items, ended } = readAhead(linesOf(chunks), MAX_WAITING_LINES);
  return { input: inputOf(items), ended };
}

/** Behind `ended`: shows each line that was typed and that nobody was there to take. */
export async function tellUnsent({ input, emit }: Screen): Promise<void> {
  for (let line = await input?.peek(); typeof line === "string"; line = await input?.peek()) {
    await emit({ type: "note", text: `not sent: ${line}` });
    input?.take();
  }
}
