import type { Content } from "../ingress/offer.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { sha1 } from "../net/sha1.ts";
import { unread } from "../net/unread.ts";
import { ResponseBodyParser, responseFraming } from "../protocol/http1/body.ts";
import { encodeRequestHead } from "../protocol/http1/encode.ts";
import type { HttpVersion } from "../protocol/http1/framing.ts";
import { type ResponseHead, ResponseHeadParser } from "../protocol/http1/head.ts";
import { listMembers } from "../protocol/http1/octets.ts";
import { switchedTo } from "../protocol/http1/upgrade.ts";
import { acceptFor, encodeKey } from "../protocol/websocket/handshake.ts";
import { type Field, getFields } from "../protocol/wire/field.ts";
import { concat } from "../protocol/wire/bytes.ts";
import { negotiated, UpgradeMismatch } from "./negotiated.ts";

export interface UpgradeRequest {
  /** Default GET, as a WebSocket's always is. */
  method?: string;
  /** The request target: path and query. */
  target: string;
  host: string;
  /** What is to be spoken, as an Upgrade field says it. Default "websocket". */
  protocol?: string;
  /** All other fields, subprotocols and extensions among them; names in lower case. */
  fields: readonly Field[];
  /** Goes with the request, where it is not for a WebSocket. */
  content?: Uint8Array;
  maxHeaderBytes: number;
}

/** The answer is 101, and right: the bytes of the tunnel come next. */
export interface Upgraded {
  kind: "upgraded";
  stream: ByteStream;
  fields: Field[];
  /** What is spoken now, as the server says it. */
  protocol: string;
  /** Of a WebSocket. */
  subprotocol: string | null;
  /** Of a WebSocket: the RSV bits that its extensions use. `null` for any other protocol. */
  allowedRsv: number | null;
}

/** The answer is another one. */
export interface Refused {
  kind: "refused";
  status: number;
  /** Of HTTP, as its head says. */
  version: HttpVersion;
  fields: Field[];
  /** Ends the connection with it. */
  content: Content;
}

/**
 * Asks for a WebSocket on a fresh HTTP/1.1 connection, with a key of its own, and checks the
 * answer (RFC 6455 §4.1); or for another protocol (RFC 9110 §7.8).
 *
 * @throws {UpgradeMismatch} for a 101 that is not right
 * @throws {HttpError} for an answer that is not HTTP/1.1
 * @throws {NetError} when the connection breaks
 */
export async function requestUpgrade(
  stream: ByteStream,
  request: UpgradeRequest,
): Promise<Upgraded | Refused> {
  const { protocol = "websocket", method = "GET" } = request;
  const key = protocol.toLowerCase() === "websocket"
    ? encodeKey(crypto.getRandomValues(new Uint8Array(16)))
    : null;
  const head = encodeRequestHead({
    method,
    target: request.target,
    fields: [
      ["host", request.host],
      ["connection", "Upgrade"],
      ["upgrade", protocol],
      ...handshakeFields(request, key),
      ...request.fields,
    ],
  });
  await stream.write(request.content ? concat([head, request.content]) : head);
  const answer = await readHead(stream, request.maxHeaderBytes);
  if (answer.head.status !== 101) return refused(answer.head, { method, stream, ...answer });
  return {
    kind: "upgraded",
    stream: answer.rest.length === 0 ? stream : unread(stream, answer.rest),
    fields: answer.head.fields,
    ...switched(answer.head, request, key),
  };
}

function handshakeFields({ content }: UpgradeRequest, key: string | null): Field[] {
  if (key !== null) return [["sec-websocket-version", "13"], ["sec-websocket-key", key]];
  return content ? [["content-length", String(content.length)]] : [];
}

/** What the two sides have agreed on. */
function switched(
  head: ResponseHead,
  request: UpgradeRequest,
  key: string | null,
): Pick<Upgraded, "protocol" | "subprotocol" | "allowedRsv"> {
  if (key !== null) {
    checkUpgrade(head.fields, key);
    return { protocol: "websocket", ...negotiated(head.fields, request.fields) };
  }
  const offered = listMembers(request.protocol ?? "");
  return { protocol: switchedTo(head, offered), subprotocol: null, allowedRsv: null };
}

async function readHead(
  stream: ByteStream,
  limit: number,
): Promise<{ head: ResponseHead; rest: Uint8Array }> {
  const parser = new ResponseHeadParser({ limit });
  for (;;) {
    const chunk = await stream.read();
    if (chunk === null) throw new NetError("lost", "connection closed before an answer");
    parser.push(chunk);
    for (let head = parser.next(); head !== null; head = parser.next()) {
      // RFC 9110 §15.2: any number of 1xx come before the final answer.
      if (head.status < 200 && head.status !== 101) continue;
      return { head, rest: parser.rest().slice() };
    }
  }
}

/** What a client checks in a 101 alone. */
function checkUpgrade(fields: readonly Field[], key: string): void {
  const upgrade = getFields(fields, "upgrade").join(", ");
  // RFC 6455 §4.1: Upgrade is "websocket" and Connection has the token "upgrade", in any case.
  if (upgrade.toLowerCase() !== "websocket") {
    throw new UpgradeMismatch(`its 101 has Upgrade "${upgrade}"`);
  }
  const connection = getFields(fields, "connection").join(",").toLowerCase().split(",");
  if (!connection.some((token) => token.trim() === "upgrade")) {
    throw new UpgradeMismatch("its 101 has no Connection: Upgrade");
  }
  if (getFields(fields, "sec-websocket-accept").join(",") !== acceptFor(key, sha1)) {
    throw new UpgradeMismatch("its Sec-WebSocket-Accept does not fit the key");
  }
}

function refused(
  head: ResponseHead,
  { method, stream, rest }: { method: string; stream: ByteStream; rest: Uint8Array },
): Refused {
  const parser = new ResponseBodyParser(head, method);
  const framing = responseFraming(head, method);
  parser.push(rest);
  const content: Content = {
    length: typeof framing === "number" ? framing : null,
    get trailers() {
      return parser.trailers;
    },
    async read() {
      for (;;) {
        const part = parser.next();
        if (part !== null) return part;
        if (parser.done) break;
        const chunk = await stream.read();
        if (chunk !== null) parser.push(chunk);
        else {
          parser.end();
          break;
        }
      }
      stream.abort();
      return null;
    },
    cancel: () => stream.abort(),
  };
  const { status, version, fields } = head;
  return { kind: "refused", status, version, fields, content };
}
