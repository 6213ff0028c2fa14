// RFC 9113 §8.2, §8.3, §8.5, RFC 8441 §4: what makes a message malformed.
import assert from "node:assert/strict";
import * as messages from "../../../src/protocol/http2/fields.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { RequestHead } from "../../../src/protocol/wire/message.ts";
import { MALFORMED } from "../wire/message_field_rows.ts";
import { GET, get } from "../wire/message_request_rows.ts";
import { type MessageVersion, outcomeOf, section, testMessages } from "../wire/message_tests.ts";
import { errorText } from "./support.ts";

const { encodeRequest, encodeResponse, encodeTrailers, readRequestHead } = messages;

const HTTP2: MessageVersion = {
  rfc: "RFC 9113",
  ...{ messages, malformed: "PROTOCOL_ERROR stream", errorText },
};

testMessages(HTTP2);

Deno.test("request head: RFC 9113 §8.3.1: :authority and Host MUST be normalized before they are compared", () => {
  const read = (host: string) => outcomeOf(HTTP2)(() => readRequestHead(section(GET + host)));
  assert.deepEqual(read("host: A.Example:443"), { ...get, fields: [["host", "A.Example:443"]] });
  assert.equal(read("host: A.Example:80"), MALFORMED);
});

Deno.test("encodeRequest: what is read is what was meant", () => {
  const head: RequestHead = {
    ...get,
    method: "CONNECT",
    protocol: "websocket",
    fields: [["host", "a.example"], ["te", "gzip"], ["connection", "x-a"], ["x-a", "1"], [
      "x",
      "1",
    ]],
  };
  const encoded = encodeRequest(head);
  assert.deepEqual(readRequestHead(encoded), { ...head, fields: [["x", "1"]] });
  assert.throws(() => encodeRequest({ ...head, path: "no slash" }), TypeError);
  assert.throws(() => encodeRequest({ ...head, fields: [["x", "a\nb"]] }), TypeError);
});

Deno.test("encodeResponse: RFC 9113 §8.2.2: without the fields of the connection", () => {
  const fields: Field[] = [["connection", "close, X-A"], ["x-a", "1"], ["te", "trailers"]];
  assert.deepEqual(encodeResponse(204, [...fields, ["keep-alive", "1"], ["x", "1"]]), [
    [":status", "204"],
    ["x", "1"],
  ]);
  assert.throws(() => encodeResponse(101, []), TypeError);
  assert.throws(() => encodeResponse(200, [["X", "1"]]), TypeError);
});

Deno.test("encodeTrailers: RFC 9113 §8.1: without pseudo-header fields, or those of connections", () => {
  assert.deepEqual(encodeTrailers([["te", "trailers"], ["upgrade", "a"], ["x", "1"]]), [[
    "x",
    "1",
  ]]);
  assert.throws(() => encodeTrailers([[":status", "200"]]), TypeError);
  assert.throws(() => encodeTrailers([["x", "1\n"]]), TypeError);
});
