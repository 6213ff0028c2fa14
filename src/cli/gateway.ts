import { gatewayFlags, readGatewayConfig } from "../config/gateway.ts";
import type { Command } from "./command.ts";
import { configureTunnel } from "./tunnel_configured.ts";

/** `h3ws gateway`: the public end of the reverse tunnel. */
export const gatewayCommand: Command = {
  name: "gateway",
  summary: "take agents from behind NAT, and clients by SOCKS5 to what the agents reach",
  flags: gatewayFlags,
  examples: [
    "h3ws gateway --listen :8443 --socks :1080 --user ann:secret",
    "h3ws gateway --cert cert.pem --key key.pem --users users.yaml",
    "h3ws gateway --config h3ws.yaml",
  ],
  async run(flags, io) {
    const part = { section: "gateway", read: readGatewayConfig } as const;
    const configured = await configureTunnel(part, { flags, env: io.env });
    // The rest of it takes a while to load, and a mistake is told at once.
    const { runGateway } = await import("./gateway_serve.ts");
    return await runGateway(configured, io);
  },
};
