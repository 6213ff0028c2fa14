import { isIPv4, isIPv6 } from "node:net";
import { formatAddress, isHostname } from "../net/address.ts";

/** A server that sessions and ordinary requests go to. */
export interface Backend {
  tls: boolean;
  /** A name or an IP address, IPv6 without brackets; `localhost` for a unix socket. */
  hostname: string;
  port: number;
  /** The socket's path, or `null` for TCP. */
  unixPath: string | null;
  /** The path that every session asks for, or `null` for that of its request. */
  path: string | null;
  /** The agents that connect to it, by the name of their group; `null` where we do ourselves. */
  agents: string | null;
  /** As it is shown in messages. */
  url: string;
  /** The Host of its requests (RFC 9110 §7.2): without the port if that is the scheme's own. */
  authority: string;
}

const DEFAULT_PORT = { "ws:": 80, "http:": 80, "wss:": 443, "https:": 443 } as const;
const UNIX = /^ws\+unix:(?:\/\/)?(\/[^:]+)(?::(\/.*))?$/i;
const AGENT = /^agent(\+tls)?:\/\/([^\s/?#@%\p{Cc}]{1,128})\/([^/?#@]+)(\/[^\\?#]*)?$/iu;
const TCP = /^(?:ws|http)s?:\/\/[^/\\?#@]+(\/[^\\?#]*)?$/i;

/**
 * `ws://host:port`, `wss://host/path`, `ws+unix:/path.sock:/path` or `agent://group/host:port/path`
 * (with TLS: `agent+tls:`); `undefined` if it is none.
 * `http:` and `https:` say the same as `ws:` and `wss:`: both kinds of requests go to any of them.
 *
 * A path that is there, if only `/`, is the one that sessions ask for. A query is refused, since
 * that of the request is kept, as are a fragment (RFC 6455 §3) and a user with a password.
 */
export function parseBackend(text: string): Backend | undefined {
  if (/[\s\p{Cc}]/u.test(text)) return undefined;
  return parseUnix(text) ?? parseAgent(text) ?? parseTcp(text);
}

function parseUnix(text: string): Backend | undefined {
  const match = UNIX.exec(text);
  if (match === null) return undefined;
  const [, unixPath, path = null] = match;
  if (path !== null && /[?#]/.test(path)) return undefined;
  return {
    tls: false,
    hostname: "localhost",
    port: 0,
    unixPath,
    agents: null,
    path: path === null ? null : new URL(`ws://localhost${path}`).pathname,
    url: `ws+unix:${unixPath}${path === null ? "" : `:${path}`}`,
    authority: "localhost",
  };
}

/** Behind the group it is as behind ws://, with a port. */
function parseAgent(text: string): Backend | undefined {
  const match = AGENT.exec(text);
  if (match === null) return undefined;
  const [, tls, group, address, path = ""] = match;
  const as = tls === undefined ? "ws" : "wss";
  const behind = /:\d+$/.test(address) ? parseTcp(`${as}://${address}${path}`) : undefined;
  if (behind === undefined) return undefined;
  const scheme = tls === undefined ? "agent" : "agent+tls";
  return {
    ...behind,
    agents: group,
    url: `${scheme}://${group}/${formatAddress(behind)}${behind.path ?? ""}`,
  };
}

function parseTcp(text: string): Backend | undefined {
  const match = TCP.exec(text);
  const url = match && URL.parse(text);
  if (!match || !url) return undefined;
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  if (!isIPv4(hostname) && !isIPv6(hostname) && !isHostname(hostname)) return undefined;
  const port = url.port === ""
    ? DEFAULT_PORT[url.protocol as keyof typeof DEFAULT_PORT]
    : Number(url.port);
  if (port === 0) return undefined;
  const path = match[1] === undefined ? null : url.pathname;
  return {
    tls: url.protocol === "wss:" || url.protocol === "https:",
    hostname,
    port,
    unixPath: null,
    agents: null,
    path,
    url: `${url.protocol}//${url.host}${path ?? ""}`,
    authority: url.host,
  };
}
