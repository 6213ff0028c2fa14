// RFC 9110 §9.3.6, RFC 9112 §3.2.2: what a client asks of a forward proxy.
import { parseAuthority } from "../wire/authority.ts";
import type { Field } from "../wire/field.ts";
import { normalHost } from "../wire/host.ts";
import { endToEnd } from "./connection.ts";
import type { RequestHeadInit } from "./encode.ts";
import { declaredFraming } from "./framing.ts";
import type { RequestHead } from "./head.ts";
import { isLastHop, isLooping, loweredMaxForwards, via } from "./intermediary.ts";
import { requestUri } from "./target.ts";

/** Whom a request is for. */
export interface ProxyTarget {
  /** A name in lower case, or an IP address, IPv6 without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** A tunnel to the target: what follows the head is its bytes. */
export interface ConnectRequest extends ProxyTarget {
  readonly kind: "connect";
}

/** One request for the target; its content follows the head, framed as it came. */
export interface AbsoluteRequest extends ProxyTarget {
  readonly kind: "absolute";
  /**
   * What goes on to the target. It says nothing of the connection: Connection and Upgrade are for
   * the sender to add. A client's next request may be for another target.
   */
  readonly head: RequestHeadInit;
}

/** What goes to no target: the proxy says so itself. */
export interface ProxyAnswer {
  readonly kind: "answer";
  readonly status: number;
  /** Why, for the one who asked. */
  readonly text: string;
}

/** What a proxy does with a request. */
export type ProxyRequest = ConnectRequest | AbsoluteRequest | ProxyAnswer;

const HTTP_PORT = 80;

/**
 * What to do with a request that came to a proxy; the head is one that `RequestHeadParser` gave. Who
 * may ask is not looked at: see `proxyCredentials`.
 */
export function readProxyRequest(head: RequestHead): ProxyRequest {
  const { scheme, authority, path } = requestUri(head);
  if (head.method === "CONNECT") {
    const target = targetOf(authority, null);
    return target === null ? badTarget() : { kind: "connect", ...target };
  }
  // RFC 9112 §3.2.2: a client MUST send a proxy the absolute-form.
  if (scheme === null) {
    return answer(400, "This is a proxy: it takes CONNECT and absolute URIs");
  }
  // What is meant for TLS goes in clear no step of its way.
  if (scheme === "https" || scheme === "wss") {
    return answer(501, `${scheme} goes through this proxy by CONNECT alone`);
  }
  const target = targetOf(authority, HTTP_PORT);
  if (target === null) return badTarget();
  if (isLooping(head)) return answer(508, "This request has been here before");
  // RFC 9110 §7.6.2: what MUST NOT be forwarded any more is answered here.
  if (isLastHop(head)) {
    return head.method === "TRACE" ? answer(405, "TRACE ends here") : answer(204, "");
  }
  const fields = forwardedFields(head, target);
  return { kind: "absolute", ...target, head: { method: head.method, target: path, fields } };
}

/** `null` for a target that can't be connected to. */
function targetOf(authority: string, defaultPort: number | null): ProxyTarget | null {
  const parsed = parseAuthority(authority);
  if (parsed === null) return null;
  const host = normalHost(parsed.host);
  const port = parsed.port ?? defaultPort ?? 0;
  return host === null || port === 0 ? null : { host, port };
}

/** RFC 9110 §7.6: the fields for the target. */
function forwardedFields(head: RequestHead, target: ProxyTarget): Field[] {
  const { method, version, fields } = head;
  // RFC 9112 §3.2.2: Host MUST be ignored and replaced by that of the request-target.
  const forwarded: Field[] = [["host", hostField(target)]];
  for (const [name, value] of endToEnd(fields)) {
    if (name === "host" || name === "via" || name.startsWith("proxy-")) continue;
    const isCount = name === "max-forwards";
    forwarded.push([name, isCount ? loweredMaxForwards(method, value) : value]);
  }
  forwarded.push(via(fields, version));
  // RFC 9112 §6.1: Transfer-Encoding is of one hop; it is said again, for the content is not changed.
  const isChunked = declaredFraming({ isRequest: true, version, fields }) === "chunked";
  if (isChunked) forwarded.push(["transfer-encoding", "chunked"]);
  return forwarded;
}

/** RFC 9110 §7.2: uri-host [ ":" port ]. */
function hostField({ host, port }: ProxyTarget): string {
  const uriHost = host.includes(":") ? `[${host}]` : host;
  return port === HTTP_PORT ? uriHost : `${uriHost}:${port}`;
}

function badTarget(): ProxyAnswer {
  return answer(400, "The request names no host and port that can be connected to");
}

function answer(status: number, text: string): ProxyAnswer {
  return { kind: "answer", status, text };
}
