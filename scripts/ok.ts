// deno-lint-ignore-file no-console
/**
 * `deno task ok [STEP...]`: the gate. Formatting, lint with the laws of the house, types, tests and
 * a short fuzz run, each to its end; exit code 0 only when all of them passed.
 */

import { main, ROOT, ScriptError } from "./project.ts";

interface Step {
  name: string;
  args: string[];
  env?: Record<string, string>;
}

const STEPS: Step[] = [
  { name: "fmt", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "check", args: ["task", "check"] },
  { name: "test", args: ["task", "test"] },
  { name: "fuzz", args: ["task", "fuzz"], env: { H3WS_FUZZ_RUNS: "2000" } },
];

/** Runs one step with its output shown; gives whether it passed. */
async function passes({ name, args, env }: Step): Promise<boolean> {
  console.log(`\n── ${name}: deno ${args.join(" ")}`);
  const start = performance.now();
  const child = new Deno.Command(Deno.execPath(), { args, env, cwd: ROOT, stdin: "null" }).spawn();
  const { success } = await child.status;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`── ${name}: ${success ? "ok" : "FAILED"} in ${seconds} s`);
  return success;
}

if (import.meta.main) {
  await main(async () => {
    const names = STEPS.map(({ name }) => name);
    const unknown = Deno.args.filter((name) => !names.includes(name));
    if (unknown.length > 0) {
      throw new ScriptError(`No step "${unknown[0]}"; there are: ${names.join(", ")}`);
    }
    const steps = STEPS.filter(({ name }) => Deno.args.length === 0 || Deno.args.includes(name));
    const failed: string[] = [];
    for (const step of steps) {
      if (!await passes(step)) failed.push(step.name);
    }
    if (failed.length > 0) throw new ScriptError(`\nNot ok: ${failed.join(", ")} failed`);
    console.log(`\nok: ${steps.map(({ name }) => name).join(", ")}`);
  });
}
