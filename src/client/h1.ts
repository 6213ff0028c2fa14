import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { sha1 } from "../net/sha1.ts";
import { ResponseBodyParser } from "../protocol/http1/body.ts";
import { encodeRequestHead } from "../protocol/http1/encode.ts";
import { type ResponseHead, ResponseHeadParser } from "../protocol/http1/head.ts";
import {
  acceptFor,
  allowedRsvOf,
  encodeKey,
  parseExtensions,
  parseTokenList,
} from "../protocol/websocket/handshake.ts";
import type { Field } from "../protocol/wire/field.ts";
import { getField, getFields } from "../protocol/wire/field.ts";

export interface UpgradeRequest {
  /** The request target: path and query. */
  target: string;
  host: string;
  /** All other fields, subprotocols and extensions among them; names in lower case. */
  fields: readonly Field[];
  maxHeaderBytes: number;
}

/** The answer is 101, and right: the bytes of the WebSocket come next. */
export interface Upgraded {
  kind: "upgraded";
  stream: ByteStream;
  fields: Field[];
  subprotocol: string | null;
  /** The RSV bits that the negotiated extensions use. */
  allowedRsv: number;
  /** What came behind the 101 in the same packet. */
  rest: Uint8Array | null;
}

/** The answer is another one. */
export interface Refused {
  kind: "refused";
  status: number;
  fields: Field[];
  /** Throws when the body breaks off. */
  body: AsyncIterable<Uint8Array>;
  /** Ends the connection below the body. */
  abort(): void;
}

/** The answer says 101, but is not one that RFC 6455 §4.1 lets a client accept. */
export class UpgradeMismatch extends Error {
  override name = "UpgradeMismatch";
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
  return {
    kind: "upgraded",
    stream,
    rest: rest.length > 0 ? rest : null,
    ...checkUpgrade(head.fields, request.fields, key),
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

/** What a client checks in a 101, and what was negotiated. */
function checkUpgrade(fields: Field[], asked: readonly Field[], key: string) {
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
  const extensions = getFields(fields, "sec-websocket-extensions").join(", ");
  checkExtensions(extensions, asked);
  return {
    fields,
    subprotocol: checkSubprotocol(fields, asked),
    allowedRsv: allowedRsvOf(extensions || null),
  };
}

/** RFC 6455 §4.1: a subprotocol that was not offered fails the connection. */
function checkSubprotocol(fields: readonly Field[], asked: readonly Field[]): string | null {
  const chosen = getFields(fields, "sec-websocket-protocol");
  if (chosen.length === 0) return null;
  const offered = getFields(asked, "sec-websocket-protocol").flatMap(parseTokenList);
  if (chosen.length > 1 || !offered.includes(chosen[0])) {
    throw new UpgradeMismatch(`it chose the subprotocol "${chosen.join(", ")}", not offered`);
  }
  return chosen[0];
}

/** RFC 6455 §4.1: an extension that was not offered fails the connection. */
function checkExtensions(chosen: string, asked: readonly Field[]): void {
  if (chosen === "") return;
  const offers = getFields(asked, "sec-websocket-extensions").join(", ");
  const offered = new Set(offers === "" ? [] : parseExtensions(offers).map(({ name }) => name));
  for (const { name } of parseExtensions(chosen)) {
    if (!offered.has(name)) {
      throw new UpgradeMismatch(`it chose the extension "${name}", not offered`);
    }
  }
}

function refused(head: ResponseHead, stream: ByteStream, rest: Uint8Array): Refused {
  const parser = new ResponseBodyParser(head, "GET");
  return {
    kind: "refused",
    status: head.status,
    fields: head.fields,
    body: body(),
    abort: () => stream.abort(),
  };

  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      let chunk: Uint8Array | null = rest;
      while (!parser.done) {
        if (chunk === null) parser.end();
        else if (chunk.length > 0) parser.push(chunk);
        for (let part = parser.next(); part !== null; part = parser.next()) yield part;
        if (chunk === null || parser.done) return;
        chunk = await stream.read();
      }
    } finally {
      stream.abort();
    }
  }
}

/** The subprotocol that the server named, as the field says it. */
export function subprotocolOf(fields: readonly Field[]): string {
  return getField(fields, "sec-websocket-protocol") ?? "";
}
