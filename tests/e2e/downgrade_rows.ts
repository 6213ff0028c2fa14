// Requests of HTTP/2 and HTTP/3 that would be two, or another, once they are written as HTTP/1.1.
import type { Field } from "../../src/protocol/wire/field.ts";

/** What a row is made of: `null` leaves a pseudo-header field out. */
export interface Downgrade {
  /** The trick. */
  readonly name: string;
  readonly section: readonly Field[];
  /** Content, each character is one byte. */
  readonly content?: string;
  readonly trailers?: readonly Field[];
  /** "malformed", or the status, and what may reach the backend as one request with a 200. */
  readonly want: "malformed" | number;
  /** The content that reaches the backend. */
  readonly body?: string;
  /** Its target there. */
  readonly target?: string;
}

export const INNER = "GET /smuggled HTTP/1.1\r\nhost: a.example\r\n\r\n";

type Pseudo = Partial<
  Record<"method" | "scheme" | "authority" | "path" | "protocol", string | null>
>;

/** A field section of a GET; `fields` come behind the pseudo-header fields. */
function section(pseudo: Pseudo, ...fields: Field[]): Field[] {
  const all: Pseudo = {
    ...{ method: "GET", scheme: "https", authority: "a.example", path: "/first" },
    ...pseudo,
  };
  const first = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
  return [...first.map(([name, value]): Field => [`:${name}`, value]), ...fields];
}

function malformed(name: string, fields: readonly Field[], more: Partial<Downgrade> = {}) {
  return { name, section: fields, want: "malformed" as const, ...more };
}

const VALUES: Downgrade[] = [
  ["CR LF and a field", "x\r\ntransfer-encoding: chunked"],
  ["CR LF and a request", `x\r\n\r\n${INNER}`],
  ["a bare LF and a request", `x\n\n${INNER.replaceAll("\r", "")}`],
  ["a bare CR", "x\rtransfer-encoding: chunked"],
  ["CR LF at its end", "x\r\n"],
  ["obs-fold", "x\r\n y"],
  ["NUL", "x\0y"],
  ["a blank before it", " x"],
  ["a blank behind it", "x "],
  ["a tab behind it", "x\t"],
].map(([name, value]) => malformed(`a value with ${name}`, section({}, ["x", value])));

const NAMES: Downgrade[] = [
  "x: y\r\ntransfer-encoding",
  "x\r\n\r\nGET /smuggled HTTP/1.1\r\nhost",
  ...["x:y", "x ", " x", "x\t", "x\n", "x\0", "\xe9", "", ":", ":x", "x,y", "(x)"],
  ...["X", "Content-Length", "Transfer-Encoding", "tRansfer-encoding"],
].map((name) =>
  malformed(`the field name ${JSON.stringify(name)}`, section({}, [name, "chunked"]))
);

const CONNECTION: Downgrade[] = ([
  ["transfer-encoding", "chunked"],
  ["transfer-encoding", "identity"],
  ["transfer-encoding", ""],
  ["connection", "upgrade"],
  ["connection", "close"],
  ["connection", "content-length"],
  ["keep-alive", "timeout=5"],
  ["proxy-connection", "keep-alive"],
  ["upgrade", "websocket"],
  ["upgrade", "h2c"],
  ["te", "chunked"],
  ["te", "trailers, chunked"],
] as Field[]).map(([name, value]) =>
  malformed(`RFC 9113 §8.2.2: ${name}: ${value}`, section({ method: "POST" }, [name, value]), {
    content: `0\r\n\r\n${INNER}`,
  })
);

const post = (...fields: Field[]) => section({ method: "POST" }, ...fields);

const LENGTHS: Downgrade[] = [
  malformed("content-length less than the content", post(["content-length", "4"]), {
    content: `0\r\n\r\n${INNER}`,
  }),
  malformed("content-length of 0 with content", post(["content-length", "0"]), { content: INNER }),
  malformed("content-length more than the content", post(["content-length", "99"]), {
    content: INNER,
  }),
  malformed("content-length without content", section({}, ["content-length", "5"])),
  malformed(
    "content-length twice",
    post(["content-length", "3"], ["content-length", "3"]),
    { content: "abc" },
  ),
  malformed(
    "content-length twice, and they differ",
    post(["content-length", "0"], ["content-length", String(INNER.length)]),
    { content: INNER },
  ),
  ...["3, 3", "+3", "0x3", "3 ", " 3", "", "-1", "3;", "3\r\nx: y", "99999999999999999999", "1e0"]
    .map((value) =>
      malformed(`content-length: ${JSON.stringify(value)}`, post(["content-length", value]), {
        content: "abc",
      })
    ),
  malformed("content-length less than content with trailers", post(["content-length", "1"]), {
    content: "abc",
    trailers: [["x", "y"]],
  }),
];

const PATHS: Downgrade[] = [
  ...[
    ["a blank", "/first x"],
    ["a version and a request", `/first HTTP/1.1\r\nhost: a.example\r\n\r\n${INNER}`],
    ["a version", "/first HTTP/1.1"],
    ["LF", "/first\nx: y"],
    ["a tab", "/first\tx"],
    ["NUL", "/first\0"],
    ["DEL", "/first\x7f"],
    ["a byte above ASCII", "/\xe9"],
    ["a fragment", "/first#x"],
    ["no slash first", "first"],
    ["nothing", ""],
    ["an absolute URI", "http://b.example/smuggled"],
    ["an asterisk", "*"],
    ["a blank first", " /first"],
  ].map(([name, path]) => malformed(`a :path with ${name}`, section({ path }))),
  malformed("no :path", section({ path: null })),
  malformed(":path twice", [...section({}), [":path", "/smuggled"]]),
];

const METHODS: Downgrade[] = [
  ...["GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\nGET", "GE T", "GET ", " GET", "GET\r\n", "G\0T", ""]
    .map((method) => malformed(`:method ${JSON.stringify(method)}`, section({ method }))),
  malformed(":method twice", [...section({}), [":method", "POST"]]),
  malformed("no :method", section({ method: null })),
  malformed("CONNECT with :path", section({ method: "CONNECT" })),
  malformed(":protocol without CONNECT", section({ protocol: "websocket" })),
  malformed(
    ":protocol with CR LF",
    section({ method: "CONNECT", protocol: `websocket\r\n\r\n${INNER}` }),
  ),
  malformed(":protocol that is a list", section({ method: "CONNECT", protocol: "x, h2c" })),
];

const HOSTS: Downgrade[] = [
  ...[
    ...[
      "a.example\r\nx: y",
      `a.example\r\n\r\n${INNER}`,
      "a b",
      "u@a.example",
      "a.example/smuggled",
    ],
    ...["a.example, b.example", "", "a.example:x", "[::1", "a.example?b", "a.example#b"],
    ...["a.example\\b", "a.example\0", "a.example\t"],
  ].map((authority) =>
    malformed(`:authority ${JSON.stringify(authority)}`, section({ authority }))
  ),
  malformed(":authority and host that differ", section({}, ["host", "b.example"])),
  malformed("host twice", section({ authority: null }, ["host", "a.example"], ["host", "b"])),
  malformed("host twice beside :authority", section({}, ["host", "a.example"], ["host", "b"])),
  malformed("host with CR LF", section({ authority: null }, ["host", "a.example\r\nx: y"])),
  malformed("no host at all", section({ authority: null })),
  malformed(":authority twice", [...section({}), [":authority", "b.example"]]),
];

const OTHERS: Downgrade[] = [
  ...["ht tp", "", "https\r\nx: y", "https://b.example/x?", "1http"].map((scheme) =>
    malformed(`:scheme ${JSON.stringify(scheme)}`, section({ scheme }))
  ),
  malformed("no :scheme", section({ scheme: null })),
  malformed("a pseudo-header field that does not exist", [[":x", "y"], ...section({})]),
  malformed(":status in a request", [...section({}), [":status", "200"]]),
  malformed("a pseudo-header field behind a regular one", [["x", "y"], ...section({})]),
  malformed("trailers with a pseudo-header field", post(), {
    content: "abc",
    trailers: [[":path", "/smuggled"]],
  }),
  malformed("trailers with CR LF", post(), {
    content: "abc",
    trailers: [["x", `y\r\n\r\n${INNER}`]],
  }),
  malformed("trailers with transfer-encoding", post(), {
    content: "abc",
    trailers: [["transfer-encoding", "chunked"]],
  }),
  malformed(
    "a crumb of Cookie with CR LF",
    section({}, ["cookie", "a=1"], ["cookie", "b\r\nx: y"]),
  ),
];

/** What is legal: one request. */
const READ: Downgrade[] = [
  {
    name: "an inner request in the content, with its length",
    section: post(["content-length", String(INNER.length)]),
    content: INNER,
    want: 200,
    body: INNER,
  },
  {
    name: "a last chunk and an inner request in the content, without a length",
    section: post(),
    content: `0\r\n\r\n${INNER}`,
    want: 200,
    body: `0\r\n\r\n${INNER}`,
  },
  {
    name: "an inner request in a GET",
    section: section({}),
    content: INNER,
    want: 200,
    body: INNER,
  },
  {
    name: "content in a DELETE without a length",
    section: section({ method: "DELETE" }),
    content: INNER,
    want: 200,
    body: INNER,
  },
  {
    name: "trailers named as fields that frame",
    section: post(),
    content: "abc",
    trailers: [["content-length", "1"], ["host", "b.example"], ["x", "y"]],
    want: 200,
    body: "abc",
  },
  {
    name: "host and no :authority",
    section: section({ authority: null }, ["host", "a.example"]),
    want: 200,
  },
  { name: "host the same as :authority", section: section({}, ["host", "a.example"]), want: 200 },
  {
    name: "a path that begins like an authority",
    section: section({ path: "//b.example/first" }),
    want: 200,
    target: "/b.example/first",
  },
  { name: "a method in lower case", section: section({ method: "get" }), want: 200 },
  {
    name: "a plain CONNECT",
    section: section({ method: "CONNECT", path: null, scheme: null, authority: "b.example:80" }),
    want: 501,
  },
  {
    name: "x-http-method-override",
    section: section({}, ["x-http-method-override", "PUT"]),
    want: 200,
  },
  { name: "content-length and no content", section: post(["content-length", "0"]), want: 200 },
  {
    name: "an :authority with a port",
    section: section({ authority: "a.example:8443" }),
    want: 200,
  },
];

export const DOWNGRADES: readonly Downgrade[] = [
  ...VALUES,
  ...NAMES,
  ...CONNECTION,
  ...LENGTHS,
  ...PATHS,
  ...METHODS,
  ...HOSTS,
  ...OTHERS,
  ...READ,
];
