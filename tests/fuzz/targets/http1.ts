import * as fc from "fast-check";
import { BodyParser } from "../../../src/protocol/http1/body.ts";
import {
  canonicalName,
  encodeRequestHead,
  encodeResponseHead,
  type RequestHeadInit,
  type ResponseHeadInit,
} from "../../../src/protocol/http1/encode.ts";
import type { Framing } from "../../../src/protocol/http1/framing.ts";
import { RequestHeadParser, ResponseHeadParser } from "../../../src/protocol/http1/head.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";
import { type Bytes, type Codec, type Target, withRest } from "../driver.ts";
import { fieldValue, plainFields, plainName } from "../fields.ts";
import { join, latin1 } from "../input.ts";

const framing: fc.Arbitrary<Field[]> = fc.oneof(
  fc.constant<Field[]>([]),
  fc.nat(50).map((length): Field[] => [["content-length", String(length)]]),
  fc.constant<Field[]>([["transfer-encoding", "chunked"]]),
);
const fields = fc.tuple(plainFields, framing).map((parts) => parts.flat());

const target = fc.oneof(
  fc.webPath().map((path): [string, string] => ["GET", path === "" ? "/" : path]),
  fc.constantFrom<[string, string]>(
    ["GET", "http://example.test/chat?x=1"],
    ["OPTIONS", "*"],
    ["CONNECT", "[::1]:443"],
    ["POST", "/a%20b?c=d&e"],
  ),
);
const requestHead = fc.record({
  target,
  host: fc.constantFrom("example.test", "127.0.0.1:8080", "[2001:db8::1]:443"),
  fields,
}).map(({ target, host, fields }) => ({
  method: target[0],
  target: target[1],
  fields: [["host", host] as Field, ...fields],
}));
const responseHead = fc.record({
  status: fc.oneof(
    fc.constantFrom(100, 101, 103, 200, 204, 304, 404, 502),
    fc.integer({ min: 200, max: 599 }),
  ),
  reason: fieldValue,
  fields,
}).map((head) => {
  const bodiless = head.status < 200 || head.status === 204;
  return bodiless ? { ...head, fields: head.fields.filter(isNoFraming) } : head;
});

function isNoFraming([name]: Field): boolean {
  return name !== "content-length" && name !== "transfer-encoding";
}

/** Field lines of a head whose limit is 48 bytes. */
const shortLines = fc.array(fc.constantFrom("a:", "b: c", "ab:cd", "a: b c"), { maxLength: 7 })
  .map((lines) => lines.map((line) => `${line}\r\n`).join("") + "\r\n");

const interim = fc.array(fc.constantFrom("100 Continue", "103 Early Hints"), { maxLength: 2 })
  .map((lines) => latin1(lines.map((line) => `HTTP/1.1 ${line}\r\nlink: x\r\n\r\n`).join("")));
const behind = fc.uint8Array({ maxLength: 20 });
const final = responseHead.filter(({ status }) => status === 101 || status >= 200);

const chunkLine = fc.constantFrom("", ";a", ";a=b", ' ; q="x y"', ";signature=0123456789abcdef");
const chunk = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), chunkLine).map(
  ([data, extension]) =>
    join(latin1(data.length.toString(16) + extension + "\r\n"), data, latin1("\r\n")),
);
const trailers = plainFields.map((lines) =>
  lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")
);
const chunked = fc.tuple(fc.array(chunk, { maxLength: 5 }), fc.constantFrom("0", "000;x"), trailers)
  .map(([chunks, last, lines]) => join(...chunks, latin1(`${last}\r\n${lines}\r\n`)));

function bodyTarget(framing: Framing, valid: fc.Arbitrary<Bytes>, limit?: number): Target {
  return {
    name: `http1 body, ${framing}${limit === undefined ? "" : `, limit ${limit}`}`,
    make: () => withRest(new BodyParser({ framing, invalid: 502, limit })),
    valid,
    normalise: (event) => event instanceof Uint8Array ? { run: "data", bytes: event } : event,
  };
}

const request: Target = {
  name: "http1 request head",
  make: () => withRest(new RequestHeadParser({ limit: 1024, maxFields: 12 })),
  valid: fc.tuple(requestHead, behind).map(([head, rest]) => join(encodeRequestHead(head), rest)),
};
const response: Target = {
  name: "http1 response head",
  make: () => withRest(new ResponseHeadParser({ limit: 1024, maxFields: 12 })),
  valid: fc.tuple(interim, final, behind).map(([before, head, rest]) =>
    join(before, encodeResponseHead(head), rest)
  ),
};

export const targets: Target[] = [
  request,
  response,
  {
    name: "http1 request head, limit 48",
    make: () => withRest(new RequestHeadParser({ limit: 48, maxFields: 2 })),
    valid: behind.map((rest) => join(latin1("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), rest)),
    beyond: shortLines.map((lines) => latin1("GET / HTTP/1.1\r\nhost:a\r\n" + lines)),
  },
  {
    name: "http1 response head, limit 48",
    make: () => withRest(new ResponseHeadParser({ limit: 48, maxFields: 2 })),
    valid: behind.map((rest) =>
      join(latin1("HTTP/1.1 100\r\n\r\nHTTP/1.1 200 \r\na: b\r\n\r\n"), rest)
    ),
    beyond: shortLines.map((lines) => latin1("HTTP/1.1 101 x\r\n" + lines)),
  },
  bodyTarget("chunked", chunked),
  bodyTarget("chunked", fc.constant(latin1("1;ab\r\nx\r\n0\r\na: b\r\n\r\n")), 10),
  bodyTarget(30, fc.uint8Array({ minLength: 30, maxLength: 40 })),
  bodyTarget("close", behind),
  bodyTarget(0, behind),
];

function only<Head>(parser: Parser<Head>, bytes: Bytes): Head | null {
  parser.push(bytes);
  return parser.next();
}

const requestCodec: Codec<RequestHeadInit, Bytes> = {
  name: "http1 request head",
  value: requestHead,
  encode: encodeRequestHead,
  decode: (bytes) => only(new RequestHeadParser(), bytes),
  want: (head) => ({ ...head, version: "1.1" }),
};
const responseCodec: Codec<ResponseHeadInit, Bytes> = {
  name: "http1 response head",
  value: responseHead,
  encode: encodeResponseHead,
  decode: (bytes) => only(new ResponseHeadParser(), bytes),
  want: (head) => ({ ...head, version: "1.1" }),
};
const nameCodec: Codec<string, Bytes> = {
  name: "http1 canonical field name",
  value: plainName,
  encode: (name) => latin1(canonicalName(name)),
  decode: (bytes) => String.fromCharCode(...bytes).toLowerCase(),
};

export const codecs: Codec[] = [requestCodec, responseCodec, nameCodec];
