import assert from "node:assert/strict";
import {
  encodeRequest,
  encodeResponse,
  readRequestHead,
  readResponseHead,
  type RequestHead,
} from "../../../src/protocol/http3/fields.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";

const websocket: RequestHead = {
  method: "CONNECT",
  scheme: "https",
  authority: "a.example",
  path: "/chat",
  protocol: "websocket",
  fields: [["sec-websocket-version", "13"]],
};

Deno.test("encodeRequest: pseudo-header fields come first", () => {
  const section = encodeRequest(websocket);
  assert.deepEqual(section, [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", "https"],
    [":authority", "a.example"],
    [":path", "/chat"],
    ["sec-websocket-version", "13"],
  ]);
  assert.deepEqual(readRequestHead(section), websocket);
});

const hopByHop: Field[] = [
  ["connection", "Upgrade, X-Hop"],
  ["upgrade", "websocket"],
  ["keep-alive", "1"],
  ["proxy-connection", "close"],
  ["transfer-encoding", "chunked"],
  ["te", "gzip"],
  ["x-hop", "1"],
  ["x-end", "2"],
];

Deno.test("encodeRequest: connection-specific fields and Host are left out", () => {
  const fields: Field[] = [["host", "A.example"], ...hopByHop];
  assert.deepEqual(encodeRequest({ ...websocket, fields }).slice(5), [["x-end", "2"]]);
});

Deno.test("encodeRequest: TE that says trailers stays", () => {
  const fields: Field[] = [["te", "trailers"]];
  assert.deepEqual(encodeRequest({ ...websocket, fields }).slice(5), fields);
});

const mistakes: [name: string, head: Partial<RequestHead>][] = [
  ["CONNECT with :path", { protocol: null }],
  ["no :authority", { authority: null }],
  ["an upper-case name", { fields: [["X-A", "1"]] }],
  ["a value with LF", { fields: [["x", "a\nb"]] }],
  ["a pseudo-header field among the others", { fields: [[":status", "200"]] }],
];

for (const [name, change] of mistakes) {
  Deno.test(`encodeRequest: a mistake of ours is a TypeError: ${name}`, () => {
    assert.throws(() => encodeRequest({ ...websocket, ...change }), TypeError);
  });
}

Deno.test("encodeResponse: connection-specific fields are left out", () => {
  const section = encodeResponse(200, [...hopByHop, ["set-cookie", "a"], ["set-cookie", "b"]]);
  const fields = [["x-end", "2"], ["set-cookie", "a"], ["set-cookie", "b"]];
  assert.deepEqual(section, [[":status", "200"], ...fields]);
  assert.deepEqual(readResponseHead(section), { status: 200, fields });
});

Deno.test("encodeResponse: a mistake of ours is a TypeError", () => {
  assert.throws(() => encodeResponse(101, []), TypeError);
  assert.throws(() => encodeResponse(99, []), TypeError);
  assert.throws(() => encodeResponse(200, [["x", "a\r\nb: c"]]), TypeError);
});
