// Heads that are no heads, or not to all: request lines, hosts, switches of protocol, sizes.
import { get, HOST, INNER, post, refused, type Request } from "./smuggling.ts";

const START: Request[] = [
  ...[
    "GET  /first HTTP/1.1",
    "GET /first  HTTP/1.1",
    "GET\t/first\tHTTP/1.1",
    " GET /first HTTP/1.1",
  ],
  ...[
    "GET /first HTTP/1.1 ",
    "GET /first HTTP/1.1\t",
    "GET /first HTTP/1.1 x",
    "GET /fi rst HTTP/1.1",
  ],
  ...[
    "GET /first",
    "GET HTTP/1.1",
    "/first HTTP/1.1",
    "GET/first HTTP/1.1",
    "GET /first\x0bHTTP/1.1",
  ],
  ...["GET /first http/1.1", "GET /first HTTP/1.10", "GET /first HTTP/01.1", "GET /first HTTP/1"],
  ...["GET /first HTTP/1.", "GET /first HTTP/1.1\0", "GET /first HTTP/+1.1", "GET /first HTTP/1,1"],
  ...[
    "GET /first HTTQ/1.1",
    "GET /first HTTPS/1.1",
    "GET /first HTTP /1.1",
    "GET /first /x HTTP/1.1",
  ],
  ...[
    "G\0ET /first HTTP/1.1",
    "G(T /first HTTP/1.1",
    "G\xc9T /first HTTP/1.1",
    "GET: /first HTTP/1.1",
  ],
  ...[
    "GET /first#x HTTP/1.1",
    "GET /fi\0rst HTTP/1.1",
    "GET /fi\x7frst HTTP/1.1",
    "GET /fi\xe9rst HTTP/1.1",
  ],
  ...[
    "GET first HTTP/1.1",
    "GET * HTTP/1.1",
    "GET ? HTTP/1.1",
    "GET a.example:80 HTTP/1.1",
    "GET a.example HTTP/1.1",
  ],
  ...[
    "GET http:///first HTTP/1.1",
    "GET http://u@a.example/first HTTP/1.1",
    "GET http://a.example:x/ HTTP/1.1",
  ],
  ...[
    "GET http:/first HTTP/1.1",
    "GET http://a.example\\@b/ HTTP/1.1",
    "GET file:///first HTTP/1.1",
  ],
  ...["GET http://a.example#@b/ HTTP/1.1", "CONNECT /first HTTP/1.1", "CONNECT a.example HTTP/1.1"],
  ...["CONNECT a.example: HTTP/1.1", "CONNECT http://a.example:80 HTTP/1.1", "CONNECT * HTTP/1.1"],
  ...[
    "\n\nGET /first HTTP/1.1",
    "\r\n\r\nGET /first HTTP/1.1",
    "\rGET /first HTTP/1.1",
    "\0GET /first HTTP/1.1",
  ],
  ...[
    "GET /first HTTP/1.1\nX: y",
    "GET /first\nHTTP/1.1",
    "GET /first\rHTTP/1.1",
    "GET /first HTTP/1.1\r\rX: y",
  ],
  ...[
    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
    "SSH-2.0-x",
    "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\n",
  ],
].map((line): Request => ({
  name: `request line ${JSON.stringify(line)}`,
  bytes: `${line}\r\n${HOST}\r\n${INNER}`,
  status: 400,
}));

const VERSIONS: Request[] = ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"].map((
  version,
) => ({
  name: `version ${version}`,
  bytes: `GET /first ${version}\r\n${HOST}\r\n${INNER}`,
  status: 505,
}));

const HOSTS: Request[] = [
  ...["", "Host: a.example\r\nHost: a.example", "Host: a.example\r\nHost: b.example", "Host:"],
  ...["Host: a.example, b.example", "Host: a.example,b.example", "Host: a.example b.example"],
  ...["Host: u@a.example", "Host: a.example/first", "Host: http://a.example", "Host: a.example:x"],
  ...["Host: a.example:80:81", "Host: a.example:99999", "Host: a.example?x", "Host: a.example#x"],
  ...["Host: [::1", "Host: ::1", "Host: [::1]x", "Host: [::1]@b.example", "Host: a.example\\b"],
  ...[
    "Host: a.example\0.b",
    "Host: a.example\x7f",
    "Host: \xffa.example",
    "Host: %zz",
    "Host: a\tb",
  ],
  ...["Host : a.example", "Host: a.example\r\n b.example", "Host: a.example\r\n Host: b.example"],
  ...["Host: a.example\nHost: b.example", "Host: a.example\rHost: b.example", "Host a.example"],
  ...[" Host: b.example\r\nHost: a.example", "Host: <a.example>", 'Host: "a.example"'],
].map((lines): Request => ({
  name: `Host ${JSON.stringify(lines)}`,
  bytes: `GET /first HTTP/1.1\r\n${lines === "" ? "" : lines + "\r\n"}\r\n${INNER}`,
  status: 400,
}));

/** The fields of a handshake, RFC 6455 §4.1. */
export const WEBSOCKET =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const SWITCHES = refused(400, [
  ["WebSocket with Content-Length", get(`${WEBSOCKET}Content-Length: ${INNER.length}\r\n`) + INNER],
  [
    "WebSocket with a chunked body",
    get(`${WEBSOCKET}Transfer-Encoding: chunked\r\n`) + `0\r\n\r\n${INNER}`,
  ],
  ["Upgrade that is no protocol", get("Connection: upgrade\r\nUpgrade: web socket\r\n") + INNER],
  ["Upgrade with a parameter", get("Connection: upgrade\r\nUpgrade: websocket;a\r\n") + INNER],
  [
    "CONNECT with Content-Length",
    `CONNECT a.example:80 HTTP/1.1\r\n${HOST}Content-Length: ${INNER.length}\r\n\r\n${INNER}`,
  ],
  [
    "CONNECT with a chunked body",
    `CONNECT a.example:80 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${INNER}`,
  ],
  ["TRACE with a body", `TRACE /first HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx${INNER}`],
]);

const EXPECTATIONS = refused(
  417,
  ["y 100-continue", "100-continue, x", "100-continue;x", "100-continue\xa0", "100", "x"].map((
    value,
  ) => [`Expect: ${JSON.stringify(value)}`, post(`Expect: ${value}\r\nContent-Length: 6\r\n`)]),
);

const LIMITS: Request[] = [
  {
    name: "a request line of 1 MiB",
    bytes: `GET /${"x".repeat(1 << 20)} HTTP/1.1\r\n${HOST}\r\n`,
    status: 414,
  },
  {
    name: "a method of 1 MiB",
    bytes: `${"X".repeat(1 << 20)} / HTTP/1.1\r\n${HOST}\r\n`,
    status: 414,
  },
  { name: "a field line of 1 MiB", bytes: get(`X: ${"y".repeat(1 << 20)}\r\n`), status: 431 },
  { name: "10,000 field lines", bytes: get("X: y\r\n".repeat(10_000)), status: 431 },
];

/** What is wrong with a head beside its framing. */
export const HEADS: readonly Request[] = [
  ...START,
  ...VERSIONS,
  ...HOSTS,
  ...SWITCHES,
  ...EXPECTATIONS,
  ...LIMITS,
];
