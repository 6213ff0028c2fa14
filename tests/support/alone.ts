// What is measured of a whole process, its memory or its descriptors, is measured where no other
// test runs: `deno test --parallel` runs many files in one.
import assert from "node:assert/strict";

/** Set in the process of one such test. */
const ALONE = "H3WS_TEST_ALONE";

export interface TestAlone {
  /** Of this test, and no part of another's in its file. */
  name: string;
  ignore?: boolean;
  fn: () => Promise<void>;
}

/** Declares a test of `file` (`import.meta.url`) that runs in a process of its own. */
export function testAlone(file: string, { name, ignore, fn }: TestAlone): void {
  const isAlone = Deno.env.get(ALONE) === name;
  Deno.test({ name, ignore, fn: isAlone ? fn : () => runAlone(new URL(file).pathname, name) });
}

async function runAlone(file: string, name: string): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // Its types were checked with this file's.
    args: ["test", "-A", "--no-check", "--filter", name, file],
    env: { [ALONE]: name, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.ok(success, `${out}${error}`);
  assert.match(out, /^ok \| 1 passed /m, "this test, and no other");
}
