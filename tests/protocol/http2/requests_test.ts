// RFC 9113, RFC 8441: what a client does.
import assert from "node:assert/strict";
import { H2Code } from "../../../src/protocol/http2/codes.ts";
import { encodeRequest, type RequestHead } from "../../../src/protocol/http2/fields.ts";
import { silent, Tester } from "./conversation.ts";
import {
  ascii,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  goaway,
  headers,
  SettingId,
  settings,
  windowUpdate,
} from "./support.ts";

const WHOLE = END_HEADERS | END_STREAM;
const OK = "88";
const PROTOCOL_ERROR = ["GOAWAY 0 PROTOCOL_ERROR"];

const get: RequestHead = {
  method: "GET",
  scheme: "https",
  authority: "a.example",
  path: "/",
  protocol: null,
  fields: [],
};
const GET = encodeRequest(get);
const CONNECT = encodeRequest({ ...get, method: "CONNECT", protocol: "websocket" });

/** A client with requests on streams 1, 3, and so on. */
function client(...sections: (typeof GET)[]): Tester {
  const tester = Tester.ready({ role: "client" }, silent);
  for (const section of sections) tester.connection.openStream(section, section !== CONNECT);
  tester.sent();
  return tester;
}

Deno.test("client: requests, with content and without", () => {
  const tester = client();
  const { connection } = tester;
  assert.equal(connection.openStream(GET, true), 1);
  assert.equal(connection.openStream(encodeRequest({ ...get, method: "POST" }), false), 3);
  assert.equal(connection.sendData(3, ascii("hello"), false), 5);
  assert.equal(connection.sendTrailers(3, [["x", "1"]]), true);
  const pseudo = ":scheme=https :authority=a.example :path=/";
  assert.deepEqual(tester.sent(), [
    `HEADERS 1 :method=GET ${pseudo} END`,
    `HEADERS 3 :method=POST ${pseudo}`,
    "DATA 3 hello",
    "HEADERS 3 x=1 END",
  ]);
  assert.equal(connection.streams, 2);
  tester.receive(headers(1, OK, WHOLE), headers(3, "89", WHOLE));
  assert.equal(connection.streams, 0);
});

Deno.test("client: RFC 9113 §5.1.2: no stream above the peer's SETTINGS_MAX_CONCURRENT_STREAMS", () => {
  const tester = client();
  const { connection } = tester;
  tester.receive(settings([SettingId.MAX_CONCURRENT_STREAMS, 1]));
  connection.openStream(GET, true);
  assert.equal(connection.canOpenStream, false);
  assert.throws(() => connection.openStream(GET, true), /No stream can be opened/);
  tester.receive(headers(1, OK, WHOLE));
  assert.equal(connection.canOpenStream, true);
});

Deno.test("client: RFC 8441 §3: whether :protocol may be used", () => {
  const tester = client();
  assert.equal(tester.connection.peerSettings.enableConnectProtocol, false);
  tester.receive(settings([SettingId.ENABLE_CONNECT_PROTOCOL, 1]));
  assert.equal(tester.connection.peerSettings.enableConnectProtocol, true);
});

Deno.test("client: RFC 9113 §6.9: it gives back what it consumed, and waits for room", () => {
  const tester = client(CONNECT);
  const { connection } = tester;
  tester.receive(headers(1, OK), ...Array(3).fill(data(1, new Uint8Array(16384))));
  assert.deepEqual(tester.sent(), ["WINDOW_UPDATE 1 32768"]);
  assert.equal(connection.sendData(1, new Uint8Array(70000), false), 65535);
  tester.events();
  tester.receive(windowUpdate(1, 5), windowUpdate(0, 7));
  assert.deepEqual(tester.events(), ["window 1", "window 0"]);
  assert.equal(connection.sendable(1), 5);
});

Deno.test("client: RFC 9113 §6.8: streams that a GOAWAY leaves out are as if they never were", () => {
  const tester = client(GET, GET, GET, CONNECT);
  const { connection } = tester;
  tester.receive(headers(1, OK), goaway(3, H2Code.NO_ERROR));
  assert.deepEqual(tester.events(), [
    "response 1 200",
    "goaway 3 NO_ERROR",
    "reset 5 REFUSED_STREAM",
    "reset 7 REFUSED_STREAM",
  ]);
  // RFC 9113 §6.8: receivers of a GOAWAY MUST NOT open additional streams.
  assert.equal(connection.canOpenStream, false);
  assert.equal(connection.sendData(7, ascii("hello"), true), 0);
  assert.deepEqual([connection.streams, connection.isDone], [2, false]);
  tester.receive(data(1, "hello", END_STREAM), headers(3, OK, WHOLE));
  assert.deepEqual([connection.streams, connection.isDone], [0, true]);
  assert.deepEqual(tester.sent(), []);
});

Deno.test("client: RFC 9113 §6.8: a GOAWAY MUST NOT rise", () => {
  const tester = client(GET, GET, GET);
  tester.receive(goaway(0x7fffffff, 0), goaway(3, 0), goaway(3, 0), goaway(1, 2));
  assert.deepEqual(tester.events().at(-2), "goaway 1 INTERNAL_ERROR");
  assert.equal(tester.receive(goaway(3, 0)), false);
  assert.deepEqual(tester.sent(), PROTOCOL_ERROR);
});

Deno.test("client: frames on a stream that it reset are discarded", () => {
  const tester = client(GET, GET);
  tester.connection.reset(1, H2Code.CANCEL);
  tester.receive(
    headers(1, "88 40 01 78 01 31"),
    data(1, "hello"),
    headers(1, "be", END_STREAM),
    continuation(1, "", END_HEADERS),
    headers(3, "88 be", WHOLE),
  );
  assert.deepEqual(tester.sent(), ["RST_STREAM 1 CANCEL"]);
  assert.deepEqual(tester.events(), ["response 3 200 END"]);
});
