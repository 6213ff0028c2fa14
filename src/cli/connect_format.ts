import { Buffer } from "node:buffer";
import type { Message, SocketEnd } from "../endpoint/socket.ts";
import type { TlsAbout } from "../net/dial.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { visible, visibleJson } from "../protocol/wire/visible.ts";

/** What happens to a WebSocket of `h3ws connect`. */
export type ConnectEvent =
  | { type: "open"; open: OpenEvent; from?: string }
  | { type: "message"; data: Message; from?: string }
  | { type: "ping"; payload: Uint8Array; from?: string }
  | { type: "pong"; payload: Uint8Array; rttMs?: number; from?: string }
  | { type: "close"; end: SocketEnd; from?: string }
  /** A client came, with --listen. */
  | { type: "enter"; enter: EnterEvent; from: string }
  | { type: "note"; text: string; from?: string };

/** What was connected to, and how. */
export interface OpenEvent {
  readonly url: string;
  readonly http: "1.1" | "2" | "3";
  /** Of TLS over TCP; `null` for none, or where QUIC has its own. */
  readonly tls: TlsAbout | null;
  /** The proxy that it goes through, "host:port". */
  readonly proxy: string | null;
  readonly protocol: string;
  readonly extensions: string;
  readonly tookMs: number;
}

/** Who came, and how. */
export interface EnterEvent {
  /** "ip:port". */
  readonly client: string;
  readonly http: "1.1" | "2" | "3";
  readonly protocol: string;
}

/** How events are shown. */
export interface Style {
  /** One object a line. */
  readonly json: boolean;
  readonly timestamps: boolean;
  /** Messages are bytes, with nothing between them. */
  readonly binary: boolean;
  /** Binary messages are base64. */
  readonly base64: boolean;
  /** Whether Pings and Pongs are shown. */
  readonly showPingPong: boolean;
  readonly printRtts: boolean;
  /** Whether messages are shown to somebody: then nothing in them moves the cursor. */
  readonly isScreen: boolean;
  readonly color: boolean;
}

/** What is to be written for an event, and to which stream. */
export interface Shown {
  readonly to: "out" | "err";
  readonly data: string | Uint8Array;
}

/** What `style` shows of an event; `null` for nothing. */
export function format(event: ConnectEvent, style: Style, now: Date): Shown | null {
  if (event.type === "note") return { to: "err", data: dim(`${visible(event.text)}\n`, style) };
  if (style.json) return { to: "out", data: `${visibleJson(jsonOf(event, now))}\n` };
  const stamp = style.timestamps ? `${now.toISOString()} ` : "";
  if (event.type === "message") return message(event.data, style, stamp + prefix(event.from));
  const text = textOf(event, style);
  return text === null
    ? null
    : { to: "err", data: dim(`${stamp}${visible(prefixed(event, text))}\n`, style) };
}

function prefix(from: string | undefined): string {
  return from === undefined ? "" : `${from} `;
}

function prefixed(event: ConnectEvent, text: string): string {
  return "from" in event ? prefix(event.from) + text : text;
}

/** What stands before a message on a screen. */
const MARK = "<";

function message(data: Message, style: Style, before: string): Shown {
  const { isScreen, binary, base64 } = style;
  const mark = isScreen ? `${before}${colored(MARK, style)} ` : before;
  if (typeof data !== "string" && base64) {
    return { to: "out", data: `${mark}${Buffer.from(data).toString("base64")}\n` };
  }
  if (isScreen) {
    // Under the first line, where no line of ours begins.
    const indent = `\n${" ".repeat(before.length + MARK.length + 1)}`;
    const text = typeof data === "string"
      ? data.split("\n").map(visible).join(indent)
      : hexLine(data);
    return { to: "out", data: `${mark}${text}\n` };
  }
  if (typeof data === "string") return { to: "out", data: binary ? data : `${mark}${data}\n` };
  if (binary) return { to: "out", data };
  return { to: "out", data: Buffer.concat([Buffer.from(mark), data, Buffer.from("\n")]) };
}

function textOf(
  event: Exclude<ConnectEvent, { type: "message" | "note" }>,
  { showPingPong, printRtts }: Style,
): string | null {
  switch (event.type) {
    case "open":
      return openText(event.open);
    case "enter":
      return enterText(event.enter);
    case "close":
      return closeText(event.end);
    case "ping":
      return showPingPong ? `ping${payloadText(event.payload)}` : null;
    case "pong": {
      const rtt = event.rttMs === undefined ? "" : ` after ${milliseconds(event.rttMs)}`;
      if (showPingPong) return `pong${payloadText(event.payload)}${rtt}`;
      return printRtts && rtt !== "" ? `pong${rtt}` : null;
    }
  }
}

function payloadText(payload: Uint8Array): string {
  if (payload.length === 0) return "";
  return ` ${visibleJson(new TextDecoder().decode(payload))}`;
}

/** "connected by HTTP/3 (QUIC v1, TLS 1.3), subprotocol chat, 12 ms". */
export function openText({ http, tls, proxy, protocol, extensions, tookMs }: OpenEvent): string {
  const parts = [
    ...(http === "3"
      ? ["QUIC v1", "TLS 1.3"]
      : tls === null
      ? ["no TLS"]
      : [tls.version, tls.cipher]),
    ...(proxy === null ? [] : [`by the proxy ${proxy}`]),
  ];
  const chosen = [
    ...(protocol === "" ? [] : [`subprotocol ${protocol}`]),
    ...(extensions === "" ? [] : [extensions]),
    milliseconds(tookMs),
  ];
  return `connected by HTTP/${http} (${parts.join(", ")}), ${chosen.join(", ")}`;
}

function enterText({ client, http, protocol }: EnterEvent): string {
  const chosen = protocol === "" ? "" : `, subprotocol ${protocol}`;
  return `${client} connected by HTTP/${http}${chosen}`;
}

function closeText({ code, reason, by, wasClean }: SocketEnd): string {
  if (by === "lost" || code === CloseCode.ABNORMAL_CLOSURE) {
    return `lost: ${reason} (${code})`;
  }
  // RFC 6455 §7.1.7: a Close of ours that nothing but the other side's fault made us send.
  if (by === "us" && !wasClean) {
    return `the other side broke a rule of WebSocket: ${reason} (${code}); it, or a proxy between, ` +
      "has to be mended";
  }
  const who = by === "peer" ? "closed by the other side" : "closed";
  return `${who}: ${code}${reason === "" ? "" : ` ${reason}`}`;
}

function jsonOf(event: Exclude<ConnectEvent, { type: "note" }>, now: Date): unknown {
  const time = now.toISOString();
  if (event.type === "open") {
    const { url, http, tls, proxy, protocol, extensions, tookMs } = event.open;
    const version = http === "3" ? "TLS 1.3" : tls?.version ?? null;
    const cipher = tls?.cipher ?? null;
    const ms = rounded(tookMs);
    return { type: "open", time, url, http, tls: version, cipher, proxy, protocol, extensions, ms };
  }
  const head = { type: event.type, time, ...(event.from !== undefined && { from: event.from }) };
  switch (event.type) {
    case "enter":
      return { ...head, ...event.enter };
    case "message":
      return typeof event.data === "string"
        ? { ...head, data: event.data }
        : { ...head, base64: Buffer.from(event.data).toString("base64") };
    case "close": {
      const { code, reason, by, wasClean } = event.end;
      return { ...head, code, reason, by, clean: wasClean };
    }
    case "ping":
      return { ...head, base64: Buffer.from(event.payload).toString("base64") };
    case "pong": {
      const base64 = Buffer.from(event.payload).toString("base64");
      return { ...head, base64, ...(event.rttMs !== undefined && { ms: rounded(event.rttMs) }) };
    }
  }
}

const MAX_HEX_BYTES = 64;

function hexLine(data: Uint8Array): string {
  const hex = Buffer.from(data.subarray(0, MAX_HEX_BYTES)).toString("hex").replaceAll(
    /..(?=.)/g,
    "$& ",
  );
  const rest = data.length > MAX_HEX_BYTES ? " ..." : "";
  return `${data.length} bytes${hex === "" ? "" : `: ${hex}${rest}`}`;
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : Math.round(ms)} ms`;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function dim(text: string, { color }: Style): string {
  return color ? `\x1b[2m${text.replace(/\n$/, "")}\x1b[0m\n` : text;
}

function colored(text: string, { color }: Style): string {
  return color ? `\x1b[36m${text}\x1b[0m` : text;
}
