import { run } from "./args.ts";
import { benchCommand } from "./bench.ts";
import { demoCommand } from "./demo.ts";
import { proxyCommand } from "./proxy.ts";

/** The whole program: runs one command line and returns the exit code. */
export function main(args: readonly string[]): Promise<number> {
  return run(args, { proxy: proxyCommand, commands: [benchCommand, demoCommand] });
}
