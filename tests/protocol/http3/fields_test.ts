// RFC 9114 §4.2, §4.3, RFC 8441 §4: what makes a message malformed.
import assert from "node:assert/strict";
import * as messages from "../../../src/protocol/http3/fields.ts";
import { MALFORMED } from "../wire/message_field_rows.ts";
import { GET } from "../wire/message_request_rows.ts";
import { type MessageVersion, outcomeOf, section, testMessages } from "../wire/message_tests.ts";
import { errorText } from "./feed.ts";

const HTTP3: MessageVersion = {
  rfc: "RFC 9114",
  ...{ messages, malformed: "H3_MESSAGE_ERROR stream", errorText },
};

testMessages(HTTP3);

Deno.test("request head: malformed: RFC 9114 §4.3.1: :authority and Host MUST contain the same value", () => {
  const read = () => messages.readRequestHead(section(GET + "host: a.example:443"));
  assert.equal(outcomeOf(HTTP3)(read), MALFORMED);
});
