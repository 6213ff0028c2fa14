import { agentFlags, readAgentConfig } from "../config/agent.ts";
import { UsageError } from "../config/error.ts";
import type { Command } from "./command.ts";
import { LISTED } from "./listed.ts";
import { configureTunnel } from "./tunnel_configured.ts";

/** `h3ws agent`: the private end of the reverse tunnel. */
export const agentCommand: Command = {
  ...LISTED.agent,
  flags: agentFlags,
  positional: "gateway",
  async run(flags, io) {
    const part = { section: "agent", read: readAgentConfig } as const;
    const configured = await configureTunnel(part, { flags, env: io.env });
    const { gateways, user, token, id, transports } = configured.config;
    if (gateways.length === 0) {
      const allowed = "wss://host:port: h3ws agent wss://gw.example:8443";
      throw new UsageError({ key: "--gateway", value: null, problem: "is missing", allowed });
    }
    if (user !== null && token !== null) {
      const problem = "can't stand beside --user";
      throw new UsageError({ key: "--token", value: null, problem, allowed: "one of the two" });
    }
    // AnyProxy's messages know names and passwords alone.
    if (token !== null && id === null && transports.every((one) => one === "json")) {
      const problem = "takes the name of its user as --id";
      throw new UsageError({ key: "--token", value: null, problem, allowed: "--id beside it" });
    }
    const { runAgent } = await import("./agent_serve.ts");
    return await runAgent(configured, io);
  },
};
