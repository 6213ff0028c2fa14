import { UpgradeRefused } from "../client/connect.ts";
import { NetError } from "../net/error.ts";
import { tlsFaultOf } from "../net/tls_fault.ts";
import { reasonPhrase } from "../protocol/http1/status.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { getField } from "../protocol/wire/field.ts";
import { visible } from "./connect_format.ts";
import { RedirectError } from "./connect_open.ts";

/** What was tried. */
export interface Attempt {
  readonly url: string;
  readonly http: "auto" | "1.1" | "2" | "3";
  /** Whether it had to be TCP, whatever `http` says. */
  readonly tcpOnly: boolean;
  readonly caFile: string | null;
  readonly timeoutMs: number;
  /** The proxy, "host:port". */
  readonly proxy: string | null;
}

/** One line that says why no WebSocket could be opened, and what to try. */
export function explain(error: unknown, attempt: Attempt): string {
  const [cause, hint] = causeOf(error, attempt);
  return `Cannot open ${attempt.url}: ${visible(cause)}${hint === "" ? "" : `; ${hint}`}`;
}

type Cause = readonly [cause: string, hint: string];

function causeOf(error: unknown, attempt: Attempt): Cause {
  if (error instanceof UpgradeRefused) return refusal(error, attempt);
  if (error instanceof RedirectError) return [error.message, ""];
  if (error instanceof NetError) return netCause(error, attempt);
  if (error instanceof PeerError) {
    return [`the server breaks a rule of HTTP: ${error.message}`, otherVersion(attempt)];
  }
  throw error;
}

const TO_TRY: Readonly<Record<number, string>> = {
  400: "--header and --subprotocol add what it may miss",
  401: "--auth user:password, or a token by --header 'Authorization: Bearer ...'",
  403: "--origin names the page that it may come from, --header a cookie or a token",
  404: "is the path right?",
  405: "is the path that of a WebSocket?",
  421: "--host names the host that it serves",
  426: "is the path that of a WebSocket?",
  429: "there were too many; try later",
};

const MAX_SHOWN_BODY = 200;

function refusal({ status, fields, body }: UpgradeRefused, attempt: Attempt): Cause {
  const location = getField(fields, "location");
  const words = `the server answered ${status} ${reasonPhrase(status)}`.trimEnd();
  if (status >= 300 && status <= 399 && location !== null) {
    return [`${words} to ${location}`, "-L follows it"];
  }
  const text = bodyText(fields.find(([name]) => name === "content-type")?.[1] ?? "", body);
  const hint = TO_TRY[status] ??
    (status >= 500
      ? "the server or what stands behind it fails; its log says why"
      : status >= 200 && status <= 299
      ? "is the path that of a WebSocket?"
      : otherVersion(attempt));
  return [text === "" ? words : `${words}: ${text}`, hint];
}

function bodyText(contentType: string, body: Uint8Array): string {
  if (/html|image|octet-stream/i.test(contentType)) return "";
  const text = new TextDecoder().decode(body).trim().replaceAll(/\s+/g, " ");
  return text.length > MAX_SHOWN_BODY ? `${text.slice(0, MAX_SHOWN_BODY)}…` : text;
}

function netCause(error: NetError, attempt: Attempt): Cause {
  const { hostname, port, protocol } = new URL(attempt.url);
  const at = attempt.proxy !== null
    ? `the proxy ${attempt.proxy}`
    : `${hostname}:${port || (/^(?:wss|https):$/.test(protocol) ? 443 : 80)}`;
  switch (error.kind) {
    case "unresolved":
      return [`no host ${attempt.proxy ?? hostname}`, "is its name right, and is there a network?"];
    case "refused":
      if (attempt.proxy !== null && /CONNECT/.test(error.message)) return ofProxy(error);
      return [`nobody listens at ${at}`, "does the server run, and is that its port?"];
    case "unreachable":
      if (attempt.proxy !== null && /CONNECT/.test(error.message)) return ofProxy(error);
      return [`no way to ${at}`, "is there a network that leads there?"];
    case "timeout":
    case "aborted":
      return timeout(at, attempt);
    case "tls":
      return tlsCause(error, { hostname, at, attempt });
    case "reset":
    case "lost":
    case "stopped":
      return [`the connection broke: ${ownWords(error, attempt)}`, brokenHint(attempt)];
    case "in_use":
    case "other":
      return [ownWords(error, attempt), otherVersion(attempt)];
  }
}

/** What an error says, where it begins with what could not be done. */
function ownWords({ message }: Error, { url }: Attempt): string {
  const head = `Cannot open ${url}: `;
  return message.startsWith(head) ? message.slice(head.length) : message;
}

function ofProxy({ message }: NetError): Cause {
  const wants = message.includes(" 407 ");
  return [message, wants ? "--proxy http://user:password@host:port" : "--proxy off goes without"];
}

function isQuic({ http, url, tcpOnly }: Attempt): boolean {
  return /^(?:wss|https):/.test(url) && (http === "3" || (http === "auto" && !tcpOnly));
}

function timeout(at: string, attempt: Attempt): Cause {
  const cause = `no answer from ${at} within ${attempt.timeoutMs / 1000} s`;
  if (!isQuic(attempt)) return [cause, "a firewall may be between, --timeout waits longer"];
  return [`${cause} over UDP`, "HTTP/3 may not be served there, or be blocked; try -1"];
}

function otherVersion(attempt: Attempt): string {
  return isQuic(attempt) ? "try -1" : attempt.http === "2" ? "try -1" : "";
}

function brokenHint({ url }: Attempt): string {
  return /^(?:wss|https):/.test(url) ? "" : "if it speaks TLS, wss:// is the way";
}

interface TlsAttempt {
  readonly hostname: string;
  readonly at: string;
  readonly attempt: Attempt;
}

function tlsCause(error: NetError, { hostname, at, attempt }: TlsAttempt): Cause {
  const unchecked = isQuic(attempt) ? "" : ", -n takes any";
  switch (tlsFaultOf(error)) {
    case "issuer":
      return [
        "nobody who is trusted signed its certificate",
        attempt.caFile === null
          ? `--ca names the file of the CA that did${unchecked}`
          : `${attempt.caFile} is not the CA that did${unchecked}`,
      ];
    case "name":
      return [
        `its certificate is not for ${hostname}`,
        `the URL has to have a name of the certificate${unchecked}`,
      ];
    case "expired":
      return ["its certificate has expired", `is this clock right?${unchecked.replace(",", "")}`];
    case "wanted":
      return [
        "the server wants a client's certificate that it trusts",
        isQuic(attempt) ? "try -1 with --cert and --key" : "--cert and --key show one",
      ];
    case "plain":
      return [`${at} does not speak TLS`, "try ws:// instead of wss://"];
    case "alpn":
    case "other":
      return [`TLS failed: ${ownWords(error, attempt)}`, otherVersion(attempt)];
  }
}

/** Whether the same may go well a little later. */
export function isWorthRetrying(error: unknown): boolean {
  if (error instanceof UpgradeRefused) {
    return error.status >= 500 || error.status === 429 || error.status === 408;
  }
  return error instanceof NetError && error.kind !== "tls" && error.kind !== "other";
}
