// What is wrong with a request for a tunnel, before anybody is asked to take it.
import { parseExtensions } from "../protocol/websocket/extensions.ts";
import { isValidKey, parseTokenList } from "../protocol/websocket/handshake.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type Field, getField, getFields } from "../protocol/wire/field.ts";
import type { OfferRequest } from "./offer.ts";

/** Why a request is refused, as an answer. */
export interface Fault {
  readonly status: number;
  /** Header fields beside Content-Type. */
  readonly fields?: readonly Field[];
  /** One line, for the body and the log. */
  readonly text: string;
  readonly rejected: "method" | "bad_headers" | "origin";
}

/** Of a path that is for tunnels alone: an ordinary request must be an upgrade. */
export function expectedTunnel({ http }: OfferRequest): Fault {
  return http === "1.1"
    ? {
      // RFC 9110 §15.5.22: says what to upgrade to.
      status: 426,
      fields: [["upgrade", "websocket"]],
      text: "expected a WebSocket handshake",
      rejected: "method",
    }
    : {
      status: 405,
      fields: [["allow", "CONNECT"]],
      text: "expected CONNECT",
      rejected: "method",
    };
}

/** Of any protocol: `null` where its request may be answered with a tunnel. */
export function tunnelFault(request: OfferRequest): Fault | null {
  // RFC 8441 §5: the scheme is that of the Web; only there MUST a path begin with a slash.
  if (!/^(?:http|ws)s?$/i.test(request.scheme)) {
    return { status: 400, text: "invalid :scheme", rejected: "bad_headers" };
  }
  // RFC 9110 §9.3.6: a CONNECT has no content; what comes is the tunnel, and no part of it is.
  if (request.http !== "1.1" && (getField(request.fields, "content-length") ?? "0") !== "0") {
    return { status: 400, text: "CONNECT with content-length", rejected: "bad_headers" };
  }
  return null;
}

/** RFC 6455 §10.2: who checks Origin answers 403 to the others. No browser leaves it out. */
export function originFault(
  { fields }: OfferRequest,
  allowedOrigins: readonly string[] | null,
): Fault | null {
  const origin = getField(fields, "origin");
  if (allowedOrigins === null || origin === null) return null;
  if (allowedOrigins.includes(origin.toLowerCase())) return null;
  return { status: 403, text: "origin not allowed", rejected: "origin" };
}

/** Of a WebSocket: RFC 6455 §4.2.1; over HTTP/2 and HTTP/3 what of it RFC 8441 §5 leaves. */
export function handshakeFault(request: OfferRequest): Fault | null {
  const { http, method, fields } = request;
  // RFC 6455 §4.1: the handshake is a GET; over HTTP/2 and HTTP/3 CONNECT stands for it.
  if (http === "1.1" && method !== "GET") {
    return { status: 405, fields: [["allow", "GET"]], text: "expected GET", rejected: "method" };
  }
  // RFC 6455 §11.3.1, §11.3.5: neither MUST NOT appear more than once.
  for (const name of ["sec-websocket-version", "sec-websocket-key"]) {
    if (getFields(fields, name).length > 1) {
      const text = `invalid websocket headers: more than one ${name}`;
      return { status: 400, text, rejected: "bad_headers" };
    }
  }
  const version = getField(fields, "sec-websocket-version");
  if (version !== "13" && (version !== null || http === "1.1")) {
    return {
      status: http === "1.1" ? 426 : 400,
      // RFC 6455 §4.4: says which versions would do.
      fields: [["sec-websocket-version", "13"]],
      text: "invalid websocket headers: Sec-WebSocket-Version is not 13",
      rejected: "bad_headers",
    };
  }
  const key = getField(fields, "sec-websocket-key");
  // RFC 6455 §4.2.1: 16 bytes in base64.
  if (http === "1.1" && (key === null || !isValidKey(key))) {
    const text = "invalid websocket headers: Sec-WebSocket-Key is not 16 bytes in base64";
    return { status: 400, text, rejected: "bad_headers" };
  }
  return offersFault(request);
}

/** What is offered must at least be readable: the answer's choice is checked against it. */
function offersFault(request: OfferRequest): Fault | null {
  const { fields } = request;
  try {
    getFields(fields, "sec-websocket-protocol").forEach(parseTokenList);
    getFields(fields, "sec-websocket-extensions").forEach(parseExtensions);
    return null;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return {
      status: 400,
      text: `invalid websocket headers: ${error.message}`,
      rejected: "bad_headers",
    };
  }
}
