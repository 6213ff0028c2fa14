import { proxyFlags } from "../config/proxy.ts";
import type { Command } from "./command.ts";
import { configure, type Configured } from "./configured.ts";
import type { Io } from "./io.ts";
import { LISTED } from "./listed.ts";

/** `h3ws proxy`, by what serves until it is asked to end. */
export function proxyCommand(
  runProxy: (configured: Configured, io: Io) => Promise<number>,
): Command {
  return {
    ...LISTED.proxy,
    flags: proxyFlags,
    run: async (values, io) => await runProxy(await configure(values, io.env), io),
  };
}
