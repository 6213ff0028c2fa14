import { toNetError } from "../net/error.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { TunnelRefused } from "./target.ts";

/** There is no place for one more. */
export function full(message: string): TunnelRefused {
  return new TunnelRefused(TunnelCode.RATE_LIMITED, message);
}

/** Whether another agent may do what this one did not. */
export function mayHelp(error: unknown): boolean {
  if (!(error instanceof TunnelRefused)) return true;
  return error.code === TunnelCode.RATE_LIMITED || error.code === TunnelCode.INTERNAL_ERROR;
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
