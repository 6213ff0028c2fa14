// Requests that RFC 9114 and RFC 8441 call malformed: 400, or 431 where they are too big, and the
// connection lives on.
import assert from "node:assert/strict";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { testAnswers } from "../support/answer_rows.ts";
import { withProxy } from "../support/proxy.ts";
import { connectFields, dataFrame, type Pseudo } from "../support/raw_h3.ts";

const BAD = { status: 400, rejected: "bad_headers" };
const PLAIN: Pseudo = { protocol: null, scheme: null, path: null };

testAnswers([
  { name: "RFC 8441 §4, 400: no :scheme", pseudo: { scheme: null }, ...BAD },
  { name: "RFC 8441 §4, 400: no :path", pseudo: { path: null }, ...BAD },
  { name: "RFC 8441 §4, 400: no :authority", pseudo: { authority: null }, ...BAD },
  { name: "RFC 8441 §4, 400: :protocol with GET", pseudo: { method: "GET" }, ...BAD },
  {
    name: "RFC 8441 §4, 400: :protocol that is no token",
    pseudo: { protocol: "web socket" },
    ...BAD,
  },
  {
    name: "RFC 9114 §4.4, 400: plain CONNECT with :path",
    pseudo: { protocol: null, authority: "example.com:443" },
    ...BAD,
  },
  {
    name: "RFC 9114 §4.4, 400: plain CONNECT without a port",
    pseudo: { ...PLAIN, authority: "example.com" },
    ...BAD,
  },
  { name: "RFC 9114 §4.3.1, 400: no :method", pseudo: { method: null }, ...BAD },
  { name: "RFC 9114 §4.3.1, 400: empty :path", pseudo: { path: "" }, ...BAD },
  { name: "RFC 9114 §4.3.1, 400: :path without a slash", pseudo: { path: "ws" }, ...BAD },
  { name: "RFC 9114 §4.3.1, 400: :path with a space", pseudo: { path: "/ws HTTP/1.1" }, ...BAD },
  {
    name: "RFC 9114 §4.3.1, 400: :authority with userinfo",
    pseudo: { authority: "u:p@localhost" },
    ...BAD,
  },
  { name: "RFC 9114 §4.3.1, 400: :authority and Host differ", fields: [["host", "other"]], ...BAD },
  {
    name: "RFC 9114 §4.3, 400: unknown pseudo-header field",
    section: connectFields().concat([[":x", "1"]]),
    ...BAD,
  },
  {
    name: "RFC 9114 §4.3, 400: :status in a request",
    section: [...connectFields(), [":status", "200"]],
    ...BAD,
  },
  {
    name: "RFC 9114 §4.3.1, 400: :path twice",
    section: [...connectFields(), [":path", "/ws"]],
    ...BAD,
  },
  {
    name: "RFC 9114 §4.3, 400: pseudo-header field after a regular one",
    section: [...connectFields({ path: null }), ["x", "1"], [":path", "/ws"]],
    ...BAD,
  },
  { name: "RFC 9114 §4.2, 400: upper-case field name", fields: [["X-Upper", "1"]], ...BAD },
  { name: "RFC 9114 §4.2, 400: Connection", fields: [["connection", "upgrade"]], ...BAD },
  { name: "RFC 9114 §4.2, 400: Upgrade", fields: [["upgrade", "websocket"]], ...BAD },
  {
    name: "RFC 9114 §4.2, 400: Transfer-Encoding",
    fields: [["transfer-encoding", "chunked"]],
    ...BAD,
  },
  { name: "RFC 9114 §4.2, 400: TE other than trailers", fields: [["te", "gzip"]], ...BAD },
  { name: "RFC 9114 §10.3, 400: CR LF in a value", fields: [["x", "1\r\nx-evil: 1"]], ...BAD },
  { name: "RFC 9114 §10.3, 400: NUL in a value", fields: [["x", "a\0b"]], ...BAD },
  { name: "RFC 9114 §10.3, 400: a colon in a name", fields: [["x:y", "1"]], ...BAD },
  {
    name: "RFC 9110 §8.6, 400: Content-Length twice",
    fields: [["content-length", "1"], ["content-length", "1"]],
    ...BAD,
  },
  { name: "RFC 6455 §3, 400: a :scheme that is not of the Web", pseudo: { scheme: "ftp" }, ...BAD },
  {
    name: "431: a field section above the limit, encoded below it",
    fields: [["x", "a".repeat(20_000)]],
    status: 431,
    rejected: "header_size",
  },
  {
    name: "431: a HEADERS frame above the limit",
    fields: [["x", "~".repeat(60_000)]],
    status: 431,
    rejected: "header_size",
  },
]);

Deno.test("malformed: RFC 9114 §4.1: DATA before HEADERS ends the connection, and is no 400", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const stream = await quic.openStream();
    await stream.write(dataFrame(new Uint8Array(1)));
    assert.equal((await quic.quic.closed).code, H3Code.H3_FRAME_UNEXPECTED);
    assert.deepEqual(t.seen.rejections, []);
    assert.deepEqual(t.seen.failures.map(({ stage }) => stage), ["h3_framing"]);
    await t.idle();
    assert.deepEqual(t.seen.prerequest, ["request_stream_invalid_first_frame_or_headers"]);
  });
});
