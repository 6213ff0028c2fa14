import { Socks5Client } from "../protocol/socks5/client.ts";
import {
  Socks5Command,
  Socks5Error,
  Socks5Reply,
  socks5ReplyName,
} from "../protocol/socks5/codes.ts";
import type { Socks5Answer } from "../protocol/socks5/request.ts";
import type { Credentials } from "../protocol/wire/credentials.ts";
import { formatAddress } from "./address.ts";
import type { ByteStream } from "./byte_stream.ts";
import { dial, type Dialer } from "./dial.ts";
import { NetError, type NetErrorKind, toNetError } from "./error.ts";

/** A SOCKS5 proxy that opens TCP connections for its clients (RFC 1928). */
export interface SocksProxy {
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** The TCP port. */
  port: number;
  /** By RFC 1929; without them nothing is said of who asks. */
  credentials?: Credentials;
}

/** RFC 1928 §6: what a reply means to whoever asked. */
const KINDS: ReadonlyMap<number, NetErrorKind> = new Map([
  [Socks5Reply.NOT_ALLOWED, "refused"],
  [Socks5Reply.CONNECTION_REFUSED, "refused"],
  [Socks5Reply.NETWORK_UNREACHABLE, "unreachable"],
  [Socks5Reply.HOST_UNREACHABLE, "unreachable"],
  [Socks5Reply.TTL_EXPIRED, "unreachable"],
]);

/** Connects by CONNECT of a SOCKS5 proxy; it is the proxy that looks names up. */
export function socksDialer(proxy: SocksProxy): Dialer {
  return async (target, signal) => {
    const { hostname, port } = proxy;
    const stream = await dial({ hostname, port }, signal);
    const abort = () => stream.abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await askSocks(stream, proxy, target);
      return stream;
    } catch (error) {
      stream.abort();
      if (signal.aborted && signal.reason instanceof NetError) throw signal.reason;
      if (!(error instanceof Socks5Error)) throw toNetError(error);
      throw new NetError("refused", `the proxy ${formatAddress(proxy)}: ${error.message}`, error);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  };
}

async function askSocks(
  stream: Pick<ByteStream, "read" | "write">,
  proxy: SocksProxy,
  { hostname: host, port }: { hostname: string; port: number },
): Promise<void> {
  const request = { command: Socks5Command.CONNECT, host, port };
  const parser = new Socks5Client(request, proxy.credentials);
  await stream.write(parser.greeting);
  const { reply } = await answerOf(stream, parser);
  if (reply !== Socks5Reply.SUCCEEDED) {
    throw new NetError(
      KINDS.get(reply) ?? "other",
      `the proxy ${formatAddress(proxy)} answered CONNECT with ${socks5ReplyName(reply)}`,
    );
  }
  // Whoever comes this way speaks TLS, or HTTP: the client speaks first.
  if (parser.rest().length > 0) {
    throw new NetError("other", "the proxy sent bytes behind its answer to CONNECT");
  }
}

async function answerOf(
  stream: Pick<ByteStream, "read" | "write">,
  parser: Socks5Client,
): Promise<Socks5Answer> {
  for (;;) {
    const event = parser.next();
    if (event?.type === "reply") return event;
    if (event?.type === "send") {
      await stream.write(event.bytes);
      continue;
    }
    const chunk = await stream.read();
    if (chunk === null) throw new NetError("lost", "the proxy closed the connection to itself");
    parser.push(chunk);
  }
}
