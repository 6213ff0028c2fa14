import { UsageError } from "../config/error.ts";
import { type ConfigOf, plainFlag } from "../config/flags.ts";
import { count, many, onOff, optionalFile } from "../config/kinds.ts";
import * as kinds from "./connect_kinds.ts";
import { parseBase64, parseTyped } from "./connect_slash.ts";
import {
  checkClientCertificate,
  clientCertificateFlags,
  handshakeFlags,
} from "./handshake_flags.ts";
import { text } from "./handshake_kinds.ts";
import { seconds } from "./time_kinds.ts";

const off = { kind: onOff, default: "false" } as const;

/** What is connected to, and how. */
const way = {
  url: plainFlag({
    ...{ name: "url", short: "c", kind: kinds.optionalUrl, default: "" },
    meaning: "what to connect to: wss://host:port/path or ws://",
  }),
  http1: plainFlag({ ...off, name: "http1.1", short: "1", meaning: "by HTTP/1.1 alone" }),
  http2: plainFlag({ ...off, name: "http2", short: "2", meaning: "by HTTP/2 alone" }),
  http3: plainFlag({
    ...{ ...off, name: "http3", short: "3" },
    meaning: "by HTTP/3 alone; without any of the three by what serves",
  }),
  ...handshakeFlags,
  proxy: plainFlag({
    ...{ name: "proxy", kind: kinds.httpProxy, default: "" },
    meaning:
      "an HTTP proxy to go through by CONNECT, TCP only; else HTTPS_PROXY and NO_PROXY say; or off",
  }),
  redirects: plainFlag({
    ...{ ...off, name: "location", short: "L" },
    meaning: "follow up to 5 redirects, never from wss:// to ws://",
  }),
  timeoutMs: plainFlag({
    ...{ name: "timeout", kind: seconds(), default: "10s" },
    meaning: "how long to try to connect",
  }),
};

/** Who is trusted, and as whom one comes. */
const tls = {
  caFile: plainFlag({
    ...{ name: "ca", kind: optionalFile, default: "" },
    meaning: "certificates in PEM to trust, beside the public ones",
  }),
  ...clientCertificateFlags,
  noCheck: plainFlag({
    ...{ ...off, name: "no-check", short: "n" },
    meaning: "take any certificate (TCP only)",
  }),
};

/** What is sent, and when it ends. */
const course = {
  execute: plainFlag({
    ...{ name: "execute", short: "x", kind: many(text), default: "" },
    meaning: "a message to send once it is open; many. Then --wait, and the end",
  }),
  waitMs: plainFlag({
    ...{ name: "wait", short: "w", kind: kinds.optionalWait, default: "" },
    meaning: "how long to wait for messages behind -x (default 2) or the end of stdin (default -1)",
  }),
  binary: plainFlag({
    ...{ ...off, name: "binary" },
    meaning: "send binary messages; from a pipe each chunk is one, into one they go as they are",
  }),
  base64: plainFlag({
    ...{ ...off, name: "base64" },
    meaning: "lines are binary messages in base64, both ways",
  }),
  slash: plainFlag({
    ...{ ...off, name: "slash" },
    meaning: "lines may be /ping [data], /pong [data], /close [code [reason]]; // sends a /",
  }),
  oneMessage: plainFlag({
    ...{ ...off, name: "one-message" },
    meaning: "send one message, and end when one came",
  }),
  maxMessages: plainFlag({
    ...{ name: "max-messages", kind: count({ min: 0 }), default: "0" },
    meaning: "end when so many came; 0 for no such end",
  }),
  exitOnEof: plainFlag({
    ...{ ...off, name: "exit-on-eof" },
    meaning: "close at once at the end of stdin; what comes before the other side closes is shown",
  }),
  reconnect: plainFlag({
    ...{ ...off, name: "reconnect" },
    meaning: "connect again when it is lost, at random within 0.5 s, later within 30 s",
  }),
  listen: plainFlag({
    ...{ name: "listen", short: "l", kind: kinds.optionalListen, default: "" },
    meaning: "take WebSockets in the clear instead, and talk to all of them",
  }),
};

/** What is shown, and what is found out. */
const shown = {
  json: plainFlag({ ...off, name: "json", meaning: "one JSON object a line on stdout" }),
  timestamps: plainFlag({ ...off, name: "timestamps", meaning: "the time before each line" }),
  showPingPong: plainFlag({
    ...{ ...off, name: "show-ping-pong", short: "P" },
    meaning: "show Pings and Pongs",
  }),
  pingIntervalMs: plainFlag({
    ...{ name: "ping-interval", kind: seconds({ min: 0 }), default: "0" },
    meaning: "how often to send a Ping; 0 for never",
  }),
  pingTimeoutMs: plainFlag({
    ...{ name: "ping-timeout", kind: seconds(), default: "10s" },
    meaning: "how long its Pong may take, or it is lost",
  }),
  printRtts: plainFlag({
    ...{ ...off, name: "print-ping-rtts" },
    meaning: "how long each of these Pongs took; with --ping-interval 1s if nothing else is said",
  }),
  noColor: plainFlag({ ...off, name: "no-color", meaning: "no colours; NO_COLOR says the same" }),
  historyFile: plainFlag({
    ...{ name: "history", kind: optionalFile, default: "" },
    meaning: "a file that keeps the lines that were typed",
  }),
};

/** All flags of `h3ws connect`. */
export const connectFlags = { ...way, ...tls, ...course, ...shown };

export type ConnectConfig = ConfigOf<typeof connectFlags>;

/** The version that was asked for. Throws `UsageError` for two, and for what it can't do. */
export function versionOf(config: ConnectConfig): "auto" | "1.1" | "2" | "3" {
  const { http1, http2, http3, url } = config;
  const asked = [
    ...(http1 ? ["1.1"] as const : []),
    ...(http2 ? ["2"] as const : []),
    ...(http3 ? ["3"] as const : []),
  ];
  if (asked.length > 1) {
    throw wrong(`--http${asked[1]}`, `and --http${asked[0]} exclude each other`, "one of them");
  }
  if (http3 && url !== null && !isSecure(url)) {
    throw wrong("--http3", "needs TLS, and ws:// has none", "wss:// or https://, or --http1.1");
  }
  const tcpOnly = tcpOnlyFlags(config)[0];
  if (http3 && tcpOnly !== undefined) {
    throw wrong(tcpOnly, `is for TCP: ${WHY_TCP[tcpOnly]}`, "--http1.1 or --http2 with it");
  }
  return asked[0] ?? "auto";
}

const WHY_TCP: Readonly<Record<string, string>> = {
  "--proxy": "an HTTP proxy carries no QUIC",
  "--cert": "client certificates can't be shown over QUIC (HTTP/3)",
  "--no-check": "over QUIC (HTTP/3) certificates are always checked; --ca names one to trust",
};

/** Those of the flags that HTTP/3 can't have. */
export function tcpOnlyFlags({ proxy, certFile, noCheck }: ConnectConfig): string[] {
  return [
    ...(proxy === null || proxy === "off" ? [] : ["--proxy"]),
    ...(certFile === null ? [] : ["--cert"]),
    ...(noCheck ? ["--no-check"] : []),
  ];
}

/** Throws `UsageError` for flags that don't fit together. */
export function checkConnect(config: ConnectConfig): void {
  const { url, listen, binary, base64, json } = config;
  if (url === null && listen === null) {
    throw wrong("url", "is missing", "wss://host:port/path or ws://host:port/path, or --listen");
  }
  if (url !== null && listen !== null) {
    throw wrong("--listen", "and a URL exclude each other", "one of them");
  }
  checkClientCertificate(config);
  if (binary && (base64 || json)) {
    throw wrong("--binary", `and --${json ? "json" : "base64"} exclude each other`, "one of them");
  }
  for (const line of config.execute) checkExecute(line, config);
}

/** What can't be sent is found before anything is connected to. */
function checkExecute(line: string, { slash, base64 }: ConnectConfig): void {
  const typed = slash ? parseTyped(line) : { kind: "message", text: line } as const;
  if (typed.kind === "wrong") {
    throw wrong("--execute", `can't be sent: ${typed.problem}`, "what --slash knows");
  }
  if (typed.kind === "message" && base64 && parseBase64(typed.text) === null) {
    throw wrong(
      "--execute",
      `${JSON.stringify(typed.text)} is no base64`,
      "base64, with its padding",
    );
  }
}

function isSecure(url: string): boolean {
  return /^(?:wss|https):/.test(url);
}

function wrong(key: string, problem: string, allowed: string): UsageError {
  return new UsageError({ key, value: null, problem, allowed });
}
