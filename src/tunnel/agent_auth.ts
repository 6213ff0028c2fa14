import { orAborted } from "../client/http_client.ts";
import { NetError } from "../net/error.ts";
import { inTime } from "../net/sweeper.ts";
import type { Authed } from "../protocol/tunnel/auth.ts";
import type { Frame } from "../protocol/tunnel/frame.ts";
import type { AgentLinkOptions } from "./agent_links.ts";
import { TunnelRefused } from "./target.ts";

/** A gateway that came again at once answers no QUIC of before: nobody waits for it for long. */
export const HEARTBEAT_MS = 5_000;
/** A gateway that is silent for so many heartbeats is gone. */
export const PATIENCE = 3;

/**
 * What a gateway says that has taken us.
 *
 * @throws {TunnelRefused} with AUTH_FAILED when it has not
 */
export function answered(frame: Frame | null): Authed {
  if (frame?.type !== "authed") throw new NetError("other", "the gateway did not answer AUTH");
  const { authed } = frame;
  if (!authed.success) throw new TunnelRefused(authed.code!, authed.message);
  return authed;
}

/** Rejects when the gateway takes longer than connecting may, and when the agent ends meanwhile. */
export async function authInTime<T>(
  work: Promise<T>,
  { sweeper, connectTimeoutMs: afterMs, signal }: Pick<
    AgentLinkOptions,
    "sweeper" | "connectTimeoutMs" | "signal"
  >,
): Promise<T> {
  const late = () => {
    throw new NetError("timeout", `no answer to AUTH within ${afterMs} ms`);
  };
  work.catch(() => {});
  return await inTime(orAborted(work, signal), { sweeper, afterMs, late });
}
