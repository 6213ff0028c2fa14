import { UpgradeRefused } from "../client/connect.ts";
import { BrokenOff } from "../client/http_client.ts";
import { UpgradeMismatch } from "../client/negotiated.ts";
import { NetError } from "../net/error.ts";
import { tlsFaultOf } from "../net/tls_fault.ts";
import { reasonPhrase } from "../protocol/http1/status.ts";
import { H2Error } from "../protocol/http2/codes.ts";
import { H3Error } from "../protocol/http3/codes.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { getField } from "../protocol/wire/field.ts";
import { visible } from "../protocol/wire/visible.ts";
import { RedirectError } from "./connect_open.ts";

/** What was tried. */
export interface Attempt {
  readonly url: string;
  readonly http: "auto" | "1.1" | "2" | "3";
  readonly caFile: string | null;
  readonly timeoutMs: number;
  /** The proxy, "host:port". */
  readonly proxy: string | null;
}

/** One line that says why no WebSocket could be opened, and what to try. */
export function explain(error: unknown, attempt: Attempt): string {
  const [cause, hint] = causeOf(error, attempt);
  return visible(`Cannot open ${attempt.url}: ${cause}${hint === "" ? "" : `; ${hint}`}`);
}

type Cause = readonly [cause: string, hint: string];

function causeOf(error: unknown, attempt: Attempt): Cause {
  if (error instanceof UpgradeRefused) return refusal(error, attempt);
  if (error instanceof RedirectError) return [error.message, ""];
  if (error instanceof NetError) return netCause(error, attempt);
  if (error instanceof PeerError) {
    const inner = innerOf(error);
    return [`the server breaks a rule of HTTP: ${inner.message}`, otherVersion(attempt, inner)];
  }
  throw error;
}

/** What `connectWebSocket` has put into a sentence for programs. */
function innerOf(error: NetError | PeerError): Error {
  const { cause } = error;
  const isPut = [NetError, PeerError, UpgradeMismatch].some((type) => cause instanceof type);
  return isPut ? cause as Error : error;
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
  const inner = innerOf(error);
  switch (error.kind) {
    case "unresolved":
      return [`no host ${attempt.proxy ?? hostname}`, "is its name right, and is there a network?"];
    case "refused":
      if (attempt.proxy !== null && /CONNECT/.test(inner.message)) return ofProxy(inner);
      if (attempt.http === "3") {
        return [`${at} refused the QUIC connection`, "it may be full, or shut down; try -1"];
      }
      return [`nobody listens at ${at}`, "does the server run, and is that its port?"];
    case "unreachable":
      if (attempt.proxy !== null && /CONNECT/.test(inner.message)) return ofProxy(inner);
      return [`no way to ${at}`, "is there a network that leads there?"];
    case "timeout":
    case "aborted":
      return timeout(at, attempt);
    case "tls":
      return tlsCause(inner, { hostname, at, attempt });
    case "reset":
    case "lost":
    case "stopped":
      return [`the connection broke: ${inner.message}`, brokenHint(attempt, inner)];
    case "in_use":
    case "busy":
    case "other":
      return [inner.message, otherVersion(attempt)];
  }
}

function ofProxy({ message }: Error): Cause {
  const wants = message.includes(" 407 ");
  return [message, wants ? "--proxy http://user:password@host:port" : "--proxy off goes without"];
}

function timeout(at: string, { http, timeoutMs }: Attempt): Cause {
  const cause = `no answer from ${at} within ${timeoutMs / 1000} s`;
  if (http !== "3") return [cause, "a firewall may be between, --timeout waits longer"];
  return [`${cause} over UDP`, "HTTP/3 may not be served there, or be blocked; try -1"];
}

/** What "auto" took is what the server chose, but it may speak an older version better. */
function otherVersion({ http }: Attempt, error?: Error): string {
  const isNew = http === "auto" && (error instanceof H2Error || error instanceof H3Error);
  return http === "3" || http === "2" || isNew ? "try -1" : "";
}

function brokenHint({ http, url }: Attempt, error: Error): string {
  if (http === "2" || http === "3") return "try -1";
  return error instanceof BrokenOff || /^(?:wss|https):/.test(url)
    ? ""
    : "if it speaks TLS, wss:// is the way";
}

const DOCTOR = "h3ws doctor tells what it speaks";

interface TlsAttempt {
  readonly hostname: string;
  readonly at: string;
  readonly attempt: Attempt;
}

function tlsCause(error: Error, { hostname, at, attempt }: TlsAttempt): Cause {
  const unchecked = attempt.http === "3" ? "" : ", -n takes any";
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
        attempt.http === "3" ? "try -1 with --cert and --key" : "--cert and --key show one",
      ];
    case "plain":
      return [`${at} does not speak TLS`, "try ws:// instead of wss://"];
    case "alpn":
      return attempt.http === "auto"
        ? ["it takes WebSockets by neither HTTP/2 nor HTTP/1.1", DOCTOR]
        : [`it speaks no HTTP/${attempt.http}`, otherVersion(attempt) || DOCTOR];
    case "other":
      return [`TLS failed: ${error.message}`, otherVersion(attempt)];
  }
}

/** Whether the same may go well a little later. */
export function isWorthRetrying(error: unknown): boolean {
  if (error instanceof UpgradeRefused) {
    return error.status >= 500 || error.status === 429 || error.status === 408;
  }
  return error instanceof NetError && error.kind !== "tls" && error.kind !== "other";
}
