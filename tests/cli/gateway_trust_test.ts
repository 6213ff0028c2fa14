// What a gateway tells of the certificate that it makes: commands that agents can use as they stand.
import assert from "node:assert/strict";
import { makeGatewayPair, tellGatewayTrust } from "../../src/cli/gateway_trust.ts";
import { pin } from "../../src/config/tunnel_kinds.ts";
import type { AgentTransport } from "../../src/tunnel/agent_links.ts";
import { withTunnel } from "../tunnel/support.ts";

function hintOf(pair: Awaited<ReturnType<typeof makeGatewayPair>>, hostname: string): string {
  const user = { name: "ann", password: "secret" };
  const config = { listen: { hostname, port: 8443 }, socks: null, anonymous: false, user };
  return tellGatewayTrust(pair, { config, port: 8443, socksPort: null, folder: "/ca", env: {} });
}

Deno.test("gateway trust: on another machine an agent knows it by its SHA-256, without its CA", async () => {
  const pair = await makeGatewayPair({ hostname: "0.0.0.0", port: 0 });
  const hint = hintOf(pair, "0.0.0.0");
  assert.match(hint, / agent wss:\/\/localhost:8443 --user ann:PASSWORD --ca \/ca\/ca\.pem\n/);
  const told = / agent wss:\/\/THIS-MACHINE:8443 --user ann:PASSWORD --pin ([0-9a-f]{64})\n/;
  const [, sha256] = told.exec(hint) ?? assert.fail(hint);
  for (const transport of ["quic", "ws"] satisfies AgentTransport[]) {
    const agent = { caCerts: undefined, certificateHashes: [pin.parse(sha256)] };
    const { certPem, keyPem } = pair;
    await withTunnel({ gateway: { certPem, keyPem }, agent, transports: [transport] }, (tunnel) => {
      assert.match(tunnel.transport, new RegExp(`^${transport}`));
      return Promise.resolve();
    });
  }
});

Deno.test("gateway trust: nobody is sent to a gateway that listens for its own machine alone", async () => {
  const pair = await makeGatewayPair({ hostname: "127.0.0.1", port: 0 });
  const hint = hintOf(pair, "127.0.0.1");
  assert.match(hint, /--ca \/ca\/ca\.pem/);
  assert.doesNotMatch(hint, /--pin/);
});
