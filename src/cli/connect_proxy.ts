import { isIP } from "node:net";
import { parseCidrs } from "../config/cidr.ts";
import { UsageError, ValueError } from "../config/error.ts";
import type { Environment } from "../config/flags.ts";
import type { HttpProxy } from "../net/http_proxy.ts";
import { parseProxy } from "./connect_kinds.ts";

/**
 * The proxy that the environment has for a URL: HTTPS_PROXY for wss, http_proxy for ws, but for
 * what NO_PROXY names, and for this machine itself. `null` for none. HTTP_PROXY in capitals is not
 * read: a CGI program gets it from whoever sends a Proxy field.
 *
 * @throws {UsageError} for a variable that names no HTTP proxy
 */
export function proxyFromEnvironment(url: string, env: Environment): HttpProxy | null {
  const { protocol, hostname, port } = new URL(url);
  const isSecure = /^(?:wss|https):$/.test(protocol);
  const names = isSecure ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"];
  const key = names.find((name) => env[name]);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (key === undefined || isLoopback(host)) return null;
  const except = env.no_proxy || env.NO_PROXY || "";
  if (isExcepted({ host, port: port || (isSecure ? "443" : "80") }, except)) return null;
  try {
    return parseProxy(env[key]!);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    // It may have a password in it.
    const { problem, allowed } = error;
    throw new UsageError({ key, value: null, problem: `what it names ${problem}`, allowed });
  }
}

function isLoopback(host: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(host) || parseCidrs("loopback")(host);
}

/** Whether a list as NO_PROXY has it names the host: `example.com`, `.example.com`, `10.0.0.0/8`, `a:81`, `*`. */
export function isExcepted(
  { host, port }: { host: string; port: string },
  list: string,
): boolean {
  return list.split(/[\s,]+/).filter((entry) => entry !== "").some((entry) => {
    if (entry === "*") return true;
    if (isIP(host) !== 0) return isOfRange(host, entry);
    const [, name, only] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase())!;
    const lower = host.toLowerCase().replace(/\.$/, "");
    return (only === undefined || only === port) && name !== "" &&
      (lower === name || lower.endsWith(`.${name}`));
  });
}

function isOfRange(host: string, entry: string): boolean {
  try {
    return parseCidrs(entry.replace(/^\[|\]$/g, ""))(host);
  } catch {
    // A name.
    return false;
  }
}
