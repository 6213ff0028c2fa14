// Agents whose only way out is a proxy.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import type { OutboundProxy } from "../../src/net/outbound_proxy.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { TunnelAgent } from "../../src/tunnel/agent.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { startConnectProxy } from "../support/connect_proxy.ts";
import { startSocksProxy } from "../support/socks_proxy.ts";
import { until } from "../support/until.ts";
import { socksConnect } from "./socks_client.ts";
import { startAgent, startGateway, Told } from "./support.ts";
import { echo, withTarget } from "./target.ts";

/** A name that leads nowhere but for the proxy. */
const NAME = "gateway.test";
const pair = await makeCertificates({ hosts: [NAME, "localhost"], days: 1 });

async function withAgent(
  proxy: OutboundProxy,
  { name = NAME, transports }: { name?: string; transports?: readonly ("quic" | "ws" | "json")[] },
  run: (ends: { gateway: GatewayServer; agent: TunnelAgent; told: Told }) => Promise<void>,
): Promise<void> {
  const sweeper = new Sweeper(50);
  const told = new Told();
  const { certPem, keyPem, caPem } = pair;
  const gateway = await startGateway({ told, sweeper }, { gateway: { certPem, keyPem } });
  const gateways = [new URL(`wss://${name}:${gateway.port}/ws`)];
  const agent = await startAgent({ told, sweeper }, gateway.port, {
    ...(transports && { transports }),
    agent: { gateways, proxy, caCerts: [caPem] },
  });
  try {
    await run({ gateway, agent, told });
    assert.deepEqual(told.bugs, []);
  } finally {
    await agent.stop();
    await gateway.stop();
    sweeper.stop();
  }
}

const hosts = { [NAME]: "127.0.0.1" };
const credentials = { username: "me", password: "secret" };

for (const [transport, link] of [["quic", "ws"], ["json"]].entries()) {
  Deno.test(`outbound proxy: SOCKS5 with a password, by ${link.join(" or ")}; it alone knows the name`, async () => {
    await using proxy = await startSocksProxy({ login: "me:secret", hosts });
    const by = { kind: "socks5", hostname: "127.0.0.1", port: proxy.port, credentials } as const;
    const transports = link as ("quic" | "ws" | "json")[];
    await withAgent(by, { transports }, async ({ gateway, agent }) => {
      await until("the link", () => agent.links.size === 1);
      assert.match([...agent.links][0].transport, transport === 0 ? /^ws\// : /^json$/);
      assert.deepEqual(proxy.asked, [`me:secret ${NAME}:${gateway.port}`]);
      await withTarget(echo, async (port) => {
        const client = await socksConnect(gateway.socksPort!, "localhost", port);
        client.write("hello");
        await until("the echo", () => client.text === "hello");
        client.fin();
        assert.equal(await client.ended, "fin");
      });
    });
  });
}

Deno.test("outbound proxy: HTTP with a password, by CONNECT", async () => {
  await using proxy = await startConnectProxy();
  const authorization = `Basic ${btoa("me:secret")}`;
  const by = { kind: "http", hostname: "127.0.0.1", port: proxy.port, authorization } as const;
  await withAgent(by, { name: "localhost" }, async ({ gateway, agent }) => {
    await until("the link", () => agent.links.size === 1);
    assert.match([...agent.links][0].transport, /^ws\//);
    assert.deepEqual(proxy.asked, [[`localhost:${gateway.port}`, authorization]]);
  });
});

Deno.test("outbound proxy: why it brings nobody to the gateway is told, without its password", async () => {
  await using proxy = await startSocksProxy({ login: "me:other" });
  const by = { kind: "socks5", hostname: "127.0.0.1", port: proxy.port, credentials } as const;
  await withAgent(by, {}, async ({ told }) => {
    await until("the failure", () => told.lines.length > 0);
    assert.match(
      told.lines[0],
      /^failed .*the proxy 127\.0\.0\.1:\d+: The server refuses user name/,
    );
    assert.ok(!told.lines[0].includes("secret"));
    assert.ok(!told.lines[0].includes("quic"));
  });
  await withAgent(by, { transports: ["quic"] }, async ({ told }) => {
    await until("the failure", () => told.lines.length > 0);
    assert.match(told.lines[0], /QUIC goes by no proxy$/);
  });
  await withAgent({ ...by, port: 1 }, {}, async ({ told }) => {
    await until("the failure", () => told.lines.length > 0);
    assert.match(told.lines[0], /ws: Cannot open [^ ]+: .*refused/);
  });
  await using http = await startConnectProxy("HTTP/1.1 407 X\r\n\r\n");
  const other = { kind: "http", hostname: "127.0.0.1", port: http.port } as const;
  await withAgent(other, {}, async ({ told }) => {
    await until("the failure", () => told.lines.length > 0);
    assert.match(told.lines[0], /the proxy 127\.0\.0\.1:\d+ answered CONNECT with 407 /);
  });
});
