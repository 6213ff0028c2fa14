import assert from "node:assert/strict";
import { ValueError } from "../../src/config/error.ts";
import { parsePathRule } from "../../src/config/path.ts";
import { pathMatches } from "../../src/proxy/answers.ts";

Deno.test("path: exact without ^, a regular expression with it", () => {
  assert.deepEqual(parsePathRule("/ws"), { exact: "/ws" });
  assert.equal(pathMatches(parsePathRule("/ws"), "/ws"), true);
  assert.equal(pathMatches(parsePathRule("/ws"), "/ws/"), false);
  assert.equal(pathMatches(parsePathRule("/a.c"), "/abc"), false);
  const rule = parsePathRule("^/rooms/[^/]+/ws$");
  for (const [path, want] of [["/rooms/1/ws", true], ["/rooms//ws", false]] as const) {
    // Twice: the rule keeps no state between requests.
    assert.equal(pathMatches(rule, path), want);
    assert.equal(pathMatches(rule, path), want);
  }
});

const REFUSED: [text: string, problem: string][] = [
  ["", "is not a path"],
  ["ws", "is not a path"],
  ["/a b", "is not a path"],
  ["/ä", "is not a path"],
  ["/ws?a=1", "has more than a path"],
  ["/ws#a", "has more than a path"],
  ["^(", "is not a regular expression that can be used (Unterminated group)"],
  ["^[", "is not a regular expression that can be used (Unterminated character class)"],
  ["^/*+", "is not a regular expression that can be used (Nothing to repeat)"],
  [
    "^/(?=a)",
    "is not a regular expression that can be used (lookaround and flags can't be used here)",
  ],
  ["^/(a)\\1", "is not a regular expression that can be used (backreferences can't be used here)"],
  ["^/a\\b", "is not a regular expression that can be used (\\b can't be used here)"],
];

Deno.test("path: what is wrong is told", () => {
  for (const [text, problem] of REFUSED) {
    assert.throws(
      () => parsePathRule(text),
      (error) => {
        assert.ok(error instanceof ValueError, text);
        assert.equal(error.problem, problem);
        return true;
      },
    );
  }
});

Deno.test("path: no path takes an expression more than linear time", () => {
  const rule = parsePathRule("^/(a+)+$");
  const startedMs = performance.now();
  assert.equal(pathMatches(rule, `/${"a".repeat(16_000)}!`), false);
  assert.equal(pathMatches(rule, `/${"a".repeat(16_000)}`), true);
  assert.ok(performance.now() - startedMs < 5_000, "RegExp would take longer than the sun lasts");
});
