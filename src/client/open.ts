import { type Beginning, readUpTo } from "../ingress/content.ts";
import type { Content } from "../ingress/offer.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { RequestHead } from "../protocol/wire/message.ts";
import { requestUpgrade } from "./h1.ts";
import { BrokenOff, MAX_REFUSAL_BYTES, orAborted, type Tunnelled } from "./http_client.ts";
import { negotiated } from "./negotiated.ts";
import { UpgradeRefused } from "./refused.ts";
import type { Target } from "./target.ts";

/** A WebSocket that is wanted. */
export interface Wanted {
  readonly target: Target;
  /** Subprotocols, extensions and all that the caller adds; names in lower case. */
  readonly fields: readonly Field[];
  /** Gives it up. */
  readonly signal: AbortSignal;
}

/** A WebSocket that was had. */
export interface Opened {
  readonly stream: ByteStream;
  /** Of the answer. */
  readonly fields: readonly Field[];
  readonly http: "1.1" | "2" | "3";
}

const MAX_HEADER_BYTES = 64 * 1024;

/** RFC 8441 §5: the request for it over HTTP/2 and HTTP/3. */
export function connectHead({ target, fields }: Wanted): RequestHead {
  return {
    method: "CONNECT",
    protocol: "websocket",
    scheme: target.secure ? "https" : "http",
    authority: target.authority,
    path: target.path,
    fields: [["sec-websocket-version", "13"], ...fields],
  };
}

/**
 * What came of `connectHead`.
 *
 * @throws {UpgradeRefused} for any other status than 2xx
 * @throws {UpgradeMismatch} when the server chose what was not offered
 */
export function openedBy(answer: Tunnelled, http: "2" | "3", wanted: Wanted): Opened {
  const { head, tunnel, body, isBodyCut } = answer;
  if (tunnel === null) throw new UpgradeRefused(wanted.target.text, { ...head, body, isBodyCut });
  try {
    negotiated(head.fields, wanted.fields);
  } catch (error) {
    tunnel.abort();
    throw error;
  }
  return { stream: tunnel, fields: head.fields, http };
}

/**
 * Upgrades a fresh HTTP/1.1 connection (RFC 6455 §4.1), or ends it.
 *
 * @throws {UpgradeRefused} for any other status than 101
 * @throws {UpgradeMismatch} when the 101 is not right
 */
export async function upgrade(stream: ByteStream, wanted: Wanted): Promise<Opened> {
  const { target, fields, signal } = wanted;
  const ask = async (): Promise<Opened> => {
    const answer = await requestUpgrade(stream, {
      target: target.path,
      host: target.authority,
      fields,
      maxHeaderBytes: MAX_HEADER_BYTES,
    });
    if (answer.kind === "upgraded") return { ...answer, http: "1.1" };
    const { content } = answer;
    const { bytes: body, isCut } = await refusalOf(content);
    throw new UpgradeRefused(target.text, { ...answer, body, isBodyCut: isCut });
  };
  try {
    return await orAborted(ask(), signal);
  } catch (error) {
    stream.abort();
    throw error;
  }
}

async function refusalOf(content: Content): Promise<Beginning> {
  try {
    return await readUpTo(() => content.read(), MAX_REFUSAL_BYTES);
  } catch (error) {
    if (error instanceof NetError) throw new BrokenOff(error.kind, error.message, error);
    throw error;
  }
}
