import assert from "node:assert/strict";
import { upgradeFields } from "../../src/proxy/headers.ts";
import { getField } from "../../src/protocol/wire/field.ts";

const ROWS: [remote: string, want: string][] = [
  ["192.0.2.7:50000", "192.0.2.7"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  // The connection was gone before its address was asked for.
  ["unknown", "unknown"],
];

for (const [remote, want] of ROWS) {
  Deno.test(`upgradeFields: X-Forwarded-For of ${remote} is ${want}`, () => {
    const fields = upgradeFields({
      http: "3",
      method: "CONNECT",
      protocol: "websocket",
      scheme: "https",
      authority: "a.example",
      path: "/ws",
      fields: [["x-forwarded-for", "203.0.113.1"]],
      remote,
    });
    assert.equal(getField(fields, "x-forwarded-for"), want);
  });
}
