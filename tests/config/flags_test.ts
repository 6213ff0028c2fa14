import assert from "node:assert/strict";
import { UsageError } from "../../src/config/error.ts";
import {
  envFlag,
  flagTableMarkdown,
  type FlagValues,
  plainFlag,
  readFlags,
} from "../../src/config/flags.ts";
import {
  choice,
  count,
  duration,
  file,
  onOff,
  optionalAddress,
  optionalFile,
  size,
} from "../../src/config/kinds.ts";

const table = {
  frame: envFlag({ name: "max-frame", kind: size(), default: "1MiB", meaning: "a | b" }),
  wait: envFlag({ name: "wait", kind: duration({ min: 0 }), default: "2s", meaning: "time" }),
  metrics: envFlag({ name: "metrics", kind: optionalAddress, default: ":1", meaning: "where" }),
  ca: envFlag({ name: "ca", kind: optionalFile, default: "", meaning: "file" }),
  fast: envFlag({ name: "fast", kind: onOff, default: "false", meaning: "hurry" }),
};

Deno.test("flags: a flag goes before the environment, and that before the default", () => {
  const env = { H3WS_MAX_FRAME: "2KiB", H3WS_WAIT: "3s" };
  assert.equal(readFlags(table, {}).frame, 1048576);
  assert.equal(readFlags(table, {}, env).frame, 2048);
  assert.equal(readFlags(table, { "max-frame": "3" }, env).frame, 3);
  assert.equal(readFlags(table, { fast: "false" }, { H3WS_FAST: "1" }).fast, false);
});

Deno.test("flags: an empty variable is unset, but where empty is a value", () => {
  const env = { H3WS_MAX_FRAME: "", H3WS_METRICS: "", H3WS_CA: "", H3WS_FAST: "" };
  const config = readFlags(table, {}, env);
  assert.equal(config.frame, 1048576);
  assert.equal(config.metrics, null);
  assert.equal(config.ca, null);
  assert.equal(config.fast, false);
});

Deno.test("flags: those for the command line alone are not read from the environment", () => {
  const plain = { days: plainFlag({ name: "days", kind: count(), default: "1", meaning: "" }) };
  assert.equal(readFlags(plain, {}, { H3WS_DAYS: "7" }).days, 1);
});

function errorOf(values: FlagValues, env = {}): string {
  try {
    readFlags(table, values, env);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message;
  }
  assert.fail("taken");
}

Deno.test("flags: what is wrong names the flag, the value and what is allowed", () => {
  const sizes = "bytes, or a number with KiB, MiB, GiB (64KiB, 1MiB)";
  assert.equal(
    errorOf({ "max-frame": "12xx" }),
    `--max-frame: "12xx" is not a size; allowed: ${sizes}`,
  );
  assert.equal(
    errorOf({}, { H3WS_MAX_FRAME: "1MB" }),
    `H3WS_MAX_FRAME: "1MB" is not a size; allowed: ${sizes}`,
  );
  assert.equal(
    errorOf({ "max-frame": "0" }),
    '--max-frame: "0" is out of range; allowed: 1 or more',
  );
  assert.equal(
    errorOf({ wait: "9999h" }),
    '--wait: "9999h" is out of range; allowed: 0 to 576h',
  );
  assert.equal(
    errorOf({ metrics: "a\nb" }),
    '--metrics: "a\\u000ab" is not an address; ' +
      "allowed: host:port, [IPv6]:port, or :port for every interface; off for none",
  );
  assert.ok(errorOf({ wait: "x".repeat(9999) }).length < 400);
});

Deno.test("flags: kinds", () => {
  assert.equal(choice(["json", "text"]).parse("JSON"), "json");
  assert.throws(() => choice(["json"]).parse("xml"), { problem: "is not known", allowed: "json" });
  assert.equal(optionalAddress.parse("off"), null);
  assert.equal(optionalFile.parse("ca.pem"), "ca.pem");
  assert.throws(() => file.parse(""), { problem: "is not a path" });
  assert.throws(() => count({ min: 1, max: 9 }).parse("10"), { allowed: "1 to 9" });
  assert.throws(() => count({ min: 1, max: 9 }).parse("x"), {
    allowed: "a whole number from 1 to 9",
  });
  for (const text of ["true", "1", "yes", "on", "TRUE"]) assert.equal(onOff.parse(text), true);
  for (const text of ["false", "0", "no", "off"]) assert.equal(onOff.parse(text), false);
});

Deno.test("flags: the README's table", () => {
  assert.equal(
    flagTableMarkdown({ frame: table.frame, ca: table.ca, fast: table.fast }),
    "| flag | environment | default | meaning |\n" +
      "| --- | --- | --- | --- |\n" +
      "| `--max-frame <size>` | `H3WS_MAX_FRAME` | `1MiB` | a \\| b |\n" +
      "| `--ca <file>` | `H3WS_CA` |  | file |\n" +
      "| `--fast` | `H3WS_FAST` |  | hurry |\n",
  );
});
