// Field sections, for all versions of HTTP.
import * as fc from "fast-check";
import type { Field } from "../../src/protocol/wire/field.ts";
import type { Bytes } from "./driver.ts";
import { latin1, latin1Text } from "./input.ts";

/** Fields that have rules of their own. */
const SPECIAL = ["host", "content-length", "transfer-encoding", "connection", "te", "cookie"];

const tchar = fc.constantFrom(..."!#$%&'*+-.^_`|~019az");

/** A lower-case name of a field without rules of its own. */
export const plainName: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: tchar, minLength: 1, maxLength: 12 }),
  fc.constantFrom("sec-websocket-key", "sec-websocket-version", "origin", "x-forwarded-for"),
).filter((name) => !SPECIAL.includes(name) && !["keep-alive", "upgrade"].includes(name));

/** What a field may hold, latin1 and without white space at the ends. */
export const fieldValue: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...'\t ,;="az09:/~\x80\xff'),
  maxLength: 30,
}).map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ""));

/** Fields without rules of their own. */
export const plainFields: fc.Arbitrary<Field[]> = fc.array(
  fc.tuple(plainName, fieldValue),
  { maxLength: 6 },
);

/** Fields as lines of text, so that they can be broken like any other input. */
export function toLines(fields: readonly Field[]): Bytes {
  return latin1(fields.map(([name, value]) => `${name}=${value}\n`).join(""));
}

/** The fields of such lines, whatever became of them. */
export function fromLines(bytes: Bytes): Field[] {
  return latin1Text(bytes).split("\n").slice(0, -1).map((line): Field => {
    const at = line.indexOf("=");
    return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
  });
}
