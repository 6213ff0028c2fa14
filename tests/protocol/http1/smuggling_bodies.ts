// Chunked bodies that two readers may end in two places.
import { chunked, INNER, legal, type Request } from "./smuggling.ts";

const END = `\r\n0\r\n\r\n${INNER}`;

/** Lines of a chunk of "hello". */
const SIZES: Request[] = [
  ...["0x5", "0X5", "+5", "-5", "0_5", "5_", " 5", "5 ", "5\t", "\t5", "", "g", "5h", "5.0", "5,5"],
  ...['"5"', "5\0", "\x005", "5\x0b", "\xa05", "5\xa0", "\xef\xbc\x95", "#5", "5;", "5;;a", "5;a="],
  ...[
    "5 a",
    "5 ;",
    "5;a b",
    "5;a=b c",
    '5;a="b',
    '5;a="b\\"',
    '5;a="b"c',
    "5;a\0",
    "5;a\x7f",
    "5;\x0ba",
  ],
  ...["5;(a)", "5;\xe9", "5;a=\xe9", "5;=b", "00000000000000005", "10000000000000005"],
  ...["20000000000005", "FFFFFFFFFFFFFFFF", "fffffffffffffffff", "-0", "5=", "5:"],
].map((size) => refusedBody(`chunk size ${JSON.stringify(size)}`, `${size}\r\nhello${END}`));

function refusedBody(name: string, body: string): Request {
  return { name, bytes: chunked(body), status: 400 };
}

/** How lines end, and where data ends. */
const ENDS: Request[] = [
  refusedBody("chunk size ends with LF", `5\nhello${END}`),
  refusedBody("chunk size ends with CR", `5\rhello${END}`),
  refusedBody("chunk size ends with CR CR", `5\r\rhello${END}`),
  refusedBody("chunk size ends with CR and any byte", `5\rXhello${END}`),
  refusedBody("TERM.EXT: chunk extension ends with LF", `5;a\nhello${END}`),
  refusedBody("TERM.EXT: empty chunk extension ends with LF", `5;\nhello${END}`),
  refusedBody("EXT.TERM: LF in a chunk extension", `5;a\nX\r\nhello${END}`),
  refusedBody("CR in a chunk extension", `5;a\rX\r\nhello${END}`),
  refusedBody("CR before a chunk extension", `5\r;a\r\nhello${END}`),
  refusedBody("CR CR before a chunk extension", `5\r\r;ABCD\r\nhello${END}`),
  refusedBody("CR LF in the quotes of a chunk extension", `5;a="\r\nhello${END}"\r\n`),
  refusedBody("LF in the quotes of a chunk extension", `5;a="\n"\r\nhello${END}`),
  refusedBody("chunk extensions of 64 KiB", `5;${"a".repeat(65536)}\r\nhello${END}`),
  refusedBody("chunk data without an end", `5\r\nhello0\r\n\r\n${INNER}`),
  refusedBody("chunk data ends with LF", `5\r\nhello\n0\r\n\r\n${INNER}`),
  refusedBody("chunk data ends with CR", `5\r\nhello\r0\r\n\r\n${INNER}`),
  refusedBody("chunk data ends with any two bytes", `5\r\nhelloXX0\r\n\r\n${INNER}`),
  refusedBody("chunk data ends with LF CR", `5\r\nhello\n\r0\r\n\r\n${INNER}`),
  refusedBody("chunk data ends with CR CR LF", `5\r\nhello\r\r\n0\r\n\r\n${INNER}`),
  refusedBody("chunk data is more than its size", `3\r\nhello${END}`),
  refusedBody("chunk data is less than its size", `7\r\nhello${END}`),
  refusedBody("an empty line before the last chunk", `5\r\nhello\r\n${END}`),
  refusedBody("an empty line before the first chunk", `\r\n5\r\nhello${END}`),
  refusedBody("last chunk ends with LF", `0\n\r\n${INNER}`),
  refusedBody("last chunk and empty line end with LF", `0\n\n${INNER}`),
  refusedBody("last chunk with a blank", `0 \r\n\r\n${INNER}`),
  refusedBody("the empty line is an LF", `0\r\n\n${INNER}`),
  refusedBody("the empty line is a CR", `0\r\n\r${INNER}`),
  refusedBody("the empty line is any two bytes", `0\r\nXX${INNER}`),
  refusedBody("no empty line", `0\r\n${INNER}`),
];

const TRAILERS: Request[] = [
  ...["A : b", " A: b", "\tA: b", "A: b\r\n c", "A: b\nC: d", "A: b\rC: d", "A: b\0", "A", ": b"],
  ...["A: \x7f", "\xe9: b", "A\0: b", "A: b\r", "A: b\n", "Transfer-Encoding : chunked"],
  ...["Content-Length\t: 5", `A: ${"b".repeat(65536)}`, "A: b\r\n".repeat(10_000) + "A: b"],
].map((line) =>
  refusedBody(`trailer line ${JSON.stringify(line.slice(0, 40))}`, `0\r\n${line}\r\n\r\n${INNER}`)
);

const READ: Request[] = [
  legal("an inner request as a chunk", chunked(`${hex(INNER)}\r\n${INNER}\r\n0\r\n\r\n`), {
    body: INNER,
  }),
  legal(
    "chunk sizes with zeros, in either case, with extensions",
    chunked('00A ;a="\\"; 0"\r\n0123456789\r\n0;b=c;d\r\n\r\n'),
    { body: "0123456789" },
  ),
  legal(
    "chunk data that looks like a last chunk",
    chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
    { body: "0\r\n\r\n" },
  ),
  legal("Transfer-Encoding with blanks at its ends", coding("\t chunked \t"), { body: "hello" }),
  legal("Transfer-Encoding in capitals", coding("CHUNKED"), { body: "hello" }),
  legal(
    "a trailer field that looks like a request",
    chunked("0\r\nX:GET /smuggled HTTP/1.1\r\n\r\n"),
    {
      trailers: [["x", "GET /smuggled HTTP/1.1"]],
    },
  ),
  legal(
    "RFC 9110 §6.5.1: trailer fields of framing, routing and authentication",
    chunked(
      "5\r\nhello\r\n0\r\nContent-Length: 99\r\nHost: b.example\r\nA: b\r\n" +
        "Transfer-Encoding: chunked\r\nAuthorization: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
    ),
    { body: "hello", trailers: [["a", "b"]] },
  ),
];

function hex(data: string): string {
  return data.length.toString(16);
}

function coding(value: string): string {
  return chunked("5\r\nhello\r\n0\r\n\r\n").replace(" chunked", value);
}

/** Chunked bodies. */
export const BODIES: readonly Request[] = [...SIZES, ...ENDS, ...TRAILERS, ...READ];
