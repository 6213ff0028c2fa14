// What a peer does again and again.
import assert from "node:assert/strict";
import { encodeResponse } from "../../../src/protocol/http2/fields.ts";
import { type Owner, silent, Tester } from "./conversation.ts";

/** Answers with an empty 200. */
export const quick: Owner = (connection, event) => {
  silent(connection, event);
  if (event.type !== "request" || event.head.method === "POST") return;
  connection.sendHeaders(event.streamId, encodeResponse(200, []), event.head.method !== "CONNECT");
};

/** How often `step` is taken, `most` at most, before it is ENHANCE_YOUR_CALM. */
export function steps(tester: Tester, most: number, step: (i: number) => Uint8Array[]): number {
  for (let i = 0; i < most; i++) {
    if (tester.receive(...step(i))) {
      tester.connection.output();
      tester.events();
      continue;
    }
    assert.match(tester.sent().at(-1) ?? "", /^GOAWAY \d+ ENHANCE_YOUR_CALM$/);
    return i;
  }
  return most;
}

/** A stream's identifier for each step. */
export function id(i: number): number {
  return 2 * i + 1;
}
