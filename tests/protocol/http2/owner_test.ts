// RFC 9113 §5.1: streams, as the owner of a connection sees them.
import assert from "node:assert/strict";
import { H2Code } from "../../../src/protocol/http2/codes.ts";
import { encodeResponse } from "../../../src/protocol/http2/fields.ts";
import { Tester } from "./conversation.ts";
import {
  ascii,
  data,
  END_HEADERS,
  END_STREAM,
  GET,
  headers,
  POST,
  rstStream,
  windowUpdate,
} from "./support.ts";

const WHOLE = END_HEADERS | END_STREAM;

Deno.test("streams: RFC 9113 §5.1: the states, as both ends see them", () => {
  const tester = Tester.ready({ role: "server" });
  const { connection } = tester;
  assert.equal(connection.stateOf(1), "closed");
  tester.receive(headers(1, POST));
  assert.equal(connection.stateOf(1), "open");
  connection.sendHeaders(1, encodeResponse(200, []), true);
  assert.equal(connection.stateOf(1), "half-closed (local)");
  tester.receive(data(1, "test", END_STREAM));
  assert.equal(connection.stateOf(1), "closed");
  tester.receive(headers(3, GET, WHOLE));
  assert.equal(connection.stateOf(3), "half-closed (remote)");
  connection.reset(3, H2Code.CANCEL);
  assert.equal(connection.stateOf(3), "closed");
  assert.deepEqual(tester.sent(), ["HEADERS 1 :status=200 END", "RST_STREAM 3 CANCEL"]);
});

Deno.test("streams: RFC 9113 §5.4.2: nothing is sent on a stream behind RST_STREAM", () => {
  const tester = Tester.ready({ role: "server" });
  const { connection } = tester;
  tester.receive(headers(1, POST), rstStream(1, H2Code.CANCEL));
  assert.equal(connection.sendHeaders(1, encodeResponse(200, []), false), false);
  assert.equal(connection.sendData(1, ascii("test"), true), 0);
  assert.equal(connection.sendTrailers(1, []), false);
  assert.equal(connection.sendable(1), 0);
  // RFC 9113 §5.4.2: an endpoint MUST NOT send RST_STREAM in response to RST_STREAM.
  connection.reset(1, H2Code.CANCEL);
  connection.consumed(1, 100);
  assert.deepEqual(tester.sent(), []);
});

Deno.test("streams: RFC 9113 §5.1: nothing is sent on a stream behind END_STREAM", () => {
  const tester = Tester.ready({ role: "server" });
  const { connection } = tester;
  tester.receive(headers(1, POST));
  connection.sendHeaders(1, encodeResponse(200, []), false);
  connection.sendTrailers(1, [["x", "1"]]);
  assert.equal(connection.sendData(1, ascii("test"), true), 0);
  assert.equal(connection.sendHeaders(1, encodeResponse(200, []), false), false);
  assert.deepEqual(tester.sent(), ["HEADERS 1 :status=200", "HEADERS 1 x=1 END"]);
  // RFC 9113 §8.1: a server may ask the client to stop after a whole response.
  connection.reset(1, H2Code.NO_ERROR);
  assert.deepEqual(tester.sent(), ["RST_STREAM 1 NO_ERROR"]);
});

Deno.test("streams: mistakes of the owner are errors of its own", () => {
  const tester = Tester.ready({ role: "server" });
  const { connection } = tester;
  tester.receive(headers(1, POST), data(1, "test"));
  assert.throws(() => connection.sendData(1, ascii("test"), false), /DATA before a head/);
  assert.throws(() => connection.sendTrailers(1, []), /Trailers before a head/);
  assert.throws(() => connection.sendHeaders(1, [[":status", "103"]], true), /END_STREAM/);
  connection.sendHeaders(1, [[":status", "103"]], false);
  connection.sendHeaders(1, [[":status", "200"]], false);
  assert.throws(() => connection.sendHeaders(1, [[":status", "200"]], false), /Second head/);
  assert.throws(() => connection.openStream([], false), /No stream can be opened/);
  assert.throws(() => connection.push(new Uint8Array(1)) ?? connection.push(new Uint8Array(1)));
});

Deno.test("streams: RFC 9113 §5.1: what is remembered of closed streams is bounded", () => {
  const limits = { resets: { burst: 1e6, perSecond: 0 }, overhead: { burst: 1e6, perSecond: 0 } };
  const tester = Tester.ready({ role: "server", limits });
  for (let id = 1; id <= 601; id += 2) tester.receive(headers(id, POST), windowUpdate(id, 0));
  tester.sent();
  tester.events();
  // 301 streams were reset by us, of which 256 are remembered.
  tester.receive(data(601, "x"), data(601 - 2 * 255, "x"));
  assert.deepEqual(tester.sent(), []);
  tester.receive(data(1, "x"));
  assert.deepEqual(tester.sent(), ["RST_STREAM 1 STREAM_CLOSED"], "again, as it was forgotten");
  tester.receive(data(1, "x"));
  assert.deepEqual(tester.sent(), []);
});
