// Who may be an agent, and by what: passwords, tokens, certificates; and whom the agent takes for its
// gateway.
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { connectWebSocket } from "../../src/client/connect.ts";
import { dial } from "../../src/net/dial.ts";
import type { User } from "../../src/tunnel/users.ts";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { type TunnelOptions, withTunnel } from "./support.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"] } as const;
const TOKEN = "0f6e3a5c-not-so-secret";
const TOKEN_SHA256 = createHash("sha256").update(TOKEN).digest("hex");

/** Waits for the line that says why there is no link; nothing of a link may be there then. */
async function withoutLink(options: TunnelOptions, why: RegExp): Promise<void> {
  await withTunnel({ ...options, unlinked: true }, async ({ told, gateway, agent }) => {
    const found = () => told.lines.find((line) => line.startsWith("failed "));
    await until("a failure", () => found() !== undefined);
    assert.match(found()!, why);
    assert.equal(gateway.gateway.agents.list().length, 0);
    assert.equal(agent.links.size, 0);
  });
}

function userOf(told: { gateway: { agents: { list(): { user: string }[] } } }): string[] {
  return told.gateway.agents.list().map(({ user }) => user);
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`agents by ${name}: a token alone says who it is, whatever the agent's name`, async () => {
    const agents: User[] = [{ name: "bob" }, { name: "ann", tokenSha256: TOKEN_SHA256 }];
    const auth = { login: { token: TOKEN } };
    await withTunnel({ transports, agents, agent: { auth, replicas: 2 } }, async (tunnel) => {
      const ids = () => tunnel.gateway.gateway.agents.list().map(({ id }) => id).sort();
      await until("both replicas", () => ids().length === 2);
      assert.deepEqual(ids(), ["one-1", "one-2"]);
      assert.deepEqual(userOf(tunnel.gateway), ["ann", "ann"]);
    });
  });

  Deno.test(`agents by ${name}: a token that is nobody's, and one of a client, is refused`, async () => {
    const agent = { auth: { login: { token: "another" } } };
    await withoutLink(
      { transports, agent, agents: [{ name: "ann", tokenSha256: TOKEN_SHA256 }] },
      /token is wrong/,
    );
    const client: User = { name: "ann", tokenSha256: TOKEN_SHA256, roles: ["client"] };
    const auth = { login: { token: TOKEN } };
    await withoutLink({ transports, agent: { auth }, agents: [client] }, /token is wrong/);
  });

  Deno.test(`agents by ${name}: a gateway is known by the SHA-256 of its certificate`, async () => {
    const { certPem } = await testCertificates();
    const hash = createHash("sha256").update(new X509Certificate(certPem).raw).digest();
    const agent = {
      caCerts: undefined,
      certificateHashes: [new Uint8Array(32), new Uint8Array(hash)],
    };
    await withTunnel({ transports, agent }, () => Promise.resolve());
  });

  Deno.test(`agents by ${name}: a gateway with another certificate is not, even if it is signed well`, async () => {
    const { caPem } = await testCertificates();
    for (const caCerts of [undefined, [caPem]]) {
      const agent = { caCerts, certificateHashes: [new Uint8Array(32)] };
      await withoutLink(
        { transports, agent },
        /Cannot link to localhost:\d+: (quic|ws): .*certificate/i,
      );
    }
  });
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`agents by ${name}: one whose AUTH is malformed says why the gateway does not take it`, async () => {
    await withoutLink({ transports, agent: { auth: { version: 0 } } }, /version/);
  });
}

Deno.test("agents by certificate: its subject is the user's, over TCP alone", async () => {
  const { caPem, certPem, keyPem } = await makeClientCertificate([{ O: ["Example, Inc."] }, {
    CN: ["agent 1"],
  }]);
  const agents: User[] = [{ name: "ann", certificate: "CN=agent 1,O=Example\\, Inc." }, {
    name: "bob",
  }];
  const options: TunnelOptions = {
    agents,
    gateway: { clientCaPem: caPem },
    agent: { auth: { login: null }, clientCertificate: { certPem, keyPem } },
  };
  await withTunnel(options, ({ gateway, transport }) => {
    assert.deepEqual(userOf(gateway), ["ann"]);
    assert.match(transport, /^ws\//);
    return Promise.resolve();
  });
  const hidden = { ...options.gateway, json: false };
  await withTunnel({ ...options, gateway: hidden }, ({ gateway }) => {
    assert.deepEqual(userOf(gateway), ["ann"]);
    return Promise.resolve();
  });
  await withoutLink({ ...options, transports: ["quic"] }, /QUIC can show no certificate/);
  await withoutLink({ ...options, agents: [{ name: "agent 1" }] }, /no user has the certificate/);
  const other = await makeClientCertificate([{ O: ["Example, Inc."] }, { CN: ["agent 1"] }]);
  const clientCertificate = { certPem: other.certPem, keyPem: other.keyPem };
  await withoutLink({ ...options, agent: { ...options.agent, clientCertificate } }, /Cannot link/);
});

Deno.test("agents by certificate: who shows none and says nothing else is nobody", async () => {
  await withoutLink(
    { agent: { auth: { login: null } } },
    /no user has the certificate, or none was shown/,
  );
});

Deno.test("agents by certificate: one of nobody's is no fault of who says later who he is", async () => {
  const { caPem, certPem, keyPem } = await makeClientCertificate([{ CN: ["machine 7"] }]);
  const { caPem: gatewayCa } = await testCertificates();
  const options = {
    gateway: { clientCaPem: caPem },
    unlinked: true,
    transports: ["json"],
  } as const;
  await withTunnel(options, async ({ gateway, agent }) => {
    await agent.stop();
    // As AnyProxy's agents do, without Authorization.
    const socket = await connectWebSocket(`wss://localhost:${gateway.port}/ws`, {
      caCerts: [gatewayCa],
      dial: ({ tls, ...target }, signal) =>
        dial({
          ...target,
          ...(tls && { tls: { ...tls, clientCertificate: { certPem, keyPem } } }),
        }, signal),
    });
    const data = { username: "ann", password: "secret", client_id: "one" };
    await socket.send(JSON.stringify({ type: "auth", data }));
    assert.match(String(await socket.receive()), /"success":true/);
    await until("the agent", () => userOf(gateway).includes("ann"));
    await socket.close();
  });
});
