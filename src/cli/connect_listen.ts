import { type Address, formatAddress } from "../config/address.ts";
import { Socket } from "../endpoint/socket.ts";
import type { Offer } from "../ingress/offer.ts";
import { TcpDoor } from "../ingress/tcp_door.ts";
import { NetError } from "../net/error.ts";
import { Sweeper } from "../net/sweeper.ts";
import { TcpServer } from "../net/tcp_server.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { CommandError, ExitCode, IN_USE } from "./command.ts";
import { courseOf } from "./connect_course.ts";
import type { ConnectConfig } from "./connect_flags.ts";
import { openScreen, type Screen } from "./connect_screen.ts";
import { openingOf } from "./connect_opening.ts";
import { type Course, Session } from "./connect_session.ts";
import type { Io } from "./io.ts";

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_CONNECTIONS = 1_000;
const TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_HANDSHAKES = 100;
const SWEEP_MS = 1_000;

/** `h3ws connect --listen`: what is typed goes to every client; the exit code. */
export async function listenAndTalk(
  config: ConnectConfig,
  address: Address,
  io: Io,
): Promise<number> {
  const screen = await openScreen(config, io);
  const hall = new Hall(config, screen);
  try {
    const server = hall.listen(address);
    const { hostname } = address;
    const url = `ws://${formatAddress({ hostname, port: server.port })}/`;
    await screen.emit({ type: "note", text: `listening on ${url}` });
    await hall.run();
    await server.close();
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
  listen(address: Address): { port: number; close(): Promise<void> } {
    const sweeper = new Sweeper(SWEEP_MS);
    const ignore = () => {};
    const note = (text: string) => void this.#screen.emit({ type: "note", text });
    const onBug = (_where: string, error: unknown) =>
      note(error instanceof Error ? error.stack ?? error.message : String(error));
    const door = new TcpDoor({
      ...{ sweeper, maxHeaderBytes: MAX_HEADER_BYTES, h2: {} },
      ...{ headTimeoutMs: TIMEOUT_MS, idleTimeoutMs: IDLE_TIMEOUT_MS, writeTimeoutMs: TIMEOUT_MS },
      maxConnections: () => MAX_CONNECTIONS,
      onOffer: (offer) => this.#take(offer),
      onHeadRefused: (status, remote) => note(`${remote}: answered ${status}`),
      onPeerError: (error, remote) => note(`${remote}: ${error.message}`),
      onBug,
      ...{ onConnectionOpened: ignore, onConnectionClosed: ignore, onConnectionRefused: ignore },
    });
    try {
      const server = new TcpServer({
        ...address,
        ...{ proxyProtocol: false, maxHandshakes: MAX_HANDSHAKES, sweeper },
        handshakeTimeoutMs: TIMEOUT_MS,
        onAccept: (conn) => door.take(conn),
        ...{ onRefused: ignore, onBug },
      });
      return {
        port: server.port,
        async close() {
          await server.close();
          door.close();
        },
      };
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
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
      while (this.#sessions.size === 0) await this.#entered.promise;
      await Promise.all([...this.#sessions.keys()].map((session) => session.say(piece)));
      input.take();
    }
  }

  async #take(offer: Offer): Promise<void> {
    const opening = await openingOf(offer, this.#config.subprotocols);
    if (opening === null) return;
    const from = `#${++this.#count}`;
    const ownPings = new Set<string>();
    const { emit } = this.#screen;
    const socket = new Socket({
      ...{ ...opening, role: "server", extensions: "" },
      ...{ maxFrameBytes: MAX_BYTES, maxMessageBytes: MAX_BYTES },
      onPing: (payload) => void emit({ type: "ping", payload, from }),
      onPong: (payload) => {
        if (!ownPings.has(String(payload))) void emit({ type: "pong", payload, from });
      },
    });
    const { http, protocol } = opening;
    await emit({ type: "enter", from, enter: { client: offer.request.remote, http, protocol } });
    const course = { ...courseOf(this.#config, true), ...this.#ends() };
    const session = new Session(socket, course, {
      ...{ input: null, ownPings, stopCode: CloseCode.GOING_AWAY },
      stopped: this.#ended.promise,
      emit: (event) => emit({ ...event, from }),
    });
    const over = session.run().then(({ end }) => emit({ type: "close", end, from }));
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
