import { createHash } from "node:crypto";

/** What tells agents of one machine apart. */
export interface AgentPlace {
  readonly hostname: string;
  /** Of the system's own, or empty. */
  readonly machineId: string;
  readonly cwd: string;
  /** What the agent was told: another agent beside it was told something else. */
  readonly told: readonly string[];
}

const SUFFIX_LETTERS = 6;
const MAX_HOST_LETTERS = 100;

/** An agent's name where none was given: the same after a restart, another for each agent. */
export function defaultAgentId({ hostname, machineId, cwd, told }: AgentPlace): string {
  const hash = createHash("sha256").update(JSON.stringify([machineId, cwd, told])).digest("hex");
  const name = hostname.replace(/[^\w.-]/g, "-").slice(0, MAX_HOST_LETTERS) || "agent";
  return `${name}-${hash.slice(0, SUFFIX_LETTERS)}`;
}

/** That of this process. */
export async function ownAgentId(told: readonly string[]): Promise<string> {
  // machine-id(5), where there is one.
  const machineId = await Deno.readTextFile("/etc/machine-id").catch(() => "");
  const hostname = Deno.hostname();
  return defaultAgentId({ hostname, machineId: machineId.trim(), cwd: Deno.cwd(), told });
}
