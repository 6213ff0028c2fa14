import { commandsOf, type Handlers, run } from "./args.ts";
import { agentCommand } from "./agent.ts";
import { benchCommand } from "./bench.ts";
import type { Command } from "./command.ts";
import { completionsCommand } from "./completions.ts";
import { connectCommand } from "./connect.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { gatewayCommand } from "./gateway.ts";
import { passwdCommand } from "./passwd.ts";
import { proxyCommand } from "./proxy.ts";

const HANDLERS: Handlers = {
  proxy: proxyCommand,
  commands: [
    connectCommand,
    benchCommand,
    doctorCommand,
    demoCommand,
    gatewayCommand,
    agentCommand,
    passwdCommand,
    completionsCommand(() => COMMANDS),
  ],
};

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = commandsOf(HANDLERS);

/** The whole program: runs one command line and returns the exit code. */
export function main(args: readonly string[]): Promise<number> {
  return run(args, HANDLERS);
}
