import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import { retryAfterMs } from "../../src/client/retry_after.ts";

const NOW_MS = Date.UTC(1999, 11, 31, 23, 59, 0);

const ROWS: { name: string; value: string | null; date?: string; want: number | null }[] = [
  { name: "seconds", value: "120", want: 120_000 },
  { name: "no seconds", value: "0", want: 0 },
  { name: "a number too great for a number", value: "9".repeat(400), want: Infinity },
  { name: "IMF-fixdate", value: "Fri, 31 Dec 1999 23:59:59 GMT", want: 59_000 },
  { name: "RFC 850", value: "Friday, 31-Dec-99 23:59:59 GMT", want: 59_000 },
  { name: "asctime", value: "Fri Dec 31 23:59:59 1999", want: 59_000 },
  { name: "a date that is over", value: "Fri, 31 Dec 1999 23:58:00 GMT", want: 0 },
  {
    name: "a date, by the clock of the answer",
    value: "Fri, 31 Dec 1999 23:59:59 GMT",
    date: "Fri, 31 Dec 1999 23:59:49 GMT",
    want: 10_000,
  },
  {
    name: "a date, where that of the answer is none",
    value: "Fri, 31 Dec 1999 23:59:59 GMT",
    date: "now",
    want: 59_000,
  },
  ...[null, "", "soon", "-5", "1.5", "1e3", "12 s", "1999-12-31", "Fri, 99 Dec 1999 23:59:59 GMT"]
    .map((value) => ({ name: `none: ${value}`, value, want: null })),
];

for (const { name, value, date, want } of ROWS) {
  Deno.test(`RFC 9110 §10.2.3: Retry-After: ${name}`, () => {
    const fields: Field[] = [["server", "x"]];
    if (value !== null) fields.push(["retry-after", value]);
    if (date !== undefined) fields.push(["date", date]);
    assert.equal(retryAfterMs(fields, NOW_MS), want);
  });
}
