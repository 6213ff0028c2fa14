import { PeerError } from "../wire/error.ts";
import { encodeExtensions, type Extension, PERMESSAGE_DEFLATE } from "./extensions.ts";

/** What both sides agreed on for permessage-deflate (RFC 7692 §7.1). */
export interface DeflateParameters {
  /** §7.1.1.1: the server begins each message without what went before. */
  serverNoContextTakeover: boolean;
  /** §7.1.1.2: so does the client. */
  clientNoContextTakeover: boolean;
  /** §7.1.2.1: the server looks back 2^n bytes at most, n from 8 to 15. */
  serverMaxWindowBits: number;
  /** §7.1.2.2: so does the client. */
  clientMaxWindowBits: number;
}

/**
 * What one side wishes; less is always taken where the peer asks for it. Left out, contexts are
 * not kept between messages, and windows are of 15 bits: an idle socket then costs nothing.
 */
export type DeflateWishes = Partial<DeflateParameters>;

/** RFC 7692 §7.1.2: the sizes of an LZ77 window, as powers of two. */
const MIN_WINDOW_BITS = 8;
const MAX_WINDOW_BITS = 15;

/** The parameters of one element; `true` for client_max_window_bits without a value. */
interface Params {
  server_no_context_takeover?: true;
  client_no_context_takeover?: true;
  server_max_window_bits?: number;
  client_max_window_bits?: number | true;
}

/**
 * A client's offer, the value of its Sec-WebSocket-Extensions field.
 *
 * @throws {RangeError} for window bits that are none of 8 to 15
 */
export function offerDeflate(wishes: DeflateWishes = {}): string {
  const { clientMaxWindowBits, ...wanted } = wishesOf(wishes);
  // RFC 7692 §7.1.2.2: without it the server may not choose the client's window.
  const bits = clientMaxWindowBits < MAX_WINDOW_BITS ? clientMaxWindowBits : true;
  const server = wanted.serverMaxWindowBits;
  return encode({
    ...wanted.serverNoContextTakeover && { server_no_context_takeover: true },
    ...wanted.clientNoContextTakeover && { client_no_context_takeover: true },
    ...server < MAX_WINDOW_BITS && { server_max_window_bits: server },
    client_max_window_bits: bits,
  });
}

/** What a server agreed to, and the value of the Sec-WebSocket-Extensions field that says so. */
export interface AcceptedDeflate {
  parameters: DeflateParameters;
  answer: string;
}

/**
 * A server's choice: the first offer that is well-formed, or `null` where there is none. RFC 7692
 * §5.1, §7.1: an offer with a parameter that is unknown, given twice or has no such value is
 * declined, which leaves the WebSocket as it is without the extension.
 *
 * @throws {RangeError} for wishes of window bits that are none of 8 to 15
 */
export function acceptDeflate(
  offers: readonly Extension[],
  wishes: DeflateWishes = {},
): AcceptedDeflate | null {
  const wanted = wishesOf(wishes);
  for (const offer of offers) {
    if (offer.name !== PERMESSAGE_DEFLATE) continue;
    const params = readParams(offer);
    if (typeof params !== "string") return accept(params, wanted);
  }
  return null;
}

function accept(offer: Params, wanted: DeflateParameters): AcceptedDeflate {
  const asked = offer.client_max_window_bits;
  const parameters: DeflateParameters = {
    serverNoContextTakeover: wanted.serverNoContextTakeover ||
      offer.server_no_context_takeover === true,
    clientNoContextTakeover: wanted.clientNoContextTakeover ||
      offer.client_no_context_takeover === true,
    serverMaxWindowBits: Math.min(
      wanted.serverMaxWindowBits,
      offer.server_max_window_bits ?? MAX_WINDOW_BITS,
    ),
    // §7.1.2.2: it MUST NOT be in the answer to an offer without it: then it is all 15.
    clientMaxWindowBits: asked === undefined
      ? MAX_WINDOW_BITS
      : Math.min(wanted.clientMaxWindowBits, asked === true ? MAX_WINDOW_BITS : asked),
  };
  const { serverMaxWindowBits: server, clientMaxWindowBits: client } = parameters;
  const answer = encode({
    ...parameters.serverNoContextTakeover && { server_no_context_takeover: true },
    ...parameters.clientNoContextTakeover && { client_no_context_takeover: true },
    // §7.1.2.1: an offer with it is accepted by an answer with it, of the same or a lower value.
    ...(server < MAX_WINDOW_BITS || offer.server_max_window_bits !== undefined) &&
      { server_max_window_bits: server },
    ...client < MAX_WINDOW_BITS && { client_max_window_bits: client },
  });
  return { parameters, answer };
}

/**
 * What a client reads in the answer to `offerDeflate(wishes)`: the parameters, or `null` where the
 * server declined.
 *
 * @throws {PeerError} 400 for an answer that does not fit the offer: RFC 7692 §5.1, §7.1, the
 * client MUST fail the connection
 * @throws {RangeError} for wishes of window bits that are none of 8 to 15
 */
export function readDeflateAnswer(
  answers: readonly Extension[],
  wishes: DeflateWishes = {},
): DeflateParameters | null {
  const wanted = wishesOf(wishes);
  const ours = answers.filter(({ name }) => name === PERMESSAGE_DEFLATE);
  if (ours.length === 0) return null;
  // RFC 7692 §5: two extensions that use RSV1 can't stand side by side.
  if (ours.length > 1) throw unfit("it stands there twice");
  const params = readParams(ours[0]);
  if (typeof params === "string") throw unfit(params);
  const {
    server_max_window_bits: server = MAX_WINDOW_BITS,
    client_max_window_bits: client = MAX_WINDOW_BITS,
  } = params;
  // §7.1.2.2: in an answer it has a value.
  if (client === true) throw unfit("client_max_window_bits has no value");
  // §7.1.1.1, §7.1.2.1: accepted without what was asked for is not accepted.
  if (wanted.serverNoContextTakeover && params.server_no_context_takeover === undefined) {
    throw unfit("server_no_context_takeover was asked for, and is missing");
  }
  if (server > wanted.serverMaxWindowBits) {
    throw unfit(`server_max_window_bits is above the ${wanted.serverMaxWindowBits} asked for`);
  }
  return {
    serverNoContextTakeover: params.server_no_context_takeover === true,
    clientNoContextTakeover: wanted.clientNoContextTakeover ||
      params.client_no_context_takeover === true,
    serverMaxWindowBits: server,
    clientMaxWindowBits: Math.min(client, wanted.clientMaxWindowBits),
  };
}

function unfit(what: string): PeerError {
  return new PeerError(400, "stream", `The answer to permessage-deflate does not fit: ${what}`);
}

/** Reads the parameters of an offer or an answer, or says what is wrong with them. */
function readParams({ params }: Extension): Params | string {
  const read: Params = {};
  for (const [name, value] of params) {
    if (Object.hasOwn(read, name)) return `${name} is given twice`;
    switch (name) {
      case "server_no_context_takeover":
      case "client_no_context_takeover":
        if (value !== null) return `${name} has a value`;
        read[name] = true;
        break;
      case "server_max_window_bits":
      case "client_max_window_bits":
        if (value === null && name === "client_max_window_bits") {
          read[name] = true;
        } else {
          const bits = readBits(value);
          if (bits === null) return `${name} is none of 8 to 15`;
          read[name] = bits;
        }
        break;
      default:
        return `unknown parameter ${name}`;
    }
  }
  return read;
}

/** RFC 7692 §7.1.2: a decimal integer without leading zeroes, from 8 to 15. */
function readBits(value: string | null): number | null {
  return value !== null && /^([89]|1[0-5])$/.test(value) ? Number(value) : null;
}

function wishesOf(wishes: DeflateWishes): DeflateParameters {
  const all = {
    serverNoContextTakeover: wishes.serverNoContextTakeover ?? true,
    clientNoContextTakeover: wishes.clientNoContextTakeover ?? true,
    serverMaxWindowBits: wishes.serverMaxWindowBits ?? MAX_WINDOW_BITS,
    clientMaxWindowBits: wishes.clientMaxWindowBits ?? MAX_WINDOW_BITS,
  };
  for (const bits of [all.serverMaxWindowBits, all.clientMaxWindowBits]) {
    if (Number.isInteger(bits) && bits >= MIN_WINDOW_BITS && bits <= MAX_WINDOW_BITS) continue;
    throw new RangeError(`Cannot use a window of ${bits} bits: it takes 8 to 15`);
  }
  return all;
}

function encode(params: Params): string {
  return encodeExtensions([{
    name: PERMESSAGE_DEFLATE,
    params: Object.entries(params).map(([name, value]) => [
      name,
      value === true ? null : String(value),
    ]),
  }]);
}
