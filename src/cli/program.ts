/**
 * How this program is started from here, for a command line to copy: from its source by a task, by
 * npx, or as itself.
 */
export function programName(
  env: Readonly<Record<string, string | undefined>>,
  mainModule: string = Deno.mainModule,
): string {
  const byNpx = env.npm_command === "exec";
  if (!mainModule.endsWith("/main.ts")) return byNpx ? "npx h3ws" : "h3ws";
  return byNpx ? `npx -y deno@${Deno.version.deno} task start` : "deno task start";
}
