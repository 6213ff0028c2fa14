import assert from "node:assert/strict";
import fc from "fast-check";
import { LinearRegExp } from "../../src/proxy/linear_regexp.ts";

const EXPRESSIONS = [
  ...["^/ws$", "^/rooms/[^/]+/ws$", "^/(?:a|b|)c*$", "a|b", "^", "$", "", "^$", "()", "(|a)+b"],
  ...[
    "^/v\\d+(\\.\\d+)?/",
    "[a-c-e]",
    "[\\w-]+$",
    "[^\\W_]",
    "\\.json$",
    "a{2,3}$",
    "a{2}b",
    "^a{0,2}$",
  ],
  ...[
    "^(?<room>[a-z]+)$",
    "x*?y+?z??",
    "[]a",
    "[^]a",
    "a{,2}",
    "a{b",
    "]",
    "\\x41\\u0042",
    "[\\b\\]]",
  ],
  ...[
    "^(a*)*$",
    "(a|ab)(c|bcd)(d*)$",
    "\\/\\-\\$",
    ".+\\s",
    "^a|b$",
    "(^a|b$)c?",
    "[\\d-z]",
    "[--a]",
  ],
];

Deno.test("linear regexp: the same as RegExp, for any text", () => {
  const letters = fc.constantFrom(..."abcdexyz/.-_$09AB]{},\n \u00e9\u2028");
  const texts = fc.string({ unit: letters, maxLength: 12 });
  for (const source of EXPRESSIONS) {
    const linear = new LinearRegExp(source);
    const native = new RegExp(source);
    fc.assert(
      fc.property(texts, (text) => {
        assert.equal(
          linear.test(text),
          native.test(text),
          `/${source}/ for ${JSON.stringify(text)}`,
        );
      }),
      { numRuns: 200 },
    );
  }
});

Deno.test("linear regexp: the same as RegExp, for any expression of these parts", () => {
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("a", "b", "/", ".", "[ab]", "[^a]", "^", "$", "\\w", ""),
      fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => a + b),
      fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => `(?:${a}|${b})`),
      fc.tuple(tie("expression"), fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "{0}", "{1,}"))
        .map(([a, times]) => `(${a})${times}`),
    ),
  }));
  const texts = fc.array(fc.string({ unit: fc.constantFrom(..."ab/c"), maxLength: 6 }), {
    minLength: 5,
    maxLength: 10,
  });
  fc.assert(
    fc.property(expression, texts, (source, all) => {
      const linear = new LinearRegExp(source);
      const native = new RegExp(source);
      for (const text of all) {
        assert.equal(linear.test(text), native.test(text), `${source} ${text}`);
      }
    }),
    { numRuns: 500 },
  );
});

const SLOW: [source: string, text: string][] = [
  ["^(a+)+$", "a".repeat(16_000) + "!"],
  ["^([a-zA-Z]+)*$", "a".repeat(16_000) + "1"],
  ["^(a|aa)+$", "a".repeat(16_000) + "!"],
  ["^(a|a?)+$", "a".repeat(16_000) + "!"],
  ["^(.*a){20}$", "a".repeat(16_000) + "!"],
  ["(x+x+)+y", "x".repeat(16_000)],
  ["^/(([^/]+/)+)*x$", "/" + "a/".repeat(8000)],
  ["^(\\w+\\s?)*$", "aaaa ".repeat(3000) + "!"],
  ["a*a*a*a*a*b", "a".repeat(16_000)],
];

Deno.test("linear regexp: the expressions that RegExp takes for ever are done in a moment", () => {
  for (const [source, text] of SLOW) {
    const linear = new LinearRegExp(source);
    const startedMs = performance.now();
    assert.equal(linear.test(text), false, source);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < 2000, `/${source}/ took ${tookMs} ms`);
  }
});

Deno.test("linear regexp: the time grows with the text, not faster", () => {
  const linear = new LinearRegExp("^([a-z]+)*$");
  const time = (length: number) => {
    const text = "a".repeat(length) + "1";
    let bestMs = Infinity;
    for (let i = 0; i < 5; i++) {
      const startedMs = performance.now();
      linear.test(text);
      bestMs = Math.min(bestMs, performance.now() - startedMs);
    }
    return bestMs;
  };
  time(10_000);
  const ratio = time(80_000) / time(10_000);
  // Eight times as long; in quadratic time it would be 64.
  assert.ok(ratio < 30, `${ratio}`);
});

Deno.test("linear regexp: what can't be matched in linear time, or is none, is refused", () => {
  const cases: [source: string, message: RegExp][] = [
    ["(a)\\1", /backreferences/],
    ["(?<x>a)\\k<x>", /backreferences/],
    ["(?=a)", /lookaround/],
    ["(?!a)", /lookaround/],
    ["(?<=a)b", /lookaround/],
    ["(?<!a)b", /lookaround/],
    ["(?i:a)", /lookaround and flags/],
    ["\\bfoo", /\\b can't/],
    ["\\p{L}", /\\p can't/],
    ["(", /Unterminated group/],
    ["a)", /Unmatched/],
    ["*", /Nothing to repeat/],
    ["[b-a]", /Range out of order/],
    ["a{256}", /255 repeats/],
    ["((a{100}){100}){100}", /500 steps/],
    ["(".repeat(200) + ")".repeat(200), /groups in groups/],
  ];
  for (const [source, message] of cases) {
    assert.throws(() => new LinearRegExp(source), (error) => {
      assert.ok(error instanceof SyntaxError, source);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("linear regexp: one that leads to more ways than are kept is right all the same", () => {
  // After each character another of 2^13 sets of ways is open.
  const source = "^(?:a|b)*a[ab]{12}$";
  const linear = new LinearRegExp(source);
  const native = new RegExp(source);
  const text = Array.from({ length: 3000 }, (_, i) => (i * i * 7 >> 3) % 3 === 0 ? "a" : "b").join(
    "",
  );
  for (let length = 0; length < text.length; length += 7) {
    const part = text.slice(0, length);
    assert.equal(linear.test(part), native.test(part), `${length}`);
  }
});
