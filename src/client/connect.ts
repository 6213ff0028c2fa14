import { Socket } from "../endpoint/socket.ts";
import { readWhole } from "../ingress/content.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { type Dial, dial } from "../net/dial.ts";
import { messageOf, NetError } from "../net/error.ts";
import type { Field } from "../protocol/wire/field.ts";
import { getField } from "../protocol/wire/field.ts";
import { requestUpgrade } from "./h1.ts";
import { H3Client } from "./h3_client.ts";
import { negotiated, UpgradeMismatch } from "./negotiated.ts";

/** What `connectWebSocket` may be told; all of it is optional. */
export interface ConnectOptions {
  /** Which HTTP carries it; "3" for `https`/`wss` URLs only. Default "3" for wss, "1.1" for ws. */
  httpVersion?: "1.1" | "3";
  /** Subprotocols to offer, most wanted first. */
  protocols?: readonly string[];
  /** More header fields; names in any case. */
  headers?: readonly Field[];
  /** PEM, beside the roots that Deno trusts. */
  caCerts?: string[];
  /** HTTP/3: SHA-256 of certificates that are trusted whoever signed them. */
  certificateHashes?: Uint8Array[];
  /** HTTP/1.1: takes any certificate. */
  insecure?: boolean;
  /** The host that the server is asked for (Host, :authority); default the URL's. */
  host?: string;
  /** How TCP connections are made. */
  dial?: Dial;
  /** HTTP/3: a connection to use; it stays open after the socket. */
  connection?: H3Client;
  /** Default 10 s, for all up to the server's answer. */
  timeoutMs?: number;
  /** Gives up the attempt. */
  signal?: AbortSignal;
  /** Default 64 MiB each. */
  maxFrameBytes?: number;
  /** Of one message over all its frames; above it the socket is closed with 1009. */
  maxMessageBytes?: number;
  /** Called for each Pong, while the socket is read. */
  onPong?: (payload: Uint8Array) => void;
  /** Called for each Ping, while the socket is read; it is answered all the same. */
  onPing?: (payload: Uint8Array) => void;
}

/** The server answered, but not with a WebSocket. */
export class UpgradeRefused extends Error {
  /** The name of the class. */
  override name = "UpgradeRefused";
  /** Its status: 404, 401, 503. */
  readonly status: number;
  /** Its header fields; names in lower case. */
  readonly fields: readonly Field[];
  /** Its body, whole. */
  readonly body: Uint8Array;

  /** An error for the answer to a request for `url`. */
  constructor(url: string, answer: { status: number; fields: readonly Field[]; body: Uint8Array }) {
    super(`Cannot open ${url}: the server answered ${answer.status}`);
    this.status = answer.status;
    this.fields = answer.fields;
    this.body = answer.body;
  }
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/**
 * Opens a WebSocket to a `ws:`, `wss:`, `http:` or `https:` URL.
 *
 * @throws {UpgradeRefused} when the server answers with anything but a WebSocket
 * @throws {NetError} when it can't be reached, or chose what was not offered (RFC 6455 §4.1)
 * @throws {PeerError} when its answer breaks a rule of HTTP
 */
export async function connectWebSocket(
  url: string | URL,
  options: ConnectOptions = {},
): Promise<Socket> {
  const parsed = parseUrl(url);
  const target = { ...parsed, authority: options.host ?? parsed.authority };
  try {
    return await connect(target, options);
  } catch (error) {
    if (!(error instanceof UpgradeMismatch)) throw error;
    throw new NetError("other", `Cannot open ${target.text}: ${error.message}`, error);
  }
}

async function connect(target: Target, options: ConnectOptions): Promise<Socket> {
  const version = options.httpVersion ?? (target.secure ? "3" : "1.1");
  const signal = signalOf(options);
  if (version === "3") {
    if (!target.secure) throw new TypeError(`${target.text}: HTTP/3 needs wss: or https:`);
    return await raced(signal, (abort) => connectH3(target, { ...options, signal }, abort));
  }
  return await connectH1(target, options, signal);
}

interface Target {
  text: string;
  secure: boolean;
  hostname: string;
  port: number;
  authority: string;
  path: string;
}

function parseUrl(url: string | URL): Target {
  const parsed = new URL(url);
  const secure = parsed.protocol === "wss:" || parsed.protocol === "https:";
  if (!secure && parsed.protocol !== "ws:" && parsed.protocol !== "http:") {
    throw new TypeError(`"${parsed.href}": expected ws:, wss:, http: or https:`);
  }
  return {
    text: parsed.href,
    secure,
    hostname: parsed.hostname.replace(/^\[|\]$/g, ""),
    port: parsed.port === "" ? (secure ? 443 : 80) : Number(parsed.port),
    authority: parsed.host,
    path: parsed.pathname + parsed.search,
  };
}

function signalOf({ timeoutMs = DEFAULT_TIMEOUT_MS, signal }: ConnectOptions): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
}

/** Rejects as soon as the signal fires; `work` gets a way to tidy up then. */
async function raced<T>(
  signal: AbortSignal,
  work: (onAbort: (tidy: () => void) => void) => Promise<T>,
): Promise<T> {
  const tidies: (() => void)[] = [];
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      for (const tidy of tidies) tidy();
      reject(new NetError("timeout", `gave up: ${messageOf(signal.reason)}`));
    };
    signal.addEventListener("abort", onAbort, { once: true });
  });
  const running = work((tidy) => tidies.push(tidy));
  running.catch(() => {});
  try {
    return await Promise.race([running, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function handshakeFields(options: ConnectOptions): Field[] {
  const fields: Field[] = [];
  if (options.protocols?.length) {
    fields.push(["sec-websocket-protocol", options.protocols.join(", ")]);
  }
  for (const [name, value] of options.headers ?? []) fields.push([name.toLowerCase(), value]);
  return fields;
}

async function connectH3(
  target: Target,
  options: ConnectOptions,
  onAbort: (tidy: () => void) => void,
): Promise<Socket> {
  const { hostname, port, authority, path } = target;
  const { caCerts, certificateHashes, signal } = options;
  const own = options.connection === undefined;
  const client = options.connection ??
    await H3Client.connect({ hostname, port, caCerts, certificateHashes, signal });
  if (own) onAbort(() => client.close());
  const fields: Field[] = [["sec-websocket-version", "13"], ...handshakeFields(options)];
  try {
    const { head, tunnel, body } = await client.connect({
      method: "CONNECT",
      protocol: "websocket",
      scheme: "https",
      authority,
      path,
      fields,
    });
    if (tunnel === null) throw new UpgradeRefused(target.text, { ...head, body });
    try {
      negotiated(head.fields, fields);
    } catch (error) {
      tunnel.abort();
      throw error;
    }
    const socket = socketOf({ stream: tunnel, fields: head.fields, http: "3" }, options);
    if (own) void socket.closed.then(() => setTimeout(() => client.close(), 0));
    return socket;
  } catch (error) {
    if (own) client.close();
    throw error;
  }
}

async function connectH1(
  target: Target,
  options: ConnectOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const { hostname, port, authority, path, secure } = target;
  const tls = secure
    ? {
      serverName: hostname,
      caCerts: options.caCerts,
      alpnProtocols: ["http/1.1"],
      insecure: options.insecure ?? false,
    }
    : undefined;
  const stream = await (options.dial ?? dial)({ hostname, port, tls }, signal);
  const onAbort = () => stream.abort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const answer = await requestUpgrade(stream, {
      target: path,
      host: authority,
      fields: handshakeFields(options),
      maxHeaderBytes: MAX_HEADER_BYTES,
    });
    if (answer.kind === "refused") {
      const body = await readWhole(answer.content, MAX_BODY_BYTES);
      if (body === null) throw new NetError("other", "the answer's body is too big");
      throw new UpgradeRefused(target.text, { ...answer, body });
    }
    return socketOf({ ...answer, http: "1.1" }, options);
  } catch (error) {
    stream.abort();
    if (signal.aborted) throw new NetError("timeout", `gave up: ${messageOf(signal.reason)}`);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function socketOf(
  answer: { stream: ByteStream; fields: readonly Field[]; http: "1.1" | "3" },
  options: ConnectOptions,
): Socket {
  return new Socket({
    ...answer,
    role: "client",
    protocol: getField(answer.fields, "sec-websocket-protocol") ?? "",
    extensions: getField(answer.fields, "sec-websocket-extensions") ?? "",
    maxFrameBytes: options.maxFrameBytes ?? DEFAULT_MAX_BYTES,
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_BYTES,
    onPong: options.onPong,
    onPing: options.onPing,
  });
}
