import assert from "node:assert/strict";
import { parsePromText } from "./prom_text.ts";

const HEAD = "# HELP a_total A\n# TYPE a_total counter\n";
const HIST = "# HELP h H\n# TYPE h histogram\n";

Deno.test("the reader of the text format refuses what is wrong", () => {
  const table: { name: string; text: string; want: RegExp }[] = [
    { name: "no line feed at the end", text: `${HEAD}a_total 1`, want: /line feed/ },
    { name: "no HELP", text: "# TYPE a_total counter\na_total 1\n", want: /without its HELP/ },
    { name: "no TYPE", text: "# HELP a_total A\na_total 1\n", want: /outside/ },
    { name: "TYPE twice", text: `${HEAD}a_total 1\n${HEAD}a_total{b="1"} 1\n`, want: /second/ },
    { name: "a sample twice", text: `${HEAD}a_total 1\na_total 2\n`, want: /second sample/ },
    { name: "another name", text: `${HEAD}b_total 1\n`, want: /does not belong/ },
    { name: "no samples", text: HEAD, want: /no samples/ },
    { name: "counter below 0", text: `${HEAD}a_total -1\n`, want: /below 0/ },
    { name: "bad value", text: `${HEAD}a_total one\n`, want: /Not a value/ },
    { name: "bad label", text: `${HEAD}a_total{b="1"x} 1\n`, want: /Not a label/ },
    { name: "raw quote", text: `${HEAD}a_total{b="1"2"} 1\n`, want: /Not a label/ },
    { name: "no +Inf", text: `${HIST}h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`, want: /\+Inf/ },
    {
      name: "not cumulative",
      text: `${HIST}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
      want: /not cumulative/,
    },
    {
      name: "+Inf is not count",
      text: `${HIST}h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n`,
      want: /\+Inf != count/,
    },
    { name: "no sum", text: `${HIST}h_bucket{le="+Inf"} 1\nh_count 1\n`, want: /_sum/ },
  ];
  for (const { name, text, want } of table) {
    assert.throws(() => parsePromText(text), want, name);
  }
});
