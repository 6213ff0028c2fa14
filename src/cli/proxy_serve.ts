import { ExitCode } from "./command.ts";
import type { Configured } from "./configured.ts";
import { giveBackSoon } from "./give_back.ts";
import type { Io } from "./io.ts";
import { serve } from "./serve.ts";

/** `h3ws proxy`: serves until it is asked to end, then drains. */
export async function runProxy(configured: Configured, io: Io): Promise<number> {
  const serving = await serve(configured.config, { configured });
  const keepAll = giveBackSoon();
  await io.untilStopped();
  keepAll();
  await serving.drain(configured.config.drainMs);
  return ExitCode.OK;
}
