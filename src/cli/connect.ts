import { type Command, CommandError, defineCommand, ExitCode } from "./command.ts";
import { controlHooks } from "./connect_control.ts";
import { courseOf } from "./connect_course.ts";
import { delayBefore, EXIT_CODES, exitCodeOf, isWorthAnother } from "./connect_end.ts";
import { type Attempt, explain, isWorthRetrying } from "./connect_explain.ts";
import { checkConnect, type ConnectConfig, connectFlags, versionOf } from "./connect_flags.ts";
import { open, type Opened, type Plan, proxyOf, Ways } from "./connect_open.ts";
import { planOf } from "./connect_plan.ts";
import { openScreen, type Screen, tellUnsent } from "./connect_screen.ts";
import { Session, type SessionEnd } from "./connect_session.ts";
import { LISTED } from "./listed.ts";

/** `h3ws connect`: talk to a WebSocket, by hand or through pipes. */
export const connectCommand: Command = defineCommand({
  ...LISTED.connect,
  flags: connectFlags,
  positional: "url",
  notes: [{ title: "Exit codes, by the code of the Close", rows: EXIT_CODES }],
  async run(config, io) {
    checkConnect(config);
    const http = versionOf(config);
    if (config.listen !== null) {
      const { listenAndTalk } = await import("./connect_listen.ts");
      return await listenAndTalk(config, config.listen, io);
    }
    const plan = await planOf(config, http, io.env);
    const screen = await openScreen(config, io);
    try {
      return await new Connecting(plan, config, screen).run();
    } finally {
      await screen.close();
    }
  },
});

const STABLE_MS = 5_000;

/** One WebSocket, or with --reconnect one after the other. */
class Connecting {
  readonly #plan: Plan;
  readonly #config: ConnectConfig;
  readonly #screen: Screen;
  readonly #controller = new AbortController();
  readonly #ways = new Ways();
  /** Attempts in a row that came to nothing. */
  #failed = 0;

  constructor(plan: Plan, config: ConnectConfig, screen: Screen) {
    this.#plan = plan;
    this.#config = config;
    this.#screen = screen;
    void screen.stopped.then(() => this.#controller.abort());
  }

  get #isStopped(): boolean {
    return this.#controller.signal.aborted;
  }

  /** The exit code. */
  async run(): Promise<number> {
    const { reconnect } = this.#config;
    for (let before: number | null = null;;) {
      const ended = await this.#once();
      if (ended === null) {
        if (this.#isStopped) return this.#stoppedUnopened(before);
      } else {
        before = exitCodeOf(ended.end.code);
        const isDone = ended.isMeant || this.#isStopped || !isWorthAnother(ended.end);
        if (!reconnect || isDone) return this.#isStopped ? ExitCode.OK : before;
      }
      await this.#pause();
      if (this.#isStopped) return this.#stoppedUnopened(before);
    }
  }

  #stoppedUnopened(before: number | null): number {
    if (before !== null) return ExitCode.OK;
    throw new CommandError(`Ended before a WebSocket to ${this.#plan.url} was open`);
  }

  /** `null` where it could not be opened, but may be yet. */
  async #once(): Promise<SessionEnd | null> {
    const ownPings = new Set<string>();
    const opened = await this.#open(ownPings);
    if (opened === null) return null;
    const { emit, input, stopped } = this.#screen;
    const openedMs = performance.now();
    await emit({ type: "open", open: opened.about });
    const course = courseOf(this.#config, this.#screen.isTyped);
    const session = new Session(opened.socket, course, { input, emit, stopped, ownPings });
    const ended = await session.run();
    await emit({ type: "close", end: ended.end });
    if (performance.now() - openedMs >= STABLE_MS) this.#failed = 0;
    return ended;
  }

  async #open(ownPings: ReadonlySet<string>): Promise<Opened | null> {
    const { emit } = this.#screen;
    let tried = this.#plan;
    try {
      return await open(this.#plan, {
        ways: this.#ways,
        onTry: (plan) => tried = plan,
        signal: this.#controller.signal,
        ...controlHooks(emit, ownPings),
      });
    } catch (error) {
      if (this.#isStopped) return null;
      const text = explain(error, attemptOf(tried, this.#config));
      if (!this.#config.reconnect || !isWorthRetrying(error)) throw new CommandError(text);
      await emit({ type: "note", text });
      return null;
    }
  }

  async #pause(): Promise<void> {
    const ms = delayBefore(this.#failed++, Math.random);
    const seconds = (ms / 1000).toFixed(1);
    await this.#screen.emit({ type: "note", text: `connecting again in ${seconds} s` });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isGivenUp = await Promise.race([
      new Promise<void>((resolve) => timer = setTimeout(resolve, ms)),
      this.#screen.stopped,
      this.#screen.ended.then(() => true),
    ]);
    clearTimeout(timer);
    if (!isGivenUp) return;
    this.#controller.abort();
    await tellUnsent(this.#screen);
  }
}

function attemptOf(plan: Plan, { caFile }: ConnectConfig): Attempt {
  const { url, http, timeoutMs } = plan;
  const proxy = proxyOf(plan);
  return {
    ...{ url, http, caFile, timeoutMs },
    proxy: proxy === null ? null : `${proxy.hostname}:${proxy.port}`,
  };
}
