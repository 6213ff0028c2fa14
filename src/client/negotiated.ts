import { allowedRsvOf, parseExtensions } from "../protocol/websocket/extensions.ts";
import { parseTokenList } from "../protocol/websocket/handshake.ts";
import { type Field, getFields } from "../protocol/wire/field.ts";

/** The answer opens a WebSocket, but is not one that RFC 6455 §4.1 lets a client accept. */
export class UpgradeMismatch extends Error {
  override name = "UpgradeMismatch";
}

/** What the server chose of what was offered. */
export interface Negotiated {
  subprotocol: string | null;
  /** The RSV bits that the negotiated extensions use. */
  allowedRsv: number;
}

/**
 * Checks the server's choice against the request's fields. RFC 8441 §5, RFC 9220 §3: it is the same
 * over every HTTP version.
 *
 * @throws {UpgradeMismatch} for what was not offered
 * @throws {PeerError} for extensions that can't be read
 */
export function negotiated(fields: readonly Field[], asked: readonly Field[]): Negotiated {
  const extensions = getFields(fields, "sec-websocket-extensions").join(", ");
  checkExtensions(extensions, asked);
  return {
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
