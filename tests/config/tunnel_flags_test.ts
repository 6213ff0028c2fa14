// The command lines of the common case, as they are written down everywhere.
import assert from "node:assert/strict";
import { readAgentConfig } from "../../src/config/agent.ts";
import { gatewayFlags, readGatewayConfig } from "../../src/config/gateway.ts";

Deno.test("tunnel flags: h3ws gateway --listen :8443 --socks :1080 --user a:b", () => {
  const config = readGatewayConfig({ listen: ":8443", socks: ":1080", user: "a:b" });
  assert.deepEqual([config.listen.port, config.socks?.port], [8443, 1080]);
  assert.equal(config.listen.hostname, config.socks?.hostname);
  assert.deepEqual(config.user, { name: "a", password: "b" });
  assert.deepEqual([config.path, config.balance, config.anonymous], ["/ws", "round-robin", false]);
  assert.deepEqual([config.http, config.mixed, config.clusterUrls], [null, null, []]);
});

Deno.test("tunnel flags: h3ws agent wss://gw:8443 --user a:b --ca ca.pem --allow 127.0.0.1,10.0.0.0/8", () => {
  const config = readAgentConfig({
    ...{ gateway: "wss://gw:8443", user: "a:b", ca: "ca.pem", allow: "127.0.0.1,10.0.0.0/8" },
  });
  assert.deepEqual(config.gateways.map(({ href }) => href), ["wss://gw:8443/ws"]);
  assert.deepEqual(config.user, { name: "a", password: "b" });
  assert.equal(config.caFile, "ca.pem");
  assert.deepEqual(config.allowed.map(({ text }) => text), ["127.0.0.1", "10.0.0.0/8"]);
  assert.deepEqual(config.transports, ["quic", "ws"]);
  assert.deepEqual([config.replicas, config.proxy, config.maxDelayMs], [1, null, 30_000]);
});

Deno.test("tunnel flags: without a word SOCKS5 is for this machine alone, and nobody comes in unasked", () => {
  const { socks, anonymous } = readGatewayConfig({});
  assert.equal(socks?.hostname, "127.0.0.1");
  assert.equal(anonymous, false);
  assert.equal(gatewayFlags.anonymous.default, "false");
});

Deno.test("tunnel flags: a host is written in one way, as an agent is asked for it", () => {
  const { forwards } = readGatewayConfig({
    forward: ":1=g/DB.Internal:2/udp,:3=[2001:DB8::0:1]:4",
  });
  assert.deepEqual(forwards.map(({ group, target }) => [group, target.host]), [
    ["g", "db.internal"],
    [null, "2001:db8::1"],
  ]);
  const { openPorts, services } = readAgentConfig({
    ...{ "open-port": "8080=LocalHost:80", service: "Web=Web.Internal:80" },
  });
  assert.deepEqual(openPorts.map(({ localHost }) => localHost), ["localhost"]);
  assert.deepEqual(services.map(({ name, host }) => [name, host]), [["web", "web.internal"]]);
});

for (const given of [":1=db_internal:0", ":1=*:80", ":1=[fe80::1%eth0]:80", ":1=a..b:80", "x"]) {
  Deno.test(`tunnel flags: --forward ${given} is told as it was written`, () => {
    assert.throws(
      () => readGatewayConfig({ forward: given }),
      (error: Error) => error.message.startsWith(`--forward: "${given}" is no port that leads`),
    );
  });
}

for (const given of ["8080=[fe80::1%eth0]:80", "8080=a..b:80"]) {
  Deno.test(`tunnel flags: --open-port ${given} is refused`, () => {
    assert.throws(
      () => readAgentConfig({ "open-port": given }),
      (error: Error) => error.message.startsWith(`--open-port: "${given}" is no service`),
    );
  });
}
