// RFC 9113 §8.2, §8.3.2, RFC 9114 §4.2, §4.3.2: responses, and the fields of any message of HTTP/2 and
// HTTP/3, right and malformed. The numbers of h2spec's cases stand where one is met.
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { ResponseHead } from "../../../src/protocol/wire/message.ts";
import type { Sections } from "./message_request_rows.ts";

const NAME: Sections = ["§8.2.1", "§10.3"];
const VALUE: Sections = ["§8.2.1", "§10.3"];
const EDGE: Sections = ["§8.2.1", "RFC 9110 §5.5"];
const CONNECTION: Sections = ["§8.2.2", "§4.2"];

/** What makes a request, a response and trailers malformed. */
export const badFields: [Sections, what: string, field: Field][] = [
  [["§8.2.1", "§4.2"], "a name with upper-case characters [http2/8.1.2/1]", ["X-a", "1"]],
  [NAME, "an empty name", ["", "1"]],
  [NAME, "a name with a blank", ["x a", "1"]],
  [NAME, "a name with a colon", ["x:a", "1"]],
  [NAME, "a name with LF", ["x\n", "1"]],
  [NAME, "a name with NUL", ["x\0", "1"]],
  [NAME, "a name with 0x7f", ["x\x7f", "1"]],
  [NAME, "a name with a byte above 0x7f", ["x\xe9", "1"]],
  [VALUE, "a value with CR", ["x", "a\rb"]],
  [VALUE, "a value with LF", ["x", "a\nb"]],
  [VALUE, "a value with NUL", ["x", "a\0b"]],
  [EDGE, "a value that begins with SP", ["x", " a"]],
  [EDGE, "a value that begins with HTAB", ["x", "\ta"]],
  [EDGE, "a value that ends with SP", ["x", "a "]],
  [EDGE, "a value that ends with HTAB", ["x", "a\t"]],
  [CONNECTION, "connection [http2/8.1.2.2/1]", ["connection", "close"]],
  [CONNECTION, "keep-alive", ["keep-alive", "1"]],
  [CONNECTION, "proxy-connection", ["proxy-connection", "close"]],
  [CONNECTION, "transfer-encoding", ["transfer-encoding", "chunked"]],
  [CONNECTION, "upgrade", ["upgrade", "websocket"]],
  [
    CONNECTION,
    "TE MUST NOT contain any value other than trailers [http2/8.1.2.2/2]",
    ["te", "trailers, deflate"],
  ],
  [CONNECTION, "TE with trailers and another coding", ["te", "trailers, gzip"]],
  [CONNECTION, "TE without trailers", ["te", "gzip"]],
  [["§8.3", "§4.3"], "an unknown pseudo-header field", [":x", "1"]],
];

/** What comes of a row that is malformed. */
export const MALFORMED = "malformed";

const STATUS: Sections = ["§8.3.2", "§4.3.2"];
const CODE: Sections = ["RFC 9110 §15", "RFC 9110 §15"];
const PSEUDO: Sections = ["§8.3", "§4.3"];

type Wanted = ResponseHead | typeof MALFORMED;

export const responses: [Sections, what: string, text: string, want: Wanted][] = [
  [STATUS, "200", ":status: 200\nx: 1", { status: 200, fields: [["x", "1"]] }],
  [STATUS, "an interim one", ":status: 103", { status: 103, fields: [] }],
  [
    STATUS,
    "several set-cookie stay",
    ":status: 200\nset-cookie: a\nset-cookie: b",
    { status: 200, fields: [["set-cookie", "a"], ["set-cookie", "b"]] },
  ],
  [
    STATUS,
    "Host means nothing in it, and may come twice",
    ":status: 200\nhost: a\nhost: b",
    { status: 200, fields: [["host", "a"], ["host", "b"]] },
  ],
  [STATUS, "no :status", "x: 1", MALFORMED],
  [["§8.3", "§4.3.2"], "two :status", ":status: 200\n:status: 200", MALFORMED],
  [PSEUDO, "pseudo-header fields of requests", ":status: 200\n:path: /", MALFORMED],
  [PSEUDO, ":status behind a regular field", "x: 1\n:status: 200", MALFORMED],
  [CODE, "two digits", ":status: 20", MALFORMED],
  [CODE, "four digits", ":status: 2000", MALFORMED],
  [CODE, "not a number", ":status: +20", MALFORMED],
  [CODE, "below 100", ":status: 099", MALFORMED],
  [CODE, "above 599", ":status: 600", MALFORMED],
  [["§8.6", "§4.5"], "there is no 101", ":status: 101", MALFORMED],
  [CONNECTION, "TE is for requests only", ":status: 200\nte: trailers", MALFORMED],
];

export const trailers: [Sections, what: string, text: string, isRight: boolean][] = [
  [["§8.1", "§4.1"], "a field", "grpc-status: 0", true],
  [["§8.1", "§4.3"], "pseudo-header fields of responses", ":status: 200", false],
  [["§8.1", "§4.3"], "pseudo-header fields of requests", ":path: /", false],
  [
    ["§8.1", "§4.1"],
    "Content-Length and Host mean nothing in them",
    "content-length: x\ncontent-length: 1\nhost: a\nhost: b",
    true,
  ],
];

export const lengths: [what: string, text: string, want: number | null | typeof MALFORMED][] = [
  ["none", "x: 1", null],
  ["zero", "content-length: 0", 0],
  ["2^53-1", "content-length: 9007199254740991", 2 ** 53 - 1],
  ["2^53", "content-length: 9007199254740992", MALFORMED],
  ["empty", "content-length: ", MALFORMED],
  ["a sign", "content-length: +1", MALFORMED],
  ["hex", "content-length: 0x1", MALFORMED],
  ["a list", "content-length: 1, 1", MALFORMED],
  ["two of them", "content-length: 1\ncontent-length: 1", MALFORMED],
];
