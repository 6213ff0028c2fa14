import assert from "node:assert/strict";
import {
  canonicalName,
  hashName,
  knownName,
  LINE_START,
} from "../../../src/protocol/http1/names.ts";
import { latin1 } from "../../fuzz/input.ts";

const NAMES = [
  ["host", "Host"],
  ["sec-websocket-accept", "Sec-WebSocket-Accept"],
  ["x-real-ip", "X-Real-IP"],
  ["www-authenticate", "WWW-Authenticate"],
  ["etag", "ETag"],
  ["x--a", "X--A"],
  ["constructor", "Constructor"],
];

for (const [name, want] of NAMES) {
  Deno.test(`canonical name of ${name}`, () => assert.equal(canonicalName(name), want));
}

function hashOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = hashName(hash, name.charCodeAt(i));
  return hash;
}

Deno.test("each known name has a slot of its own, and is found in any case", () => {
  assert.ok(LINE_START.size > 90);
  for (const [name, start] of LINE_START) {
    assert.equal(start, `${canonicalName(name)}: `);
    for (const written of [name, name.toUpperCase(), canonicalName(name)]) {
      assert.equal(knownName(hashOf(name), latin1(`..${written}:`), 2), name);
    }
  }
});

Deno.test("a known name is found only where all of it is", () => {
  const hash = hashOf("host");
  for (const text of ["hosts:", "hos", "hos:", "h\xefst:", "host"]) {
    assert.equal(knownName(hash, latin1(text), 0), null, text);
  }
});
