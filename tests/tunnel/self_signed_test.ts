// A gateway whose certificate signed itself, as AnyProxy's `gateway_tls_cert` has it.
import assert from "node:assert/strict";
import { makeSelfSigned } from "../support/self_signed.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { withTunnel } from "./support.ts";

for (const [name, transports] of Object.entries({ quic: ["quic"], ws: ["ws"] } as const)) {
  for (const ca of [true, false]) {
    Deno.test(`self-signed gateway by ${name}: CA:${ca}, it is known by its own certificate`, async () => {
      const pair = await makeSelfSigned({ ca });
      const agent = { caCerts: [pair.certPem] };
      await withTunnel({ transports, gateway: pair, agent }, ({ told }) => {
        assert.ok(!told.lines.some((line) => line.startsWith("failed")), told.lines.join("\n"));
        return Promise.resolve();
      });
    });
  }

  Deno.test(`self-signed gateway by ${name}: beside it those who sign others are trusted on`, async () => {
    const [{ certPem }, { caPem }] = await Promise.all([makeSelfSigned(), testCertificates()]);
    await withTunnel({ transports, agent: { caCerts: [certPem, caPem] } }, ({ agent }) => {
      assert.equal(agent.links.size, 1);
      return Promise.resolve();
    });
  });

  Deno.test(`self-signed gateway by ${name}: another one is not, nor one for another host`, async () => {
    const [own, other] = await Promise.all([makeSelfSigned(), makeSelfSigned()]);
    const elsewhere = await makeSelfSigned({ names: [{ type: "dns", value: "gw.example" }] });
    for (const [gateway, trusted] of [[own, other], [elsewhere, elsewhere]]) {
      const agent = { caCerts: [trusted.certPem] };
      await withTunnel({ transports, gateway, agent, unlinked: true }, async ({ told, agent }) => {
        await until("the failure", () => told.lines.length > 0);
        assert.match(told.lines[0], /^failed .*certificate/);
        assert.equal(agent.links.size, 0);
      });
    }
  });
}
