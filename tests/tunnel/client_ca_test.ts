// Where agents must have a certificate: by whatever they come, and for as long as its CA is trusted.
import assert from "node:assert/strict";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { until } from "../support/until.ts";
import { type TunnelOptions, withTunnel } from "./support.ts";

const subject = [{ CN: ["agent 1"] }];
const certificateOf = ({ certPem, keyPem }: { certPem: string; keyPem: string }) => ({
  certPem,
  keyPem,
});

for (const transports of [["quic"], ["ws"], ["json"]] as const) {
  Deno.test(`client CA: by ${transports} a password is not enough`, async () => {
    const { caPem } = await makeClientCertificate(subject);
    const options = { gateway: { clientCaPem: caPem }, agent: { quicTimeoutMs: 500 }, transports };
    await withTunnel({ ...options, unlinked: true }, async ({ told, gateway, agent }) => {
      await until("two failures", () => {
        return told.lines.filter((line) => /^failed Cannot link/.test(line)).length === 2;
      });
      assert.equal(gateway.gateway.agents.list().length, 0);
      assert.equal(agent.links.size, 0);
      assert.deepEqual(told.lines.filter((line) => /^(agent\+|auth)/.test(line)), []);
    });
  });
}

for (
  const { transports, want } of [
    { transports: ["quic", "ws"], want: /^ws\// },
    { transports: ["quic", "json"], want: /^json$/ },
  ] as const
) {
  for (const login of [{ username: "ann", password: "secret" }, null]) {
    const by = login === null ? "its certificate alone" : "a password and a certificate";
    Deno.test(`client CA: who has ${by} comes by ${transports[1]}, and not by QUIC`, async () => {
      const one = await makeClientCertificate(subject);
      await withTunnel({
        transports,
        agents: [{ name: "ann", password: "secret", certificate: "CN=agent 1" }],
        gateway: { clientCaPem: one.caPem },
        agent: { clientCertificate: certificateOf(one), quicTimeoutMs: 500, auth: { login } },
      }, ({ transport, gateway }) => {
        assert.match(transport, want);
        assert.deepEqual(gateway.gateway.agents.list().map(({ user }) => user), ["ann"]);
        return Promise.resolve();
      });
    });
  }
}

Deno.test("client CA: a user with an empty name is no way in by JSON without a certificate", async () => {
  const options: TunnelOptions = { transports: ["json"], agent: { auth: { login: null } } };
  await withTunnel({ ...options, unlinked: true }, async ({ told }) => {
    await until("a failure", () => told.lines.some((line) => /^failed no user has/.test(line)));
  });
});

Deno.test("client CA: agents are closed with a CA that is gone, and come again by one that stays", async () => {
  const [one, other] = [await makeClientCertificate(subject), await makeClientCertificate(subject)];
  const options: TunnelOptions = {
    gateway: { clientCaPem: one.caPem },
    transports: ["ws"],
    agent: { clientCertificate: certificateOf(one) },
  };
  await withTunnel(options, async ({ gateway, told, agent }) => {
    const links = () => told.lines.filter((line) => line.startsWith("linked"));
    const gone = () => told.lines.filter((line) => line.startsWith("agent-"));
    gateway.reloadClientCa(`${other.caPem}\n# the old one\n${one.caPem}`);
    assert.deepEqual([gone(), gateway.gateway.agents.list().length], [[], 1]);
    gateway.reloadClientCa(one.caPem);
    assert.equal(gateway.gateway.agents.list().length, 0);
    await until("the next link", () => links().length === 2 && agent.links.size === 1);
    assert.deepEqual(gone(), ["agent- one us: the CAs of agents' certificates have changed"]);
    gateway.reloadClientCa(other.caPem);
    await until("the end of the link", () => gone().length === 2);
    await until(
      "a failure",
      () => told.lines.some((line) => line.startsWith("failed Cannot link")),
    );
    assert.equal(gateway.gateway.agents.list().length, 0);
  });
});
