import type { Keepalive } from "../endpoint/keepalive.ts";
import { Socket } from "../endpoint/socket.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import type { Dial } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import { offAtZero, timeoutSignal } from "../net/numbers.ts";
import { parseExtensions } from "../protocol/websocket/extensions.ts";
import {
  type DeflateParameters,
  type DeflateWishes,
  offerDeflate,
  readDeflateAnswer,
} from "../protocol/websocket/permessage_deflate.ts";
import { type Field, getField, getFields, isToken } from "../protocol/wire/field.ts";
import { openAuto, openH1, openH2, openH3 } from "./auto.ts";
import { type Connections, defaultConnections, originIn } from "./connections.ts";
import { failure } from "./failure.ts";
import type { H2Client } from "./h2_client.ts";
import type { H3Client } from "./h3_client.ts";
import { abortError } from "./http_client.ts";
import { connectHead, type Opened, openedBy, upgrade, type Wanted } from "./open.ts";
import type { Way } from "./origin.ts";
import { parseTarget, type Target } from "./target.ts";

export { UpgradeRefused } from "./refused.ts";

/** What `connectWebSocket` may be told; all of it is optional. */
export interface ConnectOptions {
  /**
   * Which HTTP carries it. "auto", the default, takes a connection to the same origin that is open,
   * HTTP/3 before HTTP/2; or HTTP/3, where the server said that it speaks it (Alt-Svc, RFC 7838), and
   * TCP soon after if it does not answer; or what the server chooses over TCP: HTTP/2 if it takes
   * WebSockets (RFC 8441), else HTTP/1.1. "2" over `ws:` is HTTP/2 by prior knowledge, "3" needs
   * `wss:` or `https:`.
   */
  httpVersion?: "auto" | "1.1" | "2" | "3";
  /** Subprotocols to offer, most wanted first. */
  protocols?: readonly string[];
  /** More header fields, in whatever form `fetch` takes them; names in any case. */
  headers?: HeadersInit | readonly Field[];
  /** PEM, beside the roots that Deno trusts. */
  caCerts?: string[];
  /** HTTP/3: SHA-256 of certificates that are trusted whoever signed them. */
  certificateHashes?: Uint8Array[];
  /** HTTP/1.1 and HTTP/2: takes any certificate. With it "auto" leaves HTTP/3 out. */
  insecure?: boolean;
  /** The host that the server is asked for (Host, :authority); default the URL's. */
  host?: string;
  /**
   * How TCP connections are made; sockets share only those that the same function made. With it
   * "auto" leaves HTTP/3 out, unless `tcpOnly` says otherwise.
   */
  dial?: Dial;
  /** Whether "auto" leaves HTTP/3 out; default `false`, but for `insecure` and `dial`. */
  tcpOnly?: boolean;
  /** A connection to use, whatever `httpVersion` says; it stays open after the socket. */
  connection?: H2Client | H3Client;
  /** Whose connections it shares, and what they know; default those of all that say nothing. */
  connections?: Connections;
  /** Default 10 s, for all up to the server's answer; 0 for any time. */
  timeoutMs?: number;
  /** Gives up the attempt. */
  signal?: AbortSignal;
  /** Default 64 MiB each. */
  maxFrameBytes?: number;
  /** Of one message over all its frames; above it the socket is closed with 1009. */
  maxMessageBytes?: number;
  /**
   * Offers permessage-deflate (RFC 7692), as it is wished or with no wishes; default `false`. The
   * server may decline.
   */
  deflate?: boolean | DeflateWishes;
  /** Pings that find out whether the server is gone; none by default. */
  keepalive?: Keepalive;
  /** Called for each Pong, while the socket is read. */
  onPong?: (payload: Uint8Array) => void;
  /** Called for each Ping, while the socket is read; it is answered all the same. */
  onPing?: (payload: Uint8Array) => void;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Opens a WebSocket to a `ws:`, `wss:`, `http:` or `https:` URL.
 *
 * @throws {TypeError} for a URL that is none of these, and for what no field can say
 * @throws {UpgradeRefused} when the server answers with anything but a WebSocket
 * @throws {NetError} when it can't be reached, or chose what was not offered (RFC 6455 §4.1)
 * @throws {PeerError} when its answer breaks a rule of HTTP
 */
export async function connectWebSocket(
  url: string | URL,
  options: ConnectOptions = {},
): Promise<Socket> {
  const target = targetOf(url, options);
  const { httpVersion = "auto" } = options;
  if (httpVersion === "3" && !target.secure) {
    throw new TypeError(`${target.text}: HTTP/3 needs wss: or https:`);
  }
  const { timeoutMs, signal } = deadlineOf(options);
  const wanted = { target, fields: handshakeFields(options), signal };
  try {
    return socketOf(await open(wanted, httpVersion, options), options);
  } catch (error) {
    const isCut = signal.aborted && error instanceof NetError;
    const told = isCut ? abortError(signal) : error;
    throw failure(told, {
      target,
      httpVersion: options.connection?.http ?? httpVersion,
      timeoutMs,
    });
  }
}

function deadlineOf(options: ConnectOptions): { timeoutMs: number; signal: AbortSignal } {
  const given = { timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS };
  const { timeoutMs } = offAtZero(given, ["timeoutMs"]);
  const timeout = timeoutSignal("timeoutMs", timeoutMs);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  return { timeoutMs, signal };
}

function targetOf(url: string | URL, { host }: ConnectOptions): Target {
  const target = parseTarget(url);
  return host === undefined ? target : { ...target, authority: host };
}

function wayOf(options: ConnectOptions): Way {
  const { caCerts, certificateHashes, insecure = false, dial } = options;
  const { tcpOnly = insecure || dial !== undefined } = options;
  return { caCerts, certificateHashes, insecure, dial, tcpOnly };
}

async function open(
  wanted: Wanted,
  httpVersion: "auto" | "1.1" | "2" | "3",
  options: ConnectOptions,
): Promise<Opened> {
  const { connection, connections = defaultConnections, signal } = options;
  if (signal?.aborted) throw abortError(signal);
  if (connection !== undefined) {
    const answer = await connection.connect(connectHead(wanted), { signal: wanted.signal });
    return openedBy(answer, connection.http, wanted);
  }
  const origin = originIn(connections, wanted.target, wayOf(options));
  switch (httpVersion) {
    case "auto":
      return await openAuto(origin, wanted);
    case "1.1":
      return await openH1(origin, wanted);
    case "2":
      return await openH2(origin, wanted);
    case "3":
      return await openH3(origin, wanted);
    default:
      httpVersion satisfies never;
      throw new TypeError(`httpVersion "${httpVersion}": expected auto, 1.1, 2 or 3`);
  }
}

function handshakeFields(options: ConnectOptions): Field[] {
  const { protocols = [], headers = [] } = options;
  const fields: Field[] = [];
  const wishes = wishesOf(options);
  if (wishes !== null) fields.push(["sec-websocket-extensions", offerDeflate(wishes)]);
  if (protocols.length > 0) {
    checkProtocols(protocols);
    fields.push(["sec-websocket-protocol", protocols.join(", ")]);
  }
  for (const [name, value] of pairsOf(headers)) fields.push([name.toLowerCase(), value]);
  return fields;
}

/** The fields of any form. Not by `Headers`, which has one field of each name where there may be several. */
export function pairsOf(headers: HeadersInit | readonly Field[]): Iterable<Field> {
  return Symbol.iterator in headers ? headers as Iterable<Field> : Object.entries(headers);
}

/** RFC 6455 §4.1: they are tokens, and all unique. */
function checkProtocols(protocols: readonly string[]): void {
  protocols.forEach((protocol, i) => {
    if (!isToken(protocol)) {
      throw new TypeError(`"${protocol}" is no subprotocol: expected letters, digits, "-", "."`);
    }
    if (protocols.indexOf(protocol) !== i) {
      throw new TypeError(`The subprotocol "${protocol}" is offered twice`);
    }
  });
}

function wishesOf({ deflate = false }: ConnectOptions): DeflateWishes | null {
  if (deflate === false) return null;
  return deflate === true ? {} : deflate;
}

function socketOf({ stream, fields, http }: Opened, options: ConnectOptions): Socket {
  const extensions = getFields(fields, "sec-websocket-extensions").join(", ");
  return new Socket({
    ...{ stream, fields, http, extensions, role: "client" },
    protocol: getField(fields, "sec-websocket-protocol") ?? "",
    maxFrameBytes: options.maxFrameBytes ?? DEFAULT_MAX_BYTES,
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_BYTES,
    deflate: deflateOf({ stream, extensions }, options),
    keepalive: options.keepalive,
    onPong: options.onPong,
    onPing: options.onPing,
  });
}

/** RFC 7692 §7.1: an answer that does not fit the offer fails the connection. */
function deflateOf(
  { stream, extensions }: { stream: ByteStream; extensions: string },
  options: ConnectOptions,
): DeflateParameters | undefined {
  const wishes = wishesOf(options);
  if (wishes === null) return undefined;
  try {
    const answers = extensions === "" ? [] : parseExtensions(extensions);
    return readDeflateAnswer(answers, wishes) ?? undefined;
  } catch (error) {
    stream.abort();
    throw error;
  }
}

/**
 * The same by HTTP/1.1 on a connection that was dialled for it alone: for who measures the two
 * apart. A failure ends the connection.
 */
export async function upgradeWebSocket(
  stream: ByteStream,
  url: string | URL,
  options: ConnectOptions = {},
): Promise<Socket> {
  try {
    return await upgradeOn(stream, url, options);
  } catch (error) {
    stream.abort();
    throw error;
  }
}

async function upgradeOn(
  stream: ByteStream,
  url: string | URL,
  options: ConnectOptions,
): Promise<Socket> {
  const target = targetOf(url, options);
  const { timeoutMs, signal } = deadlineOf(options);
  const fields = handshakeFields(options);
  try {
    return socketOf(await upgrade(stream, { target, fields, signal }), options);
  } catch (error) {
    const isCut = signal.aborted && error instanceof NetError;
    throw failure(isCut ? abortError(signal) : error, { target, httpVersion: "1.1", timeoutMs });
  }
}
