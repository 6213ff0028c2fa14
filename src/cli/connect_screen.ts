import type { ConnectConfig } from "./connect_flags.ts";
import { type ConnectEvent, format, type Style } from "./connect_format.ts";
import { chunksOf, type Input, inputOf, linesOf } from "./connect_input.ts";
import { fileOutput } from "./connect_output.ts";
import { openTerminal, type Terminal } from "./connect_terminal.ts";
import { loadHistory, saveHistory } from "./connect_history.ts";
import type { Io } from "./io.ts";

/** What is typed or piped in, and where everything is shown. */
export interface Screen {
  /** `null` where stdin is not read. */
  readonly input: Input | null;
  /** Whether lines are typed. */
  readonly isTyped: boolean;
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
  const isTyped = Deno.stdin.isTerminal() && isScreen && !config.json;
  const style = styleOf(config, { isScreen, isTyped, env: io.env });
  const stop = Promise.withResolvers<void>();
  void io.untilStopped().then(() => stop.resolve());
  const history = await loadHistory(config.historyFile, HISTORY_SIZE);
  const terminal = isTyped ? terminalOf(history, style, stop.resolve) : null;
  const output = terminal?.output ?? fileOutput(Deno.stdout);
  void output.gone.then(() => stop.resolve());
  return {
    input: inputFor(config, terminal),
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
  { isScreen, isTyped, env }: { isScreen: boolean; isTyped: boolean; env: Io["env"] },
): Style {
  const { json, timestamps, binary, base64, showPingPong, printRtts, noColor } = config;
  return {
    ...{ json, timestamps, binary, base64, showPingPong, printRtts, isScreen },
    color: isTyped && !noColor && !env.NO_COLOR && env.TERM !== "dumb",
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

function inputFor({ execute, binary }: ConnectConfig, terminal: Terminal | null): Input | null {
  if (terminal !== null) return inputOf(terminal.lines);
  // What -x says is all there is to say: stdin may be one that never ends.
  if (execute.length > 0) return null;
  const chunks = chunksOf(Deno.stdin);
  return inputOf(binary && !Deno.stdin.isTerminal() ? chunks : linesOf(chunks));
}
