// RFC 9113 §8, RFC 9114 §4: the tests that HTTP/2 and HTTP/3 have in common for their messages.
import assert from "node:assert/strict";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Messages } from "../../../src/protocol/wire/messages.ts";
import { badFields, lengths, MALFORMED, responses, trailers } from "./message_field_rows.ts";
import { badRequests, GET, requests, type Sections } from "./message_request_rows.ts";

/** One version of HTTP. */
export interface MessageVersion {
  readonly rfc: "RFC 9113" | "RFC 9114";
  readonly messages: Pick<
    Messages,
    "readRequestHead" | "readResponseHead" | "checkTrailers" | "contentLength"
  >;
  /** What a malformed message is thrown as, in its room's words. */
  readonly malformed: string;
  readonly errorText: (error: unknown) => string;
}

/** A field section, one field a line: `name: value`. */
export function section(text: string): Field[] {
  return text.split("\n").filter((line) => line !== "").map((line): Field => {
    const colon = line.indexOf(":", 1);
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
  });
}

/** What `read` gives, or `MALFORMED` where it throws that. */
export function outcomeOf({ malformed, errorText }: MessageVersion) {
  return <T>(read: () => T): T | string => {
    try {
      return read();
    } catch (error) {
      assert.equal(errorText(error), malformed);
      return MALFORMED;
    }
  };
}

/** Declares the tests of one version: each row of the tables is one. */
export function testMessages(version: MessageVersion): void {
  testRequests(version);
  testResponses(version);
  testFields(version);
}

/** The section that a row is about. */
function cited({ rfc }: MessageVersion, sections: Sections): string {
  const section = sections[rfc === "RFC 9113" ? 0 : 1];
  return section.startsWith("§") ? `${rfc} ${section}` : section;
}

function testRequests(version: MessageVersion): void {
  const outcome = outcomeOf(version);
  const { readRequestHead } = version.messages;
  for (const [sections, what, text, want] of requests) {
    Deno.test(`request head: ${cited(version, sections)}: ${what}`, () => {
      assert.deepEqual(outcome(() => readRequestHead(section(text))), want);
    });
  }
  for (const [sections, what, text] of badRequests) {
    Deno.test(`request head: malformed: ${cited(version, sections)}: ${what}`, () => {
      assert.equal(outcome(() => readRequestHead(section(text))), MALFORMED);
    });
  }
}

function testResponses(version: MessageVersion): void {
  const outcome = outcomeOf(version);
  const { readResponseHead } = version.messages;
  for (const [sections, what, text, want] of responses) {
    Deno.test(`response head: ${cited(version, sections)}: ${what}`, () => {
      assert.deepEqual(outcome(() => readResponseHead(section(text))), want);
    });
  }
}

function testFields(version: MessageVersion): void {
  const outcome = outcomeOf(version);
  const { checkTrailers, contentLength, readRequestHead, readResponseHead } = version.messages;
  for (const [sections, what, field] of badFields) {
    Deno.test(`fields: malformed: ${cited(version, sections)}: ${what}`, () => {
      assert.equal(outcome(() => readRequestHead([...section(GET), field])), MALFORMED);
      assert.equal(outcome(() => readResponseHead([...section(":status: 200"), field])), MALFORMED);
      assert.equal(outcome(() => checkTrailers([field])), MALFORMED);
    });
  }
  for (const [sections, what, text, isRight] of trailers) {
    Deno.test(`trailers: ${isRight ? "" : "malformed: "}${cited(version, sections)}: ${what}`, () => {
      assert.equal(outcome(() => checkTrailers(section(text))), isRight ? undefined : MALFORMED);
    });
  }
  for (const [what, text, want] of lengths) {
    Deno.test(`fields: RFC 9110 §8.6: Content-Length = 1*DIGIT: ${what}`, () => {
      assert.equal(outcome(() => contentLength(section(text))), want);
      if (want !== MALFORMED) return;
      assert.equal(outcome(() => readRequestHead(section(GET + text))), MALFORMED);
      assert.equal(outcome(() => readResponseHead(section(":status: 200\n" + text))), MALFORMED);
    });
  }
}
