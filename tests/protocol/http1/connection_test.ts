import assert from "node:assert/strict";
import {
  connectionOptions,
  endToEnd,
  hasConnectionOption,
  isHopByHop,
  isPersistent,
} from "../../../src/protocol/http1/connection.ts";
import { acceptsTrailers } from "../../../src/protocol/http1/trailers.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";

function connection(...values: string[]): Field[] {
  return values.map((value) => ["connection", value]);
}

const OPTIONS: [name: string, fields: Field[], want: string[]][] = [
  ["none", [["close", "x"], ["proxy-connection", "close"]], []],
  ["one", connection("close"), ["close"]],
  ["any case", connection("Keep-Alive, UPGRADE"), ["keep-alive", "upgrade"]],
  ["several lines", connection("a,b", "c"), ["a", "b", "c"]],
  ["empty members and white space", connection(" ,\ta ,, b\t,", ""), ["a", "b"]],
];

for (const [name, fields, want] of OPTIONS) {
  Deno.test(`RFC 9110 §7.6.1: connection options: ${name}`, () => {
    assert.deepEqual(connectionOptions(fields), want);
    for (const option of want) assert.equal(hasConnectionOption(fields, option), true);
    for (const option of ["x", "clos", "lose"]) {
      assert.equal(hasConnectionOption(fields, option), false, option);
    }
  });
}

const PERSISTENT: [name: string, version: "1.0" | "1.1", fields: Field[], want: boolean][] = [
  ["HTTP/1.1", "1.1", [], true],
  ["HTTP/1.1 with close", "1.1", connection("close"), false],
  ["HTTP/1.1 with Close among others", "1.1", connection("te, Close", "keep-alive"), false],
  ["HTTP/1.1 with what looks like close", "1.1", connection('closed, "close", clo se'), true],
  ["HTTP/1.1 with Proxy-Connection", "1.1", [["proxy-connection", "close"]], true],
  ["HTTP/1.0", "1.0", [], false],
  ["HTTP/1.0 with keep-alive", "1.0", connection("Keep-Alive"), true],
  ["HTTP/1.0 with keep-alive and close", "1.0", connection("keep-alive", "close"), false],
  ["HTTP/1.0 with a Keep-Alive field alone", "1.0", [["keep-alive", "timeout=5"]], false],
];

for (const [name, version, fields, want] of PERSISTENT) {
  Deno.test(`RFC 9112 §9.3: persistent? ${name}`, () => {
    assert.equal(isPersistent({ version, fields }), want);
  });
}

const KEPT: Field[] = [["host", "a"], ["x-a", "1"], ["cookie", "b"], ["trailer", "x-b"]];

Deno.test("RFC 9110 §7.6.1: hop-by-hop fields and those that Connection names don't go on", () => {
  const hop: Field[] = [
    ...connection("close, X-Named", "Http2-Settings,x-other"),
    ["x-named", "1"],
    ["x-other", "2"],
    ["keep-alive", "timeout=5"],
    ["proxy-connection", "close"],
    ["te", "trailers"],
    ["transfer-encoding", "chunked"],
    ["upgrade", "h2c"],
    ["http2-settings", "AAMAAABkAAQAAP__"],
    ["proxy-authorization", "Basic YQ=="],
    ["proxy-authenticate", "Basic"],
    ["content_length", "5"],
    ["transfer_encoding", "chunked"],
  ];
  assert.deepEqual(endToEnd([...hop, ...KEPT]), KEPT);
  assert.deepEqual(endToEnd([...KEPT, ...hop.reverse()]), KEPT);
  assert.deepEqual(endToEnd(KEPT), KEPT);
  assert.equal(isHopByHop("te"), true);
  assert.equal(isHopByHop("x-named"), false);
});

Deno.test("RFC 9110 §7.6.1: Connection can't take away what says where the content ends", () => {
  const fields: Field[] = [["host", "a"], ["content-length", "5"], ["content-type", "b/c"]];
  const named = connection("host, Content-Length, content-type");
  assert.deepEqual(endToEnd([...named, ...fields]), fields);
});

Deno.test("RFC 9110 §10.1.4: who reads trailers says so by TE", () => {
  const te = (...values: string[]) => acceptsTrailers(values.map((value) => ["te", value]));
  assert.equal(te("trailers"), true);
  assert.equal(te("gzip;q=0.5, Trailers"), true);
  assert.equal(te("gzip", "trailers"), true);
  assert.equal(te("trailers;q=0", "xtrailers"), false);
  assert.equal(te(), false);
});
