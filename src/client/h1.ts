import type { Content } from "../ingress/offer.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { sha1 } from "../net/sha1.ts";
import { ResponseBodyParser, responseFraming } from "../protocol/http1/body.ts";
import { encodeRequestHead } from "../protocol/http1/encode.ts";
import { type ResponseHead, ResponseHeadParser } from "../protocol/http1/head.ts";
import { acceptFor, encodeKey } from "../protocol/websocket/handshake.ts";
import { type Field, getFields } from "../protocol/wire/field.ts";
import { concat } from "../protocol/wire/bytes.ts";
import { type Negotiated, negotiated, UpgradeMismatch } from "./negotiated.ts";

export interface UpgradeRequest {
  /** The request target: path and query. */
  target: string;
  host: string;
  /** All other fields, subprotocols and extensions among them; names in lower case. */
  fields: readonly Field[];
  maxHeaderBytes: number;
}

/** The answer is 101, and right: the bytes of the WebSocket come next. */
export interface Upgraded extends Negotiated {
  kind: "upgraded";
  stream: ByteStream;
  fields: Field[];
}

/** The answer is another one. */
export interface Refused {
  kind: "refused";
  status: number;
  fields: Field[];
  /** Ends the connection with it. */
  content: Content;
}

/**
 * Asks for a WebSocket on a fresh HTTP/1.1 connection, with a key of its own, and checks the
 * answer (RFC 6455 §4.1).
 *
 * @throws {UpgradeMismatch} for a 101 that is not right
 * @throws {HttpError} for an answer that is not HTTP/1.1
 * @throws {NetError} when the connection breaks
 */
export async function requestUpgrade(
  stream: ByteStream,
  request: UpgradeRequest,
): Promise<Upgraded | Refused> {
  const key = encodeKey(crypto.getRandomValues(new Uint8Array(16)));
  await stream.write(encodeRequestHead({
    method: "GET",
    target: request.target,
    fields: [
      ["host", request.host],
      ["connection", "Upgrade"],
      ["upgrade", "websocket"],
      ["sec-websocket-version", "13"],
      ["sec-websocket-key", key],
      ...request.fields,
    ],
  }));
  const { head, rest } = await readHead(stream, request.maxHeaderBytes);
  if (head.status !== 101) return refused(head, stream, rest);
  const { fields } = head;
  checkUpgrade(fields, key);
  return {
    kind: "upgraded",
    stream: withRest(stream, rest),
    fields,
    ...negotiated(fields, request.fields),
  };
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

function refused(head: ResponseHead, stream: ByteStream, rest: Uint8Array): Refused {
  const parser = new ResponseBodyParser(head, "GET");
  const framing = responseFraming(head, "GET");
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
  return { kind: "refused", status: head.status, fields: head.fields, content };
}

/** What came with the head is read first, with the same room before it as all that follows. */
function withRest(stream: ByteStream, rest: Uint8Array): ByteStream {
  if (rest.length === 0) return stream;
  const { headroom } = stream;
  let first: Uint8Array | null = concat([new Uint8Array(headroom), rest]).subarray(headroom);
  return {
    headroom,
    read() {
      const chunk = first;
      first = null;
      return chunk === null ? stream.read() : Promise.resolve(chunk);
    },
    write: (bytes) => stream.write(bytes),
    closeWrite: () => stream.closeWrite(),
    abort: (reason) => stream.abort(reason),
  };
}
