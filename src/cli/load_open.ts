import { type ConnectOptions, connectWebSocket, upgradeWebSocket } from "../client/connect.ts";
import { H2Client } from "../client/h2_client.ts";
import { H3Client } from "../client/h3_client.ts";
import { abortError, NoExtendedConnect } from "../client/http_client.ts";
import { parseTarget, type Target } from "../client/target.ts";
import type { Socket } from "../endpoint/socket.ts";
import { dial } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import { dialWith } from "./dial_with.ts";
import type { LoadOptions } from "./load_options.ts";
import type { Recorder } from "./load_recorder.ts";

/** How long one connection, and one WebSocket on it, may take to open, if nothing else is said. */
export const OPEN_TIMEOUT_MS = 10_000;

/** Sockets that are opened at the same time, where no rate is given. */
const OPENING = 32;

/** The connections and sockets of a load. */
export interface Opening {
  readonly options: LoadOptions;
  readonly recorder: Recorder;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Resolves when the next socket may be opened. */
  pace(): Promise<void>;
  /** `again` opens another in its place. */
  opened(socket: Socket, again: Open): void;
  /** A connection that several sockets share, to be closed at the end. */
  connected(client: Client): void;
  failed(error: unknown, sockets: number): void;
}

/** Opens a WebSocket. Rejects where it can't. */
export type Open = () => Promise<Socket>;

/** One connection that several sockets share. */
export type Client = H2Client | H3Client;

/** Opens all that is wanted; what fails is told, and does not stop the others. */
export async function openAll(opening: Opening): Promise<void> {
  const { options: { connections, streams, http, connectRate = 0 }, signal } = opening;
  // Over HTTP/1.1 each socket is a connection of its own.
  const wanted = http === "1.1" ? connections * streams : connections;
  let next = 0;
  const openNext = async () => {
    while (next < wanted && !signal.aborted) {
      next++;
      await (http === "1.1" ? openAlone(opening) : openShared(opening));
    }
  };
  // With a rate, one that is slow to open must not hold back the next.
  const atOnce = connectRate > 0 ? wanted : Math.min(OPENING, wanted);
  await Promise.all(Array.from({ length: atOnce }, openNext));
}

async function openAlone(opening: Opening): Promise<void> {
  await opening.pace();
  if (opening.signal.aborted) return;
  const open = () => openByH1(opening);
  try {
    opening.opened(await open(), open);
  } catch (error) {
    if (!opening.signal.aborted) opening.failed(error, 1);
  }
}

async function openByH1(opening: Opening): Promise<Socket> {
  const { options, recorder } = opening;
  const target = parseTarget(options.url);
  const startedMs = performance.now();
  const stream = await inTime(opening, (signal) => dialFor(target, options, signal));
  const connectedMs = performance.now();
  recorder.connect.record(connectedMs - startedMs);
  const socket = await upgradeWebSocket(stream, options.url, socketOptions(opening));
  record(recorder, { startedMs, connectedMs });
  return socket;
}

function dialFor(target: Target, options: LoadOptions, signal: AbortSignal) {
  const { hostname, port, secure } = target;
  const { caCerts, insecure = false, clientCertificate } = options;
  const tls = {
    ...{ serverName: hostname, caCerts, alpnProtocols: ["http/1.1"], insecure },
    clientCertificate,
  };
  return dial({ hostname, port, tls: secure ? tls : undefined }, signal);
}

function record(
  { handshake, opening }: Recorder,
  { startedMs, connectedMs }: { startedMs: number; connectedMs: number },
): void {
  const nowMs = performance.now();
  handshake.record(nowMs - connectedMs);
  opening.record(nowMs - startedMs);
}

async function openShared(opening: Opening): Promise<void> {
  const { options, signal } = opening;
  const { streams } = options;
  const shared = new SharedConnection(opening);
  const again = () => shared.again();
  for (let i = 0; i < streams && !signal.aborted; i++) {
    await opening.pace();
    if (signal.aborted) return;
    try {
      opening.opened(await shared.open(), again);
    } catch (error) {
      if (signal.aborted) return;
      if (!shared.isOpen) return opening.failed(error, streams - i);
      if (!isLate(error)) {
        opening.failed(error, 1);
        continue;
      }
      // What one connection has no room for now it has none for in as long again.
      return opening.failed(noAnswer(options, i === 0 ? "" : `, ${full(i)}`), streams - i);
    }
  }
}

function isLate(error: unknown): boolean {
  return error instanceof NetError && error.kind === "timeout";
}

/** A connection for several sockets; where it is gone, the next one dials another. */
class SharedConnection {
  readonly #opening: Opening;
  #client: Promise<Client> | null = null;

  constructor(opening: Opening) {
    this.#opening = opening;
  }

  get isOpen(): boolean {
    return this.#client !== null;
  }

  #connect(): Promise<Client> {
    return this.#client ??= this.#dial().catch((error) => {
      this.#client = null;
      throw error;
    });
  }

  async #dial(): Promise<Client> {
    const { options, recorder } = this.#opening;
    const startedMs = performance.now();
    const client = await inTime(this.#opening, (signal) => connectFor(options, signal));
    recorder.connect.record(performance.now() - startedMs);
    this.#opening.connected(client);
    const made = this.#client;
    void client.closed.then(() => {
      if (this.#client === made) this.#client = null;
    });
    return client;
  }

  async open(): Promise<Socket> {
    const { options: { url }, recorder } = this.#opening;
    const startedMs = performance.now();
    const connection = await this.#connect();
    const connectedMs = performance.now();
    const socket = await connectWebSocket(url, { ...socketOptions(this.#opening), connection });
    record(recorder, { startedMs, connectedMs });
    return socket;
  }

  async again(): Promise<Socket> {
    const { newConnections = false } = this.#opening.options;
    const before = this.#client;
    const client = await before?.catch(() => null);
    if (newConnections) {
      client?.close();
      await client?.closed;
    }
    // RFC 9113 §6.8, RFC 9114 §5.2: what it carries may go on, but it takes no more.
    const isOver = newConnections || client?.goingAway;
    if (isOver && this.#client === before) this.#client = null;
    return await this.open();
  }
}

/** A connection that takes WebSockets. Throws `NetError`. */
async function connectFor(options: LoadOptions, signal: AbortSignal): Promise<Client> {
  const { hostname, port, secure } = parseTarget(options.url);
  const { http, caCerts, certificateHashes, insecure, clientCertificate } = options;
  const at = { hostname, port, caCerts, signal };
  const client = http === "3"
    ? await H3Client.connect({ ...at, certificateHashes })
    : await H2Client.connect({ ...at, secure, insecure, dial: dialWith({ clientCertificate }) });
  const close = () => client.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    if (signal.aborted) close();
    if (await client.extendedConnect()) return client;
    throw new NoExtendedConnect(client.http);
  } catch (error) {
    close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

function socketOptions({ options, signal }: Opening): ConnectOptions {
  const { protocols, headers, host, deflate, openTimeoutMs: timeoutMs = OPEN_TIMEOUT_MS } = options;
  return { protocols, headers, host, deflate, signal, timeoutMs };
}

async function inTime<T>(
  { signal, options }: Opening,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(options.openTimeoutMs ?? OPEN_TIMEOUT_MS);
  const either = AbortSignal.any([timeout, signal]);
  try {
    return await work(either);
  } catch (error) {
    throw timeout.aborted ? abortError(either) : error;
  }
}

function noAnswer({ openTimeoutMs = OPEN_TIMEOUT_MS }: LoadOptions, where: string): NoRoomInTime {
  return new NoRoomInTime(`no answer within ${openTimeoutMs / 1000} s${where}`);
}

/** A connection that answers no further handshake. */
export class NoRoomInTime extends Error {
  override name = "NoRoomInTime";
}

/** Why there may be no answer (RFC 9000 §4.6): the client waits until it may open a stream. */
const full = (sockets: number) =>
  `with ${sockets} WebSockets open on the connection; if the server takes no more on one, ` +
  `--connections gives more`;
