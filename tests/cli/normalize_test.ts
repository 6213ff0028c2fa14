import assert from "node:assert/strict";
import { defineCommand } from "../../src/cli/command.ts";
import { normalizeArgs } from "../../src/cli/normalize.ts";
import { UsageError } from "../../src/config/error.ts";
import { plainFlag } from "../../src/config/flags.ts";
import { address, onOff } from "../../src/config/kinds.ts";

const command = defineCommand({
  name: "try",
  summary: "",
  examples: [],
  flags: {
    listen: plainFlag({ name: "listen", short: "l", kind: address, default: ":1", meaning: "" }),
    http1: plainFlag({ name: "http1.1", short: "1", kind: onOff, default: "false", meaning: "" }),
    debug: plainFlag({ name: "debug", kind: onOff, default: "false", meaning: "" }),
  },
  run: () => Promise.resolve(0),
});

const CASES: [args: string[], want: string[]][] = [
  [[], []],
  [["--listen", ":2"], ["--listen=:2"]],
  [["--listen=:2"], ["--listen=:2"]],
  [["-listen", ":2"], ["--listen=:2"]],
  [["-listen=:2"], ["--listen=:2"]],
  [["--listen="], ["--listen="]],
  [["--listen", ""], ["--listen="]],
  [["--listen", "a=b"], ["--listen=a=b"]],
  [["--listen=a\nb"], ["--listen=a\nb"]],
  // A value is a value, whatever it looks like.
  [["--listen", "-debug"], ["--listen=-debug"]],
  [["--listen", "--"], ["--listen=--"]],
  [["--debug", "-listen", ":2"], ["--debug=true", "--listen=:2"]],
  [["-debug"], ["--debug=true"]],
  [["-debug=false"], ["--debug=false"]],
  [["-h"], ["-h"]],
  [["-help"], ["--help"]],
  [["-l", ":2"], ["--listen=:2"]],
  [["-l=:2"], ["--listen=:2"]],
  [["-l", "-1"], ["--listen=-1"]],
  [["-1", "-l", ":2"], ["--http1.1=true", "--listen=:2"]],
  [["--http1.1"], ["--http1.1=true"]],
  [["-1=false"], ["--http1.1=false"]],
  [["-H", "-9=x"], ["-H", "-9"]],
  [["-lisen=:2"], ["--lisen"]],
  [["-debug", "-lisen", ":2", "-debug"], ["--debug=true", "--lisen"]],
];

Deno.test("normalize: -name, --name, -n, =value and the next argument are one", () => {
  for (const [args, want] of CASES) assert.deepEqual(normalizeArgs(args, command), want);
});

Deno.test("normalize: the positional flag's value may stand alone, anywhere, once", () => {
  const positional = { ...command, positional: "listen" };
  const cases: [args: string[], want: string[]][] = [
    [[":2"], ["--listen=:2"]],
    [["-debug", ":2"], ["--debug=true", "--listen=:2"]],
    [[":2", "--debug"], ["--listen=:2", "--debug=true"]],
    [["--listen", ":2"], ["--listen=:2"]],
  ];
  for (const [args, want] of cases) assert.deepEqual(normalizeArgs(args, positional), want);
  const wrong: [args: string[], message: string][] = [
    [
      [":2", ":3"],
      'try: ":3" is one listen too many; allowed: flags and one listen, see h3ws try --help',
    ],
    [
      ["--listen", ":2", ":3"],
      'try: ":3" is one listen too many; allowed: flags and one listen, see h3ws try --help',
    ],
    [["--"], 'try: "--" is not a flag; allowed: flags alone, see h3ws try --help'],
  ];
  for (const [args, message] of wrong) {
    assert.throws(() => normalizeArgs(args, positional), { name: "UsageError", message });
  }
});

Deno.test("normalize: a missing value, and what is no flag, are told", () => {
  const wrong: [args: string[], message: string][] = [
    [
      ["--listen"],
      "--listen: has no value; " +
      "allowed: host:port, [IPv6]:port, or :port for every interface",
    ],
    [["x"], 'try: "x" is not a flag; allowed: flags alone, see h3ws try --help'],
    [["--debug", "true"], 'try: "true" is not a flag; allowed: flags alone, see h3ws try --help'],
    [["--"], 'try: "--" is not a flag; allowed: flags alone, see h3ws try --help'],
  ];
  for (const [args, message] of wrong) {
    assert.throws(() => normalizeArgs(args, command), (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, message);
      return true;
    });
  }
});
