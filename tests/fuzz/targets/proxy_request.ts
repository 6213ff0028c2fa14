import assert from "node:assert/strict";
import * as fc from "fast-check";
import { endToEnd } from "../../../src/protocol/http1/connection.ts";
import { encodeRequestHead } from "../../../src/protocol/http1/encode.ts";
import { RequestHeadParser } from "../../../src/protocol/http1/head.ts";
import { encodeBasic, readBasic } from "../../../src/protocol/http1/proxy_authorization.ts";
import { type ProxyRequest, readProxyRequest } from "../../../src/protocol/http1/proxy_request.ts";
import type { Credentials } from "../../../src/protocol/wire/credentials.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { normalHost } from "../../../src/protocol/wire/host.ts";
import type { Bytes, Codec, Decoder } from "../driver.ts";
import { plainFields } from "../fields.ts";

const authority = fc.tuple(
  fc.constantFrom("a.example", "A.B", "127.0.0.1", "[::1]", "[2001:DB8::1]", "a_b", "x%41"),
  fc.constantFrom(":443", ":80", ":1", ":65535"),
).map((parts) => parts.join(""));
const line = fc.oneof(
  authority.map((target): [string, string] => ["CONNECT", target]),
  fc.tuple(fc.constantFrom("GET", "OPTIONS", "TRACE"), authority, fc.webPath()).map(
    ([method, target, path]): [string, string] => [method, `http://${target}${path}`],
  ),
  fc.constantFrom<[string, string]>(["GET", "/"], ["OPTIONS", "*"], ["GET", "https://a/"]),
);
const own: fc.Arbitrary<Field[]> = fc.subarray<Field>([
  ["connection", "x, te, via"],
  ["proxy-authorization", "Basic dTpw"],
  ["proxy-connection", "close"],
  ["max-forwards", "1"],
  ["via", "1.1 h3ws"],
  ["x", "y"],
]);
const head = fc.tuple(line, own, plainFields).map(([[method, target], mine, others]) =>
  encodeRequestHead({ method, target, fields: [["host", "b"], ...mine, ...others] })
);

/** What it makes of a head; where it goes on, it holds as a head of its own. */
function readHead(bytes: Bytes): ProxyRequest | null {
  const parsed = parse(bytes);
  const asked = parsed === null ? null : readProxyRequest(parsed);
  if (asked === null || asked.kind === "answer") return asked;
  assert.equal(normalHost(asked.host), asked.host);
  assert.ok(asked.port > 0 && asked.port <= 65535);
  if (asked.kind === "absolute") {
    const { method, target, fields } = asked.head;
    assert.deepEqual(parse(encodeRequestHead(asked.head)), {
      method,
      target,
      version: "1.1",
      fields,
    });
    const left = fields.filter(([name]) => name !== "transfer-encoding");
    assert.deepEqual(endToEnd(left), left);
    assert.ok(!left.some(([name]) => name.startsWith("proxy-")));
  }
  return asked;
}

function parse(bytes: Bytes) {
  const parser = new RequestHeadParser({ limit: 4096, maxFields: 30 });
  parser.push(bytes);
  return parser.next();
}

export const decoders: Decoder[] = [
  { name: "proxy request", decode: readHead, valid: head },
];

const printable = fc.string({ unit: "grapheme", maxLength: 20 })
  .filter((text) => !/\p{Cc}/u.test(text));

const basic: Codec<Credentials, string> = {
  name: "Basic credentials",
  value: fc.record({
    username: printable.filter((text) => !text.includes(":")),
    password: printable,
  }),
  encode: encodeBasic,
  decode: readBasic,
};

export const codecs: Codec[] = [basic] as Codec[];
