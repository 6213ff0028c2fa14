import { gatewayFlags, readGatewayConfig } from "../config/gateway.ts";
import type { Command } from "./command.ts";
import { LISTED } from "./listed.ts";
import { configureTunnel } from "./tunnel_configured.ts";

/** `h3ws gateway`: the public end of the reverse tunnel. */
export const gatewayCommand: Command = {
  ...LISTED.gateway,
  flags: gatewayFlags,
  async run(flags, io) {
    const part = { section: "gateway", read: readGatewayConfig } as const;
    const configured = await configureTunnel(part, { flags, env: io.env });
    // The rest of it takes a while to load, and a mistake is told at once.
    const { runGateway } = await import("./gateway_serve.ts");
    return await runGateway(configured, io);
  },
};
