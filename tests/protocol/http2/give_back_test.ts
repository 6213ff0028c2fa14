// RFC 9113 §6.9: what is given back, and when; and that nothing of the connection's window is lost.
import assert from "node:assert/strict";
import { H2Code } from "../../../src/protocol/http2/codes.ts";
import { encodeResponse } from "../../../src/protocol/http2/fields.ts";
import { narrow, Tester } from "./conversation.ts";
import {
  data,
  END_STREAM,
  headers,
  largeData,
  PADDED,
  POST,
  rstStream,
  windowUpdate,
} from "./support.ts";

Deno.test("flow: what is consumed is given back when it is half of the window", () => {
  const tester = narrow();
  const { connection } = tester;
  tester.receive(headers(1, POST), ...largeData(1, 65535));
  connection.consumed(1, 32767);
  assert.deepEqual(tester.sent(), []);
  connection.consumed(1, 1);
  assert.deepEqual(tester.sent(), ["WINDOW_UPDATE 0 32768"]);
  connection.consumed(1, 32767);
  assert.deepEqual(tester.sent(), [], "the stream's window is of 1 MiB");
  assert.throws(() => connection.consumed(1, 1), /Consumed 1 of 0/);
});

Deno.test("flow: the window of a stream is given back as that of the connection is", () => {
  const tester = Tester.ready({ role: "server", settings: { initialWindowBytes: 100 } }, () => {});
  tester.receive(headers(1, POST), data(1, new Uint8Array(100)));
  tester.connection.consumed(1, 49);
  assert.deepEqual(tester.sent(), []);
  tester.connection.consumed(1, 1);
  assert.deepEqual(tester.sent(), ["WINDOW_UPDATE 1 50"]);
  tester.receive(data(1, new Uint8Array(50), END_STREAM));
  tester.connection.consumed(1, 100);
  assert.deepEqual(tester.sent(), [], "a stream that ended needs none");
});

Deno.test("flow: RFC 9113 §6.1: padding is given back to the connection as it comes", () => {
  const tester = narrow();
  const padded = data(1, Uint8Array.from({ length: 257 }, (_, i) => (i === 0 ? 255 : 0)), PADDED);
  tester.receive(headers(1, POST), ...Array(255).fill(padded));
  assert.deepEqual(tester.sent(), ["WINDOW_UPDATE 0 32768"], "of 255 * 256, in one step");
  tester.connection.consumed(1, 255);
  assert.deepEqual(tester.sent(), []);
});

// RFC 9113 §5.1, §6.9: the content of DATA frames counts for the connection whatever becomes of it.
const lost: [name: string, lose: (tester: Tester) => void][] = [
  ["reset by us", ({ connection }) => connection.reset(1, H2Code.CANCEL)],
  ["reset by the peer", (tester) => tester.receive(rstStream(1, H2Code.CANCEL))],
  ["broken by the peer", (tester) => tester.receive(windowUpdate(1, 0))],
];

for (const [name, lose] of lost) {
  Deno.test(`flow: DATA of a stream that was ${name} is given back to the connection`, () => {
    const tester = narrow();
    tester.receive(headers(1, POST), ...largeData(1, 65535));
    tester.connection.consumed(1, 10);
    lose(tester);
    assert.equal(tester.sent().at(-1), "WINDOW_UPDATE 0 65535");
    // The owner may not have heard of it yet.
    tester.connection.consumed(1, 65525);
    assert.deepEqual(tester.sent(), []);
  });
}

const discarded: [name: string, first: Uint8Array[], then: (tester: Tester) => void][] = [
  ["on a stream that we reset", [headers(1, POST)], (t) => t.connection.reset(1, H2Code.CANCEL)],
  ["on a stream whose head was malformed", [headers(1, "86 84")], () => {}],
  ["behind END_STREAM", [headers(1, POST), data(1, "", END_STREAM)], () => {}],
  ["on a stream that was skipped", [headers(9, POST)], () => {}],
  ["on a stream that our GOAWAY leaves out", [], (tester) => {
    tester.connection.goaway();
    tester.receive(headers(1, POST));
  }],
];

for (const [name, first, then] of discarded) {
  Deno.test(`flow: DATA ${name} is given back to the connection`, () => {
    const tester = narrow();
    tester.receive(...first);
    then(tester);
    tester.receive(...largeData(1, 65535), ...largeData(1, 65535));
    const back = tester.sent().filter((line) => line.startsWith("WINDOW_UPDATE 0"))
      .reduce((sum, line) => sum + Number(line.split(" ")[2]), 0);
    assert.ok(back > 2 * 65535 - 32768, `${back} came back`);
    assert.equal(tester.events().some((line) => line.startsWith("data 1 (")), false);
  });
}

Deno.test("flow: a stream that is reset inside a DATA frame loses the rest of it", () => {
  const tester = narrow();
  const frame = data(1, new Uint8Array(16384));
  tester.receive(headers(1, POST), frame.subarray(0, 1009));
  tester.connection.reset(1, H2Code.CANCEL);
  tester.receive(frame.subarray(1009), headers(3, POST), ...largeData(3, 65535 - 16384));
  assert.deepEqual(tester.events().filter((line) => line.startsWith("data 1")), ["data 1 (1000)"]);
  tester.connection.consumed(3, 65535 - 16384);
  assert.deepEqual(tester.sent(), ["RST_STREAM 1 CANCEL", "WINDOW_UPDATE 0 65535"]);
});

Deno.test("flow: a stream that ended holds the connection's window until it is consumed", () => {
  const tester = narrow();
  const { connection } = tester;
  tester.receive(headers(1, POST), ...largeData(1, 40000), data(1, "", END_STREAM));
  connection.sendHeaders(1, encodeResponse(200, []), true);
  assert.equal(connection.streams, 0);
  assert.deepEqual(tester.sent(), ["HEADERS 1 :status=200 END"]);
  connection.consumed(1, 40000);
  assert.deepEqual(tester.sent(), ["WINDOW_UPDATE 0 40000"]);
  connection.consumed(1, 40000);
  assert.deepEqual(tester.sent(), [], "it is no more");
});

Deno.test("flow: a stream that ended and is reset by its owner gives back what it held", () => {
  const tester = narrow();
  const { connection } = tester;
  tester.receive(headers(1, POST), ...largeData(1, 40000), data(1, "", END_STREAM));
  connection.sendHeaders(1, encodeResponse(200, []), true);
  tester.sent();
  connection.reset(1, H2Code.CANCEL);
  assert.deepEqual(tester.sent(), ["WINDOW_UPDATE 0 40000"], "no RST_STREAM on a closed stream");
  assert.equal(connection.streams, 0);
});
