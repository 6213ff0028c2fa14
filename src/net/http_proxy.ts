import { encodeRequestHead } from "../protocol/http1/encode.ts";
import { type ResponseHead, ResponseHeadParser } from "../protocol/http1/head.ts";
import { reasonPhrase } from "../protocol/http1/status.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { ByteStream } from "./byte_stream.ts";
import { NetError } from "./error.ts";

/** An HTTP proxy that opens TCP connections for its clients (RFC 9110 §9.3.6). */
export interface HttpProxy {
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** The TCP port. */
  port: number;
  /** What Proxy-Authorization says: "Basic ...". */
  authorization?: string;
}

/** Where one goes, and by which proxy. */
export interface ProxiedTarget {
  hostname: string;
  port: number;
  proxy?: HttpProxy;
}

const MAX_HEAD_BYTES = 64 * 1024;
const PROXY_AUTHENTICATION_REQUIRED = 407;

/** Where TCP itself goes: to the proxy, if there is one. */
export function addressOf(target: ProxiedTarget): { hostname: string; port: number } {
  return target.proxy ?? target;
}

/**
 * Has the proxy at the other end of `stream` connect to `target`, by CONNECT; what follows on the
 * stream is the target's.
 *
 * @throws {NetError} when it does not
 * @throws {HttpError} for an answer that is not HTTP/1.1
 */
export async function askProxy(
  stream: Pick<ByteStream, "read" | "write">,
  { hostname, port, proxy }: ProxiedTarget,
): Promise<void> {
  const authority = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const fields: Field[] = [["host", authority]];
  if (proxy?.authorization !== undefined) {
    fields.push(["proxy-authorization", proxy.authorization]);
  }
  await stream.write(encodeRequestHead({ method: "CONNECT", target: authority, fields }));
  const { status } = await readHead(stream);
  // RFC 9110 §9.3.6: any 2xx opens the tunnel.
  if (status >= 200 && status <= 299) return;
  const why = `${status} ${reasonPhrase(status)}`.trimEnd();
  throw new NetError(
    status === PROXY_AUTHENTICATION_REQUIRED ? "refused" : "unreachable",
    `the proxy ${proxy?.hostname}:${proxy?.port} answered CONNECT with ${why}`,
  );
}

async function readHead(stream: Pick<ByteStream, "read">): Promise<ResponseHead> {
  const parser = new ResponseHeadParser({ limit: MAX_HEAD_BYTES });
  for (;;) {
    const chunk = await stream.read();
    if (chunk === null) throw new NetError("lost", "the proxy closed the connection to itself");
    parser.push(chunk);
    for (let head = parser.next(); head !== null; head = parser.next()) {
      if (head.status < 200) continue;
      // Both sides of a WebSocket wait for the client to speak first: nothing can have come yet.
      if (head.status < 300 && parser.rest().length > 0) {
        throw new NetError("other", "the proxy sent bytes behind its answer to CONNECT");
      }
      return head;
    }
  }
}
