// RFC 9113 §5.4.1, §6.8: how a server's connection comes to its end.
import assert from "node:assert/strict";
import { H2Code, H2Error } from "../../../src/protocol/http2/codes.ts";
import { Http2Connection } from "../../../src/protocol/http2/connection.ts";
import { answering, silent, Tester } from "./conversation.ts";
import {
  data,
  END_HEADERS,
  END_STREAM,
  GET,
  goaway,
  headers,
  ping,
  POST,
  PREFACE,
  settings,
  windowUpdate,
} from "./support.ts";

const WHOLE = END_HEADERS | END_STREAM;

Deno.test("goaway: RFC 9113 §6.8: a graceful shutdown in two steps loses no request", () => {
  const tester = Tester.ready({ role: "server" }, silent);
  const { connection } = tester;
  tester.receive(headers(1, POST));
  connection.drain();
  connection.drain();
  assert.deepEqual(tester.sent(), ["GOAWAY 2147483647 NO_ERROR"], "once");
  tester.receive(headers(3, POST));
  assert.deepEqual(tester.events(), ["request 1 POST /", "request 3 POST /"]);
  connection.goaway();
  tester.receive(headers(5, POST), data(5, "x"), windowUpdate(5, 1), headers(5, "82", WHOLE));
  assert.deepEqual(tester.sent(), ["GOAWAY 3 NO_ERROR"]);
  assert.deepEqual(tester.events(), [], "above the last stream all is ignored");
  assert.equal(connection.isDone, false);
  for (const id of [1, 3]) {
    tester.receive(data(id, "x", END_STREAM));
    connection.sendHeaders(id, [[":status", "200"]], true);
  }
  assert.equal(connection.isDone, true);
});

Deno.test("goaway: after the first step streams are on their way still", () => {
  const tester = Tester.ready({ role: "server" }, answering);
  tester.connection.drain();
  assert.equal(tester.connection.isDone, false);
  tester.receive(headers(1, GET, WHOLE));
  assert.equal(tester.connection.isDone, false);
  tester.connection.goaway();
  assert.equal(tester.connection.isDone, true);
});

Deno.test("goaway: RFC 9113 §6.8: what is left out is decoded, so that trailers can be", () => {
  const tester = Tester.ready({ role: "server" }, silent);
  tester.receive(headers(1, POST));
  tester.connection.goaway();
  tester.receive(headers(3, `${GET} 40 01 78 01 31`, WHOLE), headers(1, "be", WHOLE));
  assert.deepEqual(tester.events(), ["request 1 POST /", "trailers 1 x=1"]);
});

Deno.test("goaway: RFC 9113 §6.8: the last stream MUST NOT be increased", () => {
  const tester = Tester.ready({ role: "server" }, silent);
  tester.receive(headers(1, POST), headers(3, POST), headers(5, POST));
  tester.connection.goaway(H2Code.NO_ERROR, 3);
  tester.connection.goaway();
  tester.connection.drain();
  tester.receive(ping("x"));
  assert.deepEqual(tester.sent(), [
    "GOAWAY 3 NO_ERROR",
    "GOAWAY 3 NO_ERROR",
    "GOAWAY 3 FRAME_SIZE_ERROR",
  ]);
});

Deno.test("goaway: a server that got one is done when its streams are", () => {
  const tester = Tester.ready({ role: "server" }, answering);
  tester.receive(headers(1, POST), goaway(0, H2Code.NO_ERROR));
  assert.equal(tester.connection.isDone, false);
  tester.receive(data(1, "x", END_STREAM));
  assert.equal(tester.connection.isDone, true);
});

Deno.test("goaway: RFC 9113 §5.4.1: a connection error is thrown, told to the peer, and final", () => {
  const connection = new Http2Connection({ role: "server" });
  connection.output();
  connection.push(Uint8Array.from([...PREFACE, ...settings(), ...headers(0, GET), ...ping("x")]));
  assert.equal(connection.next()?.type, "settings");
  let error: unknown;
  assert.throws(() => connection.next(), (thrown) => {
    error = thrown;
    return thrown instanceof H2Error && thrown.code === H2Code.PROTOCOL_ERROR;
  });
  assert.throws(() => connection.next(), (thrown) => thrown === error);
  connection.push(headers(1, GET));
  assert.throws(() => connection.next(), (thrown) => thrown === error);
  assert.throws(() => connection.end(), (thrown) => thrown === error);
  assert.equal(connection.isDone, true);
  // SETTINGS ACK, and GOAWAY with why.
  const out = connection.output();
  assert.equal(out[9 + 3], 0x7);
  const debug = String.fromCharCode(...out.subarray(9 + 9 + 8));
  assert.equal(debug, (error as Error).message);
  assert.equal(connection.outputBytes, 0);
});

Deno.test("goaway: events before an error in the same chunk are told", () => {
  const tester = Tester.ready({ role: "server" }, answering);
  const chunk = [...headers(1, GET, WHOLE), ...headers(2, GET), ...headers(3, GET)];
  assert.equal(tester.receive(Uint8Array.from(chunk)), false);
  assert.deepEqual(tester.events(), ["request 1 GET / END", "! PROTOCOL_ERROR"]);
  assert.deepEqual(tester.sent(), [
    "HEADERS 1 :status=200",
    "DATA 1 hello END",
    "GOAWAY 1 PROTOCOL_ERROR",
  ]);
});
