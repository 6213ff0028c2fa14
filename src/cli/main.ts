import { type Handlers, lazyCommands, run } from "./args.ts";
import type { Command } from "./command.ts";
import { LISTED } from "./listed.ts";

const HANDLERS: Handlers = {
  async proxy(configured, io) {
    const { runProxy } = await import("./proxy_serve.ts");
    return await runProxy(configured, io);
  },
  commands: [
    { ...LISTED.connect, load: async () => (await import("./connect.ts")).connectCommand },
    { ...LISTED.bench, load: async () => (await import("./bench.ts")).benchCommand },
    { ...LISTED.doctor, load: async () => (await import("./doctor.ts")).doctorCommand },
    { ...LISTED.demo, load: async () => (await import("./demo.ts")).demoCommand },
    { ...LISTED.gateway, load: async () => (await import("./gateway.ts")).gatewayCommand },
    { ...LISTED.agent, load: async () => (await import("./agent.ts")).agentCommand },
    { ...LISTED.passwd, load: async () => (await import("./passwd.ts")).passwdCommand },
    {
      ...LISTED.completions,
      load: async () => (await import("./completions.ts")).completionsCommand(loadCommands),
    },
  ],
};

/** All commands, in the order of the help. */
export function loadCommands(): Promise<Command[]> {
  return Promise.all(lazyCommands(HANDLERS).map((command) => command.load()));
}

/** The whole program: runs one command line and returns the exit code. */
export function main(args: readonly string[]): Promise<number> {
  return run(args, HANDLERS);
}
