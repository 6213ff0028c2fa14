import { ListenError } from "../ingress/listen.ts";
import { type Address, formatAddress } from "../net/address.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import type { WebSocketRequest } from "../server/request.ts";
import { serve, type Server } from "../server/server.ts";
import { CommandError, ExitCode, IN_USE } from "./command.ts";
import { controlHooks } from "./connect_control.ts";
import { courseOf } from "./connect_course.ts";
import type { ConnectConfig } from "./connect_flags.ts";
import type { ConnectEvent } from "./connect_format.ts";
import { openScreen, type Screen, tellUnsent } from "./connect_screen.ts";
import { type Course, Session } from "./connect_session.ts";
import type { Io } from "./io.ts";

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_HEADER_BYTES = 64 * 1024;
// Who types takes all the time in the world.
const NEVER_MS = 2 ** 31 - 1;

/** `h3ws connect --listen`: what is typed goes to every client; the exit code. */
export async function listenAndTalk(
  config: ConnectConfig,
  address: Address,
  io: Io,
): Promise<number> {
  const screen = await openScreen(config, io);
  const hall = new Hall(config, screen);
  try {
    const server = await hall.listen(address);
    const { hostname } = address;
    const url = `ws://${formatAddress({ hostname, port: server.plainPort! })}/`;
    await screen.emit({ type: "note", text: `listening on ${url}` });
    try {
      await hall.run();
    } finally {
      await server.stop();
    }
    return ExitCode.OK;
  } finally {
    await screen.close();
  }
}

/** All clients that are there. */
class Hall {
  readonly #config: ConnectConfig;
  readonly #screen: Screen;
  readonly #sessions = new Map<Session, Promise<void>>();
  #count = 0;
  #entered = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();

  constructor(config: ConnectConfig, screen: Screen) {
    this.#config = config;
    this.#screen = screen;
  }

  /** Throws `CommandError` where the address can't be had. */
  async listen(address: Address): Promise<Server> {
    const note = (text: string) => void this.#screen.emit({ type: "note", text });
    try {
      return await serve({
        ...{ listen: null, plainListen: address, readTimeoutMs: NEVER_MS },
        ...{ maxFrameBytes: MAX_BYTES, maxMessageBytes: MAX_BYTES },
        maxHeaderBytes: MAX_HEADER_BYTES,
        log: {
          info() {},
          warning() {},
          error: (event, fields) => note(`${event}: ${fields?.error}`),
        },
        observer: {
          rejected: ({ client, status, message }) =>
            note(`${client}: answered ${status}, ${message}`),
          failed: (_stage, message, client) => note(`${client}: ${message}`),
        },
      }, (request) => this.#take(request));
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      const why = error.kind === "in_use" ? `${IN_USE}; --listen names another` : error.message;
      throw new CommandError(`Cannot listen on ${formatAddress(address)}: ${why}`);
    }
  }

  /** Resolves when it was stopped and every client is told. */
  async run(): Promise<void> {
    const failed = new Promise<never>((_, reject) => this.#talk().catch(reject));
    void this.#screen.stopped.then(() => this.#ended.resolve());
    try {
      await Promise.race([this.#ended.promise, failed]);
    } finally {
      this.#ended.resolve();
      await Promise.all(this.#sessions.values());
    }
  }

  /** What is typed waits for a first client. */
  async #talk(): Promise<void> {
    const { input, isTyped } = this.#screen;
    while (input !== null) {
      const piece = await input.peek();
      if (piece === null) {
        if (isTyped || this.#config.exitOnEof) this.#ended.resolve();
        return;
      }
      if (!await this.#someone()) {
        await tellUnsent(this.#screen);
        return this.#ended.resolve();
      }
      await Promise.all([...this.#sessions.keys()].map((session) => session.say(piece)));
      input.take();
    }
  }

  /** Waits until somebody is there; whether that was before Ctrl+D. */
  async #someone(): Promise<boolean> {
    const isOver = this.#screen.ended.then(() => true);
    while (this.#sessions.size === 0) {
      if (await Promise.race([this.#entered.promise, isOver])) return false;
    }
    return true;
  }

  async #take(request: WebSocketRequest): Promise<void> {
    const { subprotocols, client: { address, port }, httpVersion: http } = request;
    const protocol = this.#config.subprotocols.find((name) => subprotocols.includes(name)) ?? "";
    const from = `#${++this.#count}`;
    const ownPings = new Set<string>();
    const emit = (event: ConnectEvent) => this.#screen.emit({ ...event, from });
    const socket = await request.accept({ protocol, ...controlHooks(emit, ownPings) });
    const client = formatAddress({ hostname: address, port });
    await emit({ type: "enter", from, enter: { client, http, protocol } });
    const course = { ...courseOf(this.#config, true), ...this.#ends() };
    const session = new Session(socket, course, {
      ...{ input: null, ownPings, stopCode: CloseCode.GOING_AWAY },
      ...{ stopped: this.#ended.promise, emit },
    });
    const over = session.run().then(({ end }) => emit({ type: "close", end }));
    this.#sessions.set(session, over);
    this.#entered.resolve();
    await over;
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#entered = Promise.withResolvers();
  }

  /** What is sent first ends a client's socket only if --wait says so. */
  #ends(): Pick<Course, "waitMs"> {
    return { waitMs: { behindExecute: this.#config.waitMs ?? Infinity, behindInput: Infinity } };
  }
}
