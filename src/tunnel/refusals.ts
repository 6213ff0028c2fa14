import { toNetError } from "../net/error.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { TunnelRefused } from "./target.ts";

/** There is no place for one more. */
export function full(message: string): TunnelRefused {
  return new TunnelRefused(TunnelCode.RATE_LIMITED, message);
}

/** What is about the agent, and not about the target. */
const OF_THE_AGENT: ReadonlySet<TunnelCode> = new Set([
  TunnelCode.RATE_LIMITED,
  TunnelCode.INTERNAL_ERROR,
  TunnelCode.FORBIDDEN_HOST,
]);

/** Whether another agent may do what this one did not. */
export function mayHelp(error: unknown): boolean {
  return !(error instanceof TunnelRefused) || OF_THE_AGENT.has(error.code);
}

/** What whoever asked is told. */
export function refusedBy(error: unknown): TunnelRefused {
  if (error instanceof TunnelRefused) return error;
  const { kind, message } = toNetError(error);
  return new TunnelRefused(TunnelCode.CONNECTION_FAILED, `${kind}: ${message}`, error);
}

/** An agent that ends lets what is open go on. */
export function drains(): TunnelRefused {
  return full("the agent shuts down");
}
