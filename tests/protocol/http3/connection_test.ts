import assert from "node:assert/strict";
import { ConnectionState, UniStreamType } from "../../../src/protocol/http3/connection.ts";
import { errorText } from "./feed.ts";

function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return errorText(error);
  }
}

const CREATION_ERROR = "H3_STREAM_CREATION_ERROR connection";

Deno.test("connection: what unidirectional streams are for", () => {
  const state = new ConnectionState("server");
  const types = [UniStreamType.QPACK_DECODER, 0x21, UniStreamType.CONTROL, 0x21, 0x2, 2 ** 60];
  assert.deepEqual(types.map((type) => state.openUniStream(type)), [
    "decoder",
    "unknown",
    "control",
    "unknown",
    "encoder",
    "unknown",
  ]);
});

for (const name of ["CONTROL", "QPACK_ENCODER", "QPACK_DECODER"] as const) {
  Deno.test(`connection: RFC 9114 §6.2.1, RFC 9204 §4.2: only one stream of each: ${name}`, () => {
    for (const role of ["server", "client"] as const) {
      const state = new ConnectionState(role);
      state.openUniStream(UniStreamType[name]);
      assert.equal(outcome(() => state.openUniStream(UniStreamType[name])), CREATION_ERROR);
    }
  });
}

Deno.test("connection: RFC 9114 §6.2.2: only servers can push", () => {
  const state = new ConnectionState("server");
  assert.equal(outcome(() => state.openUniStream(UniStreamType.PUSH)), CREATION_ERROR);
});

Deno.test("connection: RFC 9114 §4.6: a push ID above what MAX_PUSH_ID allowed is H3_ID_ERROR", () => {
  const state = new ConnectionState("client");
  assert.equal(outcome(() => state.openUniStream(UniStreamType.PUSH)), "H3_ID_ERROR connection");
});

Deno.test("connection: RFC 9114 §6.2.1, RFC 9204 §4.2: critical streams MUST NOT be closed", () => {
  const state = new ConnectionState("server");
  for (const kind of ["control", "encoder", "decoder"] as const) {
    const got = outcome(() => state.closeUniStream(kind));
    assert.equal(got, "H3_CLOSED_CRITICAL_STREAM connection");
  }
  assert.equal(outcome(() => state.closeUniStream("unknown")), undefined);
});

Deno.test("connection: RFC 9114 §5.2: our GOAWAY never grows, and is behind the last request", () => {
  const state = new ConnectionState("server");
  assert.equal(state.goaway(2 ** 53 - 8), 2 ** 53 - 4);
  assert.equal(state.goaway(8), 12);
  assert.equal(state.goaway(100), 12);
  assert.equal(state.goaway(null), 0);
});

Deno.test("connection: a client's GOAWAY counts pushes", () => {
  assert.equal(new ConnectionState("client").goaway(null), 0);
  assert.equal(new ConnectionState("client").goaway(3), 4);
});
