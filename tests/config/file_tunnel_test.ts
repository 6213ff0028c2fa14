import assert from "node:assert/strict";
import { readAgentConfig } from "../../src/config/agent.ts";
import { parseConfig, withFile } from "../../src/config/file.ts";
import { agentFlags } from "../../src/config/agent.ts";
import { gatewayFlags, readGatewayConfig } from "../../src/config/gateway.ts";
import type { FlagTable } from "../../src/config/flags.ts";
import { linesFor } from "./file_lines.ts";

const kindsOf = (table: FlagTable) =>
  Object.fromEntries(Object.values(table).map(({ name, kind }) => [name, kind]));

function configsOf(text: string, env: Record<string, string> = {}) {
  const { tunnel } = parseConfig(text, { file: "/etc/h3ws/f.yaml", env });
  const gateway = withFile({ flags: tunnel.gateway ?? {} }, env, kindsOf(gatewayFlags));
  const agent = withFile({ flags: tunnel.agent ?? {} }, env, kindsOf(agentFlags));
  return { gateway: readGatewayConfig({}, gateway), agent: readAgentConfig({}, agent) };
}

// As AnyProxy's own document has it.
const ANYPROXY = `proxy:
  socks5:
    listen_addr: ":1080"
    auth_username: "optional_username"
    auth_password: "optional_password"
gateway:
  listen_addr: ":8443"
  tls_cert: "path/to/cert.pem"
  tls_key: "path/to/key.pem"
  auth_username: "gateway_user"
  auth_password: "gateway_password"
client:
  gateway_addr: "gateway.example.com:8443"
  gateway_tls_cert: "path/to/gateway_cert.pem"
  client_id: "unique_client_identifier"
  replicas: 1
  max_concurrent_conns: 100
  auth_username: "gateway_user"
  auth_password: "gateway_password"
  forbidden_hosts:
    - "internal.company.com"
    - "192.168.0.0/16"
  limit:
    - name: "web-server"
      addr: "localhost:8080"
      protocol: "tcp"
`;

Deno.test("file of a tunnel: AnyProxy's own is taken key by key", () => {
  const { gateway, agent } = configsOf(ANYPROXY);
  assert.equal(gateway.listen.port, 8443);
  assert.equal(gateway.socks?.port, 1080);
  assert.deepEqual([gateway.certFile, gateway.keyFile], [
    "/etc/h3ws/path/to/cert.pem",
    "/etc/h3ws/path/to/key.pem",
  ]);
  const login = { name: "gateway_user", password: "gateway_password" };
  assert.deepEqual(gateway.user, login);
  assert.deepEqual(gateway.clientUser, {
    name: "optional_username",
    password: "optional_password",
  });
  assert.deepEqual(agent.gateways.map(String), ["wss://gateway.example.com:8443/ws"]);
  assert.equal(agent.caFile, "/etc/h3ws/path/to/gateway_cert.pem");
  assert.deepEqual([agent.id, agent.replicas, agent.maxStreams], [
    "unique_client_identifier",
    1,
    100,
  ]);
  assert.deepEqual(agent.user, login);
  assert.deepEqual(agent.forbidden.map(({ text }) => text), [
    "internal.company.com",
    "192.168.0.0/16",
  ]);
  assert.deepEqual(agent.services, [
    { name: "web-server", host: "localhost", port: 8080, protocol: "tcp" },
  ]);
});

Deno.test("file of a tunnel: our keys beside them, and the environment before it", () => {
  const text = `
gateway: { open_ports: [8080, 9000-9100], users_file: users.yaml, balance: failover, idle_timeout: 0, metrics: off, drain: 1m }
proxy:
  anonymous: true
  http: { listen_addr: ":8081" }
  mixed: { listen_addr: "127.0.0.1:8082" }
  forwards: ["127.0.0.1:5432=db.internal:5432", ":53=home/[::1]:53/udp"]
client:
  gateway_addr: [a.example, "wss://b.example:1/tunnel"]
  allowed_hosts: [10.0.0.0/8, "/^a{1,2}$/:80"]
  transports: ws
  open_ports:
    - { remote_port: 8080, local_port: 80 }
    - { remote_port: 53, local_port: 5353, local_host: "::1", protocol: udp }
  limit:
    - { name: dns, addr: "[::1]:53", protocol: udp }
    - { name: db, addr: "db.internal:5432" }
`;
  const { gateway, agent } = configsOf(text, { H3WS_BALANCE: "least-sessions" });
  assert.equal(gateway.usersFile, "/etc/h3ws/users.yaml");
  assert.deepEqual([gateway.balance, gateway.idleTimeoutMs], ["least-sessions", 0]);
  assert.deepEqual([gateway.metrics, gateway.drainMs, gateway.anonymous], [null, 60_000, true]);
  assert.deepEqual([gateway.http?.port, gateway.mixed?.port], [8081, 8082]);
  assert.deepEqual(gateway.forwards.map(({ group, target }) => ({ group, ...target })), [
    { group: null, protocol: "tcp", host: "db.internal", port: 5432 },
    { group: "home", protocol: "udp", host: "::1", port: 53 },
  ]);
  assert.deepEqual(gateway.openPorts, [[8080, 8080], [9000, 9100]]);
  assert.deepEqual(agent.openPorts, [
    { protocol: "tcp", remotePort: 8080, localHost: "127.0.0.1", localPort: 80 },
    { protocol: "udp", remotePort: 53, localHost: "::1", localPort: 5353 },
  ]);
  assert.deepEqual(agent.gateways.map(String), [
    "wss://a.example/ws",
    "wss://b.example:1/tunnel",
  ]);
  assert.deepEqual(agent.allowed.map(({ text }) => text), ["10.0.0.0/8", "/^a{1,2}$/:80"]);
  assert.deepEqual(agent.transports, ["ws"]);
  assert.deepEqual(agent.services, [
    { name: "dns", host: "::1", port: 53, protocol: "udp" },
    { name: "db", host: "db.internal", port: 5432, protocol: "tcp" },
  ]);
});

const WRONG: [text: string, ...want: string[]][] = [
  [
    "gateway: { open_ports: [9-8] }\nproxy: { forwards: [a] }\n",
    '1:25: gateway.open_ports[0]: "9-8" is no range of ports; allowed: ports and ranges of them ' +
    "(8080, 9000-9100)",
    '2:21: proxy.forwards[0]: "a" is no port that leads somewhere; allowed: address=host:port, with ' +
    "a group and / before the host, and /udp behind it for UDP (:5432=db.internal:5432)",
  ],
  [
    'client: { open_ports: [{ remote_port: 1, local_port: 2, local_host: "a b" }] }\n',
    '1:69: client.open_ports[0].local_host: "a b" is no host; allowed: a name or an IP address',
  ],
  [
    "gateway: { listen_adr: x }\n",
    "1:12: gateway.listen_adr: is not known; did you mean listen_addr?",
  ],
  [
    "gateway: { tls_cert: a }\n",
    "1:12: gateway.tls_cert: stands without tls_key; allowed: both or none",
  ],
  [
    "proxy: { socks5: { auth_password: a } }\n",
    "1:20: proxy.socks5.auth_password: stands without auth_username; allowed: both or none",
  ],
  [
    "client: { auth_username: a, auth_password: 0123 }\n",
    "1:44: client.auth_password: is a number; allowed: a text without control characters, in quotes " +
    "if it looks like a number",
  ],
  [
    'client: { gateway_addr: "http://u:secret@a" }\n',
    "1:25: client.gateway_addr: is not a gateway; allowed: wss://host:port, with /ws or another " +
    "path, or host:port",
  ],
  [
    "client:\n  limit: [{ name: a, addr: nix }]\n",
    '2:28: client.limit[0].addr: "nix" is no address of a service; allowed: host:port ' +
    "(localhost:8080), and a name without = and spaces",
  ],
  [
    "client: { replicas: 0, transports: [tcp] }\n",
    '1:21: client.replicas: "0" is out of range; allowed: 1 to 64',
    '1:37: client.transports[0]: "tcp" is not known; allowed: quic, ws, json',
  ],
];

Deno.test("file of a tunnel: what is wrong is told with its key and place, no secret with it", () => {
  for (const [text, ...want] of WRONG) assert.deepEqual(linesFor(text), want, text);
});

Deno.test("flags of a tunnel: a secret that is wrong is not shown", () => {
  for (const flag of ["user", "client-user"]) {
    assert.throws(() => readGatewayConfig({ [flag]: "secret" }), (error: Error) => {
      assert.match(error.message, new RegExp(`^--${flag}: is no name with a password; allowed: `));
      return !error.message.includes("secret");
    });
  }
  assert.throws(() => readGatewayConfig({ user: "a@b:secret" }), /^\w+: --user: has a name with @/);
  assert.throws(() => readAgentConfig({ token: " secret" }), /^\w+: --token: is no token; allowed/);
});

Deno.test("flags of an agent: lists by commas, and by the flag once more", () => {
  const { allowed } = readAgentConfig({
    allow: "127.0.0.1,10.0.0.0/8:80-90\0/^a{1,2}$/,b\0",
  });
  assert.deepEqual(allowed.map(({ text }) => text), [
    "127.0.0.1",
    "10.0.0.0/8:80-90",
    "/^a{1,2}$/",
    "b",
  ]);
  assert.throws(
    () => readAgentConfig({ service: "web=localhost:80,dns=::1:53" }),
    /--service: "dns=::1:53" is no service; allowed: name=host:port/,
  );
});

Deno.test("file of a tunnel: a list that would open everything must name somebody", () => {
  assert.deepEqual(linesFor("client:\n  allowed_hosts: []\n  limit: []\n"), [
    "2:18: client.allowed_hosts: names nobody; allowed: one or more; left out it is all but special " +
    "addresses",
    "3:10: client.limit: names nobody; allowed: one or more; left out it is whatever allowed_hosts " +
    "says",
  ]);
  for (const empty of ['""', '[""]', '[a, ""]', "${NOBODY:-}", ""]) {
    const [line = ""] = linesFor(`client:\n  allowed_hosts: ${empty}\n`);
    assert.match(line, /^2:\d+: client\.allowed_hosts/, empty);
  }
  assert.deepEqual(linesFor("client:\n  forbidden_hosts: []\n"), []);
});
