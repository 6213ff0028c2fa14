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

/** How long one connection, and one WebSocket on it, may take to open. */
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
  opened(socket: Socket): void;
  /** A connection that several sockets share, to be closed at the end. */
  connected(client: Client): void;
  failed(error: unknown, sockets: number): void;
}

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
  const { options, recorder, signal } = opening;
  await opening.pace();
  if (signal.aborted) return;
  const target = parseTarget(options.url);
  const startedMs = performance.now();
  try {
    const stream = await inTime(signal, (signal) => dialFor(target, options, signal));
    const connectedMs = performance.now();
    recorder.connect.record(connectedMs - startedMs);
    const socket = await upgradeWebSocket(stream, options.url, socketOptions(opening));
    opened(opening, socket, { startedMs, connectedMs });
  } catch (error) {
    if (!signal.aborted) opening.failed(error, 1);
  }
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

function opened(
  { recorder, opened }: Opening,
  socket: Socket,
  { startedMs, connectedMs }: { startedMs: number; connectedMs: number },
): void {
  const nowMs = performance.now();
  recorder.handshake.record(nowMs - connectedMs);
  recorder.opening.record(nowMs - startedMs);
  opened(socket);
}

async function openShared(opening: Opening): Promise<void> {
  const { options, recorder, signal } = opening;
  await opening.pace();
  if (signal.aborted) return;
  let startedMs = performance.now();
  let client: Client;
  try {
    client = await inTime(signal, (signal) => connectFor(options, signal));
  } catch (error) {
    if (!signal.aborted) opening.failed(error, options.streams);
    return;
  }
  opening.connected(client);
  recorder.connect.record(performance.now() - startedMs);
  for (let i = 0; i < options.streams && !signal.aborted; i++) {
    if (i > 0) {
      await opening.pace();
      startedMs = performance.now();
    }
    if (await openOn(client, opening, startedMs)) continue;
    // What one connection has no room for, or no life, it has none for in ten seconds more.
    return opening.failed(noAnswer(i === 0 ? "" : `, ${full(i)}`), options.streams - i);
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

/** Gives whether there was an answer, of whatever kind. */
async function openOn(client: Client, opening: Opening, startedMs: number): Promise<boolean> {
  const connectedMs = performance.now();
  try {
    const options = { ...socketOptions(opening), connection: client };
    const socket = await connectWebSocket(opening.options.url, options);
    opened(opening, socket, { startedMs, connectedMs });
  } catch (error) {
    if (opening.signal.aborted) return true;
    if (error instanceof NetError && error.kind === "timeout") return false;
    opening.failed(error, 1);
  }
  return true;
}

function socketOptions({ options, signal }: Opening): ConnectOptions {
  const { protocols, headers, host, deflate } = options;
  return { protocols, headers, host, deflate, signal, timeoutMs: OPEN_TIMEOUT_MS };
}

async function inTime<T>(
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(OPEN_TIMEOUT_MS);
  const either = AbortSignal.any([timeout, signal]);
  try {
    return await work(either);
  } catch (error) {
    throw timeout.aborted ? abortError(either) : error;
  }
}

function noAnswer(where: string): NoRoomInTime {
  return new NoRoomInTime(`no answer within ${OPEN_TIMEOUT_MS / 1000} s${where}`);
}

/** A connection that answers no further handshake. */
export class NoRoomInTime extends Error {
  override name = "NoRoomInTime";
}

/** Why there may be no answer (RFC 9000 §4.6): the client waits until it may open a stream. */
const full = (sockets: number) =>
  `with ${sockets} WebSockets open on the connection; if the server takes no more on one, ` +
  `--connections gives more`;
