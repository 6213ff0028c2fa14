// RFC 9113 §5.2, §6.9: flow control. The numbers of h2spec's cases stand where one is met.
import assert from "node:assert/strict";
import { encodeResponse } from "../../../src/protocol/http2/fields.ts";
import { narrow, type Owner, type Setup, test, Tester } from "./conversation.ts";
import {
  ascii,
  data,
  END_HEADERS,
  END_STREAM,
  GET,
  headers,
  hex,
  largeData,
  PADDED,
  ping,
  POST,
  PREFACE,
  SettingId,
  settings,
  SETTINGS_ACK,
  windowUpdate,
} from "./support.ts";

const WHOLE = END_HEADERS | END_STREAM;
const PONG = "PING ACK --pong--";
const { INITIAL_WINDOW_SIZE } = SettingId;

/** Answers "hello", as far as the windows let it, and goes on when they do. */
function hello(): Owner {
  const left = new Map<number, Uint8Array>();
  return (connection, event) => {
    if (event.type === "request") {
      connection.sendHeaders(event.streamId, encodeResponse(200, []), false);
      left.set(event.streamId, ascii("hello"));
    } else if (event.type !== "window" && event.type !== "settings") return;
    for (const [streamId, bytes] of left) {
      const taken = connection.sendData(streamId, bytes, true);
      if (taken === bytes.length) left.delete(streamId);
      else left.set(streamId, bytes.subarray(taken));
    }
  };
}

test("flow: RFC 9113 §6.9.1, §6.9.2: no more is sent than the windows have", {
  options: { role: "server" },
  makeOwner: hello,
}, [
  {
    name: "SETTINGS_INITIAL_WINDOW_SIZE of 1 [http2/6.9.1/1]",
    send: [settings([INITIAL_WINDOW_SIZE, 1]), headers(1, GET, WHOLE)],
    sent: ["SETTINGS ACK", "HEADERS 1 :status=200", "DATA 1 h"],
  },
  {
    name: "values are processed in the order they appear [http2/6.5.3/1]",
    send: [settings([INITIAL_WINDOW_SIZE, 100], [INITIAL_WINDOW_SIZE, 1]), headers(1, GET, WHOLE)],
    sent: ["SETTINGS ACK", "HEADERS 1 :status=200", "DATA 1 h"],
  },
  {
    name: "a change of it changes the window of each stream [http2/6.9.2/1]",
    send: [
      settings([INITIAL_WINDOW_SIZE, 0]),
      headers(1, GET, WHOLE),
      headers(3, GET, WHOLE),
      settings([INITIAL_WINDOW_SIZE, 1]),
    ],
    sent: [
      "SETTINGS ACK",
      "HEADERS 1 :status=200",
      "HEADERS 3 :status=200",
      "SETTINGS ACK",
      "DATA 1 h",
      "DATA 3 h",
    ],
  },
  {
    name: "a window may become negative [http2/6.9.2/2]",
    send: [
      settings([INITIAL_WINDOW_SIZE, 3]),
      headers(1, GET, WHOLE),
      settings([INITIAL_WINDOW_SIZE, 2]),
      windowUpdate(1, 1),
      windowUpdate(1, 1),
      windowUpdate(1, 9),
    ],
    sent: [
      "SETTINGS ACK",
      "HEADERS 1 :status=200",
      "DATA 1 hel",
      "SETTINGS ACK",
      "DATA 1 l",
      "DATA 1 o END",
    ],
    events: ["settings", "request 1 GET / END", "settings", "window 1", "window 1"],
  },
  {
    name: "WINDOW_UPDATE of a stream before it is needed [generic/3.9/2]",
    send: [
      settings([INITIAL_WINDOW_SIZE, 0]),
      headers(1, POST),
      windowUpdate(1, 5),
      ping("--pong--"),
    ],
    sent: ["SETTINGS ACK", "HEADERS 1 :status=200", "DATA 1 hello END", PONG],
  },
  {
    name: "WINDOW_UPDATE of the connection that nobody waits for [generic/3.9/1]",
    send: [windowUpdate(0, 100), ping("--pong--")],
    sent: [PONG],
    events: [],
  },
]);

const setup: Setup = { options: { role: "server" } };

test("flow: RFC 9113 §6.9: an increment of 0 is PROTOCOL_ERROR", setup, [
  {
    name: "of the connection [http2/6.9/1]",
    send: [windowUpdate(0, 0)],
    sent: ["GOAWAY 0 PROTOCOL_ERROR"],
  },
  {
    name: "of a stream [http2/6.9/2]",
    send: [headers(1, POST), windowUpdate(1, 0), ping("--pong--")],
    sent: ["RST_STREAM 1 PROTOCOL_ERROR", PONG],
    events: ["request 1 POST /", "streamError 1 PROTOCOL_ERROR"],
  },
]);

test("flow: RFC 9113 §6.9.1, §6.9.2: a window above 2^31-1 is FLOW_CONTROL_ERROR", setup, [
  {
    name: "of the connection [http2/6.9.1/2]",
    send: [windowUpdate(0, 0x7fffffff), windowUpdate(0, 0x7fffffff)],
    sent: ["GOAWAY 0 FLOW_CONTROL_ERROR"],
  },
  {
    name: "of the connection, by one byte",
    send: [windowUpdate(0, 0x7fffffff - 65535), ping("--pong--"), windowUpdate(0, 1)],
    sent: [PONG, "GOAWAY 0 FLOW_CONTROL_ERROR"],
  },
  {
    name: "of a stream [http2/6.9.1/3]",
    send: [headers(1, POST), windowUpdate(1, 0x7fffffff), ping("--pong--")],
    sent: ["RST_STREAM 1 FLOW_CONTROL_ERROR", PONG],
  },
  {
    name: "of a stream, by a change of SETTINGS_INITIAL_WINDOW_SIZE",
    send: [
      headers(1, POST),
      windowUpdate(1, 0x7fffffff - 65535),
      settings([INITIAL_WINDOW_SIZE, 65536]),
    ],
    sent: ["GOAWAY 1 FLOW_CONTROL_ERROR"],
  },
  {
    name: "a SETTINGS_INITIAL_WINDOW_SIZE above it [http2/6.5.2/2, 6.9.2/3]",
    send: [settings([INITIAL_WINDOW_SIZE, 0x80000000])],
    sent: ["GOAWAY 0 FLOW_CONTROL_ERROR"],
  },
]);

Deno.test("flow: RFC 9113 §6.9.2: a window that nothing is sent in any more can't be too large", () => {
  const tester = Tester.ready({ role: "server" });
  tester.receive(headers(1, POST), windowUpdate(1, 0x7fffffff - 65535));
  tester.connection.sendHeaders(1, encodeResponse(200, []), true);
  assert.ok(tester.receive(settings([INITIAL_WINDOW_SIZE, 65536])));
});

const small: Setup = {
  options: { role: "server", settings: { initialWindowBytes: 10 } },
  // Nothing is ever consumed.
  owner: () => {},
};

test("flow: RFC 9113 §6.9.1: more DATA than the window has is FLOW_CONTROL_ERROR", small, [
  {
    name: "of a stream",
    send: [headers(1, POST), data(1, "0123456789"), data(1, "a"), ping("--pong--")],
    sent: ["RST_STREAM 1 FLOW_CONTROL_ERROR", PONG],
    events: ["request 1 POST /", "data 1 0123456789", "streamError 1 FLOW_CONTROL_ERROR"],
  },
  {
    name: "of a stream, at once",
    send: [headers(1, POST), data(1, "0123456789a")],
    sent: ["RST_STREAM 1 FLOW_CONTROL_ERROR"],
    events: ["request 1 POST /", "streamError 1 FLOW_CONTROL_ERROR"],
  },
  {
    name: "empty DATA needs no window",
    send: [headers(1, POST), data(1, "0123456789"), data(1, "", END_STREAM), ping("--pong--")],
    sent: [PONG],
    events: ["request 1 POST /", "data 1 0123456789 END"],
  },
  {
    name: "padding counts: what was padding is given back at once",
    send: [
      headers(1, POST),
      data(1, hex("05 61626364 0000000000"), PADDED),
      data(1, "012345"),
      data(1, "6"),
    ],
    sent: ["WINDOW_UPDATE 1 6", "RST_STREAM 1 FLOW_CONTROL_ERROR"],
    events: ["request 1 POST /", "data 1 abcd012345", "streamError 1 FLOW_CONTROL_ERROR"],
  },
  {
    name: "padding alone is too much",
    send: [headers(1, POST), data(1, hex("0a 00000000000000000000"), PADDED)],
    sent: ["RST_STREAM 1 FLOW_CONTROL_ERROR"],
  },
]);

Deno.test("flow: RFC 9113 §6.9.1: more DATA than the connection's window has is its end", () => {
  const tester = narrow();
  tester.receive(
    headers(1, POST),
    headers(3, POST),
    ...largeData(1, 40000),
    ...largeData(3, 25535),
  );
  assert.deepEqual(tester.sent(), []);
  assert.equal(tester.receive(data(3, "a")), false);
  assert.deepEqual(tester.sent(), ["GOAWAY 3 FLOW_CONTROL_ERROR"]);
});

Deno.test("flow: RFC 9113 §6.9.2: until our SETTINGS are acknowledged, theirs is the default", () => {
  for (const initialWindowBytes of [10, 200_000]) {
    const tester = new Tester({ role: "server", settings: { initialWindowBytes } }, () => {});
    tester.receive(PREFACE, settings(), headers(1, POST), ...largeData(1, 65535));
    assert.equal(tester.sent().at(-1), "SETTINGS ACK");
    tester.receive(SETTINGS_ACK);
    const more = Math.max(0, initialWindowBytes - 65535);
    tester.receive(...largeData(1, more), headers(3, POST), data(3, "0123456789"));
    assert.deepEqual(tester.sent(), []);
    tester.receive(data(1, "a"), data(3, "a"));
    const both = ["RST_STREAM 1 FLOW_CONTROL_ERROR", "RST_STREAM 3 FLOW_CONTROL_ERROR"];
    const sent = tester.sent().filter((line) => !line.startsWith("WINDOW_UPDATE"));
    assert.deepEqual(sent, more > 0 ? both.slice(0, 1) : both);
  }
});

Deno.test("flow: sendData takes what both windows have room for, in frames of 16384", () => {
  const tester = Tester.ready({ role: "server" });
  const { connection } = tester;
  tester.receive(settings([INITIAL_WINDOW_SIZE, 40000]), headers(1, GET, WHOLE));
  tester.receive(headers(3, GET, WHOLE), headers(5, GET, WHOLE));
  tester.sent();
  for (const id of [1, 3, 5]) connection.sendHeaders(id, encodeResponse(200, []), false);
  tester.sent();
  assert.equal(connection.sendable(1), 40000);
  assert.equal(connection.sendData(1, new Uint8Array(50000), true), 40000);
  assert.deepEqual(tester.sent(), ["DATA 1 (16384)", "DATA 1 (16384)", "DATA 1 (7232)"]);
  assert.deepEqual([connection.sendable(1), connection.sendable(3)], [0, 25535]);
  assert.equal(connection.sendData(3, new Uint8Array(50000), true), 25535);
  assert.equal(connection.sendData(3, new Uint8Array(50000), true), 0);
  assert.equal(connection.sendData(3, new Uint8Array(0), false), 0);
  assert.deepEqual(tester.sent(), ["DATA 3 (16384)", "DATA 3 (9151)"]);
  assert.equal(connection.sendData(5, new Uint8Array(0), true), 0);
  assert.deepEqual(tester.sent(), ["DATA 5  END"], "an empty one needs no window");

  tester.receive(windowUpdate(0, 100_000));
  assert.deepEqual(tester.events().at(-1), "window 0");
  assert.equal(connection.sendData(3, new Uint8Array(14464), true), 14464);
  assert.equal(connection.sendData(1, new Uint8Array(10000), true), 0);
  tester.receive(windowUpdate(1, 16384));
  assert.equal(connection.sendData(1, new Uint8Array(16384), true), 16384);
  assert.deepEqual(tester.sent(), ["DATA 3 (14464) END", "DATA 1 (16384) END"]);
});
