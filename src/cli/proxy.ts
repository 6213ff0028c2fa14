import type { ProxyConfig } from "../config/proxy.ts";
import { ExitCode } from "./command.ts";
import type { Io } from "./io.ts";
import { serve } from "./serve.ts";

/** `h3ws proxy`: serves until it is asked to end, then drains. */
export async function proxyCommand(config: ProxyConfig, io: Io): Promise<number> {
  const serving = await serve(config);
  await io.untilStopped();
  await serving.drain(config.drainMs);
  return ExitCode.OK;
}
