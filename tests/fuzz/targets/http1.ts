import * as fc from "fast-check";
import { BodyParser } from "../../../src/protocol/http1/body.ts";
import {
  encodeRequestHead,
  encodeResponseHead,
  type RequestHeadInit,
  type ResponseHeadInit,
} from "../../../src/protocol/http1/encode.ts";
import type { Framing } from "../../../src/protocol/http1/framing.ts";
import { RequestHeadParser, ResponseHeadParser } from "../../../src/protocol/http1/head.ts";
import { canonicalName } from "../../../src/protocol/http1/names.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";
import {
  type RequestEvent,
  RequestSequence,
  type SequenceEvent,
} from "../../../src/protocol/http1/request_sequence.ts";
import { type Bytes, type Codec, type Run, type Target, withRest } from "../driver.ts";
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
  // CONNECT has no content.
  fields: [["host", host] as Field, ...fields].filter((field) =>
    target[0] !== "CONNECT" || isNoFraming(field)
  ),
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
  const target: Target<Bytes | Run, Parser<Bytes | Run> & { body: BodyParser }> = {
    name: `http1 body, ${framing}${limit === undefined ? "" : `, limit ${limit}`}`,
    make() {
      const body = new BodyParser({ framing, invalid: 502, limit, maxTrailers: 8 });
      return Object.assign(withRest(body), { body });
    },
    valid,
    normalise: (event) => event instanceof Uint8Array ? { run: "data", bytes: event } : event,
    state: ({ body }) => body.trailers,
  };
  return target as unknown as Target;
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

/** What is told of a request, and the bytes behind the last one. */
type Told = SequenceEvent | Run;

/** A sequence that answers at once; behind a request that is the last one all is a tunnel. */
function answering(limits: ConstructorParameters<typeof RequestSequence>[0]): Parser<Told> {
  const sequence = new RequestSequence(limits);
  let last: RequestEvent | null = null;
  let ended = false;
  let behind: Bytes = new Uint8Array();
  return {
    push: (chunk) => ended ? void (behind = chunk) : sequence.push(chunk),
    next() {
      if (ended) {
        const bytes = behind;
        behind = new Uint8Array();
        return bytes.length > 0 ? { run: "rest", bytes } : null;
      }
      const event = sequence.next();
      if (event?.type === "request") last = event;
      if (event?.type === "end" && last?.persistent) sequence.restart();
      else if (event?.type === "end") {
        ended = true;
        behind = sequence.rest();
      }
      return event;
    },
    end: () => sequence.end(),
    limit: sequence.limit,
    get buffered() {
      return sequence.buffered;
    },
  };
}

const connection = fc.constantFrom<Field[]>(
  [],
  [["connection", "close"]],
  [["connection", "keep-alive, upgrade"], ["upgrade", "tcp"]],
  [["expect", "100-continue"]],
);
const message = fc.oneof(
  fc.tuple(connection, fc.uint8Array({ maxLength: 30 })).map(([fields, body]) =>
    join(encodePost([...fields, ["content-length", String(body.length)]]), body)
  ),
  fc.tuple(connection, chunked).map(([fields, body]) =>
    join(encodePost([...fields, ["transfer-encoding", "chunked"]]), body)
  ),
  connection.map((fields) => join(latin1("\r\n"), encodePost(fields))),
);

function encodePost(fields: Field[]): Bytes {
  return encodeRequestHead({ method: "POST", target: "/", fields: [["host", "a"], ...fields] });
}

const sequence: Target<Told> = {
  name: "http1 request sequence",
  make: () => answering({ head: { limit: 512, maxFields: 12 }, body: { limit: 512 } }),
  valid: fc.array(message, { minLength: 1, maxLength: 4 }).map((messages) => join(...messages)),
  normalise(event) {
    if ("run" in event) return event;
    return event.type === "data" ? { run: "data", bytes: event.bytes } : event;
  },
};

export const targets: Target[] = [
  sequence as Target,
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
