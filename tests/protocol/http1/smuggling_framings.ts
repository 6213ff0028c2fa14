// Framings that two readers may read in two ways. Behind each stands an inner request.
import { HOST, INNER, post, refused, type Request } from "./smuggling.ts";

/** How Content-Length and Transfer-Encoding disagree; behind each stands an inner request. */
const BOTH = refused(400, [
  ["CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n")],
  ["TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n")],
  ["CL.TE, Content-Length 0", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")],
  ["CL.TE, names in other case", post("CONTENT-LENGTH: 6\r\ntransfer-encoding: CHUNKED\r\n")],
  ["CL.TE, Transfer-Encoding is none", post("Content-Length: 6\r\nTransfer-Encoding: x\r\n")],
  [
    "CL.TE in a GET",
    `GET /first HTTP/1.1\r\n${HOST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ["TE.TE, the second is none", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n")],
  ["TE.TE, twice chunked", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")],
  ["TE.TE, the second is empty", post("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n")],
  ["Transfer-Encoding in HTTP/1.0", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "1.0")],
  [
    "Transfer-Encoding in HTTP/1.0 with keep-alive",
    post("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + INNER, "1.0"),
  ],
  ["CL.CL, the first is less", post("Content-Length: 0\r\nContent-Length: 6\r\n")],
  ["CL.CL, the first is more", post("Content-Length: 6\r\nContent-Length: 0\r\n")],
  ["CL.CL, both the same", post("Content-Length: 6\r\nContent-Length: 6\r\n")],
  ["CL.CL, the first is empty", post("Content-Length:\r\nContent-Length: 6\r\n")],
]);

/** Values of Transfer-Encoding that one reader takes for chunked and another does not. */
const CODINGS: Request[] = [
  ...[
    ...["xchunked", "chunkedx", "chunk", "chunked, identity", "chunked, gzip", "identity", "gzip"],
    ...[
      "chunked, chunked",
      "chunked chunked",
      ",chunked",
      "chunked,",
      ", ,chunked",
      "",
      "chunked;",
    ],
    ...[
      "chunked;q=1",
      '"chunked"',
      "'chunked'",
      "[chunked]",
      "(x)chunked",
      ": chunked",
      "=chunked",
    ],
    ...["\x0bchunked", "chunked\x0b", "\x0cchunked", "\0chunked", "chunked\0", "chunked\x7f"],
    ...["\xa0chunked", "chunked\xa0", "\x85chunked", "\xffchunked\xff", "\xef\xbb\xbfchunked"],
    ...["chun\xe2\x84\xaaed", "chunked\\", "chunked\r\n\t", "\r\n chunked", "chu\r\n nked"],
  ].map((value) => request("Transfer-Encoding", value, 400)),
  ...["gzip, chunked", "identity, chunked", "x, chunked", "gzip\r\nTransfer-Encoding: chunked"]
    .map((value) => request("Transfer-Encoding", value, 501)),
];

/** Values of Content-Length that one reader takes for a number and another does not. */
const LENGTHS: Request[] = [
  ...["+6", "-6", "-0", "0x6", "0o6", "0b1", "6_0", "1_0", "6 0", "6.0", "6e0", "6,6", "6, 6"],
  ...[
    "6,0",
    "6,",
    ",6",
    "6;",
    "",
    "six",
    '"6"',
    "6\0",
    "\x006",
    "6\x0b",
    "\x0b6",
    "\xa06",
    "6\xa0",
  ],
  ...[
    "\xd9\xa6",
    "\xef\xbc\x96",
    "6Z",
    "6#",
    "6\r\n 0",
    "\r\n 6",
    "6\r\n\t",
    "18446744073709551622",
  ],
  ...["9007199254740992", "99999999999999999999999999", "-1", "NaN", "null", "true", "6%30"],
].map((value) => request("Content-Length", value, 400));

function request(name: string, value: string, status: number): Request {
  const lines = `${name}: ${value}\r\n`;
  return { name: `${name}: ${JSON.stringify(value)}`, bytes: post(lines), status };
}

/** Field lines that one reader takes for Transfer-Encoding or Content-Length, or for two. */
const LINES: Request[] = [
  ...["Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked"],
  ...["\tTransfer-Encoding: chunked", "Transfer-Encoding chunked", "Transfer-Encoding=chunked"],
  ...[
    "Transfer-Encoding\0: chunked",
    "Transfer-Encoding\xa0: chunked",
    "Transfer-Encoding\x0b: chunked",
  ],
  ...[
    "\xefTransfer-Encoding: chunked",
    '"Transfer-Encoding": chunked',
    ":Transfer-Encoding: chunked",
  ],
  ...["Transfer-\r\nEncoding: chunked", "Transfer Encoding: chunked", "Transfer_Encoding: chunked"],
  ...[
    "Transfer-Encoding;: chunked",
    "(Transfer-Encoding): chunked",
    "Transfer-Encoding: chunked\rX: y",
  ],
  ...[
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "X: y\n\rTransfer-Encoding: chunked",
  ],
  ...[
    "X: y\r\n\rTransfer-Encoding: chunked",
    "X: y\r\r\nTransfer-Encoding: chunked",
    "X: y\r\n Transfer-Encoding: chunked",
  ],
  ...[
    "X: y\0\r\nTransfer-Encoding: chunked",
    "X:\n\nGET /smuggled HTTP/1.1",
    ": y",
    ":",
    "X",
    "\r",
    "\x0b: y",
  ],
  ...[
    "Content-Length : 6",
    "Content-Length\t: 6",
    " Content-Length: 6",
    "Content-Length 6",
    "Content_Length: 6",
  ],
  ...[
    "Content-Length\x85: 6",
    "Content-Length\0: 6",
    "Content-Length: 6\nX: y",
    "Content-Length: 6\rX: y",
  ],
  ...[
    "X: y\nContent-Length: 6",
    "Content-Length:\n6",
    "X[y]: z",
    "X/Y: z",
    "X\xe9: z",
    "X@Y: z",
    " ",
    "\t",
  ],
].map((line): Request => ({
  name: `field line ${JSON.stringify(line)}`,
  bytes: post(`A: b\r\n${line}\r\n`),
  status: 400,
}));

/** What is wrong with Content-Length, Transfer-Encoding, and what some take for them. */
export const FRAMINGS: readonly Request[] = [...BOTH, ...CODINGS, ...LENGTHS, ...LINES];
