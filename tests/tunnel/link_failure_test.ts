// What an agent says of a gateway that it has no link to: in its own words, and each reason once.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { until } from "../support/until.ts";
import { type TunnelOptions, withTunnel } from "./support.ts";

const BOTH = { transports: ["quic", "ws"], unlinked: true } as const;

async function firstFailure(options: TunnelOptions): Promise<string> {
  let found: string | undefined;
  await withTunnel({ ...BOTH, ...options }, async ({ told }) => {
    const failed = () => found = told.lines.find((line) => line.startsWith("failed "));
    await until("a failure", () => failed() !== undefined);
  });
  return found!;
}

const TLS: [name: string, options: () => Promise<TunnelOptions>, want: string][] = [
  [
    "a gateway signed by nobody who is trusted",
    () => Promise.resolve({ agent: { caCerts: undefined } }),
    "is signed by nobody who is trusted: --ca names its CA, or --pin its SHA-256",
  ],
  [
    "a gateway whose certificate is for others",
    async () => {
      const made = await makeCertificates({ hosts: ["gw.example"], days: 1 });
      const { caPem, certPem, keyPem } = made;
      return { gateway: { certPem, keyPem }, agent: { caCerts: [caPem] } };
    },
    "is for other names: go by one that is in it, or --pin its SHA-256",
  ],
];

for (const [name, options, want] of TLS) {
  Deno.test(`link failure: ${name} is told once for all transports, by what helps`, async () => {
    const told = await firstFailure(await options());
    assert.match(told, /^failed Cannot link to \S+: quic, ws: /);
    assert.ok(told.endsWith(`: the gateway's certificate ${want}`), told);
  });
}
