// Requests that two readers may read in two ways: the tricks that are known from request smuggling.
import { get, HOST, INNER, legal, type Request, withInner } from "./smuggling.ts";
import { BODIES } from "./smuggling_bodies.ts";
import { FRAMINGS } from "./smuggling_framings.ts";
import { HEADS, WEBSOCKET } from "./smuggling_heads.ts";

const METHODS = ["GET", "HEAD", "OPTIONS", "DELETE", "POST", "M-SEARCH"];

/** What is legal: one request, and what looks like a second one is its content or thrown away. */
const READ: Request[] = [
  ...METHODS.map((method) =>
    legal(
      `an inner request in the body of a ${method} (CL.0)`,
      `${method} /first HTTP/1.1\r\n${HOST}Content-Length: ${INNER.length}\r\n\r\n${INNER}`,
      { method, body: INNER },
    )
  ),
  legal(
    "RFC 9112 §3.2.2: an absolute URI for another host than Host",
    `GET http://b.example/first HTTP/1.1\r\n${HOST}\r\n`,
    { authority: "b.example" },
  ),
  legal("an inner request behind Connection: close", get("Connection: close\r\n") + INNER),
  legal("an inner request behind HTTP/1.0", `GET /first HTTP/1.0\r\n${HOST}\r\n${INNER}`),
  legal("one empty line before the request", "\r\n" + get("Connection: close\r\n") + INNER),
  legal("Content-Length without white space", withInner("Content-Length:"), { body: INNER }),
  legal("Content-Length among tabs", withInner("Content-Length: \t", "\t "), { body: INNER }),
  legal("Content-Length in other case", withInner("cOnTeNt-LeNgTh: "), { body: INNER }),
  legal(
    "Content-Length with a zero before it, which is no octal number",
    withInner("Content-Length: 0"),
    {
      body: INNER,
    },
  ),
  legal(
    "a value that looks like a field",
    get("X: Content-Length: 5\r\nConnection: close\r\n") + INNER,
  ),
  legal(
    "Connection that names Content-Length",
    withInner("Connection: content-length\r\nContent-Length: "),
    {
      body: INNER,
    },
  ),
  legal("Connection that names Host", get("Connection: close, host\r\n") + INNER),
  legal(
    "Upgrade without the connection option",
    get("Upgrade: websocket\r\nConnection: close\r\n") + INNER,
  ),
  legal("Upgrade in HTTP/1.0", `GET /first HTTP/1.0\r\n${HOST}${WEBSOCKET}\r\n${INNER}`),
  legal(
    "Expect in HTTP/1.0",
    `POST /first HTTP/1.0\r\n${HOST}Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx`,
    {
      method: "POST",
      body: "x",
    },
  ),
];

/**
 * Each is refused with this status, and none of it is ever run as a second request; or, where the
 * status is 200, it is the one request that `reading` tells.
 */
export const AMBIGUOUS_REQUESTS: readonly Request[] = [...FRAMINGS, ...HEADS, ...BODIES, ...READ];
