import { type AgentConfig, agentFlags, readAgentConfig } from "../config/agent.ts";
import { UsageError } from "../config/error.ts";
import type { Environment, FlagValues } from "../config/flags.ts";
import type { Command } from "./command.ts";
import { LISTED } from "./listed.ts";
import { configureTunnel } from "./tunnel_configured.ts";

/** `h3ws agent`: the private end of the reverse tunnel. */
export const agentCommand: Command = {
  ...LISTED.agent,
  flags: agentFlags,
  positional: "gateway",
  async run(flags, io) {
    const part = { section: "agent", read } as const;
    const configured = await configureTunnel(part, { flags, env: io.env });
    const { runAgent } = await import("./agent_serve.ts");
    return await runAgent(configured, io);
  },
};

/** Throws `UsageError` for what makes no agent, of a file that is read again as well. */
function read(flags: FlagValues, env: Environment): AgentConfig {
  const config = readAgentConfig(flags, env);
  const { gateways, user, token, id, transports } = config;
  const wrong = (key: string, problem: string, allowed: string) => {
    return new UsageError({ key, value: null, problem, allowed });
  };
  if (gateways.length === 0) {
    throw wrong("--gateway", "is missing", "wss://host:port: h3ws agent wss://gw.example:8443");
  }
  if (user !== null && token !== null) {
    throw wrong("--token", "can't stand beside --user", "one of the two");
  }
  // One of a certificate's two files is told of where they are read.
  if (user === null && token === null && config.certFile === null && config.keyFile === null) {
    throw wrong("--user", "is missing", "--user name:password, --token, or --cert and --key");
  }
  // AnyProxy's messages know names and passwords alone.
  if (token !== null && id === null && transports.every((one) => one === "json")) {
    throw wrong("--token", "takes the name of its user as --id", "--id beside it");
  }
  return config;
}
