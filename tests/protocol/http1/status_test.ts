import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import { reasonPhrase } from "../../../src/protocol/http1/status.ts";

// Where Node keeps older words, or names what the IANA registry does not.
const DIFFERENT: Readonly<Record<number, string>> = {
  413: "Content Too Large",
  418: "",
  422: "Unprocessable Content",
  509: "",
};

Deno.test("status: IANA: every status that is registered has its words, and no other", () => {
  for (let status = 100; status < 600; status++) {
    const want = DIFFERENT[status] ?? STATUS_CODES[status] ?? "";
    assert.equal(reasonPhrase(status), want, String(status));
  }
});
