// `createGateway` and `createAgent`: their lives, who is let in, and a proxy that dials through them.
import assert from "node:assert/strict";
import { connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import {
  createAgent,
  type CreateAgentOptions,
  type ManagedAgent,
} from "../../src/config/create_agent.ts";
import {
  createGateway,
  type CreateGatewayOptions,
  type ManagedGateway,
} from "../../src/config/create_gateway.ts";
import { createProxy } from "../../src/config/create_proxy.ts";
import { UsageError } from "../../src/config/error.ts";
import { ListenError } from "../../src/ingress/listen.ts";
import { dial } from "../../src/net/dial.ts";
import { NetError } from "../../src/net/error.ts";
import { type Fields, silentLog } from "../../src/observe/log.ts";
import { startPrivateBackend } from "../support/private_backend.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const { caPem, certPem, keyPem } = await testCertificates();
const caCerts = [caPem];
const ANN = { name: "ann", password: "secret" };
const LISTEN = { listen: "127.0.0.1:0", certPem, keyPem, log: silentLog };

const gatewayWith = (options: Partial<CreateGatewayOptions> = {}) =>
  createGateway({ ...LISTEN, users: [ANN], ...options });

const agentOf = ({ port }: ManagedGateway, options: Partial<CreateAgentOptions> = {}) =>
  createAgent({
    ...{ gateways: [`localhost:${port}`], login: ANN, caCerts, log: silentLog },
    ...{ allowed: ["127.0.0.1"], maxDelayMs: 500, ...options },
  });

const isOnline = (agent: ManagedAgent) => agent.getStats().is_online;

Deno.test("createGateway and createAgent: they start and stop, again and again", async () => {
  const gateway = gatewayWith({ socks: "127.0.0.1:0" });
  const ports = () => [gateway.port, gateway.socksPort, gateway.httpPort, gateway.mixedPort];
  assert.deepEqual([gateway.isRunning(), ...ports()], [false, null, null, null, null]);
  await gateway.stop();
  await gateway.start();
  await assert.rejects(gateway.start(), { message: "The gateway is already running" });
  assert.ok(gateway.port! > 0 && gateway.socksPort! > 0 && gateway.httpPort === null);
  const agent = agentOf(gateway, { id: "one" });
  assert.deepEqual([agent.isRunning(), isOnline(agent)], [false, false]);
  for (let turn = 1; turn <= 2; turn++) {
    await agent.start();
    await assert.rejects(agent.start(), { message: "The agent is already running" });
    assert.deepEqual([agent.isRunning(), isOnline(agent)], [true, true]);
    await until("the agent", () => gateway.getStats().agents === 1);
    assert.deepEqual(gateway.agents().map((one) => [one.client_id, one.is_online]), [
      ["one", true],
    ]);
    await agent.drain();
    await until("its end", () => gateway.getStats().agents === 0);
    assert.deepEqual([agent.isRunning(), isOnline(agent)], [false, false]);
  }
  assert.match(
    await gateway.metrics(),
    /^h3ws_gateway_agents_connected_total\{transport="quic"\} 2$/m,
  );
  assert.match(await agent.metrics(), /^h3ws_agent_links_total 2$/m);
  await gateway.drain();
  assert.deepEqual([gateway.isRunning(), ...ports()], [false, null, null, null, null]);
  await gateway.start();
  await gateway.stop();
});

Deno.test("createAgent: its start waits for a gateway, and a stop or a signal ends that", async () => {
  await using gateway = gatewayWith();
  await gateway.start();
  const agent = agentOf(gateway);
  const { port } = gateway;
  await gateway.stop();
  const stopped = { message: "The agent was stopped before it had started" };
  const starting = assert.rejects(agent.start(), stopped);
  await agent.stop();
  await within("the start", starting);

  const controller = new AbortController();
  const other = agentOf({ ...gateway, port }, { signal: controller.signal });
  const aborted = assert.rejects(other.start(), stopped);
  controller.abort(new Error("enough"));
  await within("the start", aborted);
  await other.stop();
  await assert.rejects(other.start(), { message: "enough" });
});

Deno.test("createGateway: a function says who comes in", async () => {
  const asked: string[] = [];
  await using gateway = gatewayWith({
    users: ({ username, password, role }) => {
      asked.push(`${role} ${username}`);
      if (password !== "secret") return Promise.resolve(null);
      return Promise.resolve({ name: username, groups: ["home"] });
    },
  });
  await gateway.start();
  await using agent = agentOf(gateway);
  await agent.start();
  await until("the agent", () => gateway.agents().length === 1);
  assert.deepEqual([gateway.agents()[0].group_id, gateway.agents()[0].user], ["home", "ann"]);
  assert.deepEqual(asked, ["agent ann"]);
  await using wrong = agentOf(gateway, { login: { name: "bob", password: "x" } });
  const refused = assert.rejects(wrong.start(), /was stopped before/);
  await until("that it was asked", () => asked.includes("agent bob"));
  await wrong.stop();
  await refused;
  assert.equal(gateway.agents().length, 1);
});

Deno.test("createAgent: a wrong password is a line of its errors, and told by its statistics", async () => {
  await using gateway = gatewayWith();
  await gateway.start();
  for (const transports of [["quic"], ["ws"]] as const) {
    const lines: string[] = [];
    const error = (event: string, fields: Fields = {}) =>
      void lines.push(`${event} ${fields.reason}`);
    const log = { ...silentLog, error };
    const login = { ...ANN, password: "wrong" };
    await using wrong = agentOf(gateway, { id: "wrong", login, log, transports });
    assert.equal(wrong.getStats().last_error, null);
    const refused = assert.rejects(wrong.start(), /was stopped before/);
    await until("its line", () => lines.length > 0);
    assert.match(lines[0], /^gateway\.failed .*the username or the password is wrong/);
    assert.match(wrong.getStats().last_error!, /the username or the password is wrong/);
    await wrong.stop();
    await refused;
  }
});

Deno.test("createProxy: a backend behind agents, by the option gateway", async () => {
  await using backend = startPrivateBackend();
  await using gateway = gatewayWith();
  await using proxy = createProxy({
    ...{ listen: "127.0.0.1:0", certPem, keyPem, gateway, log: silentLog },
    backend: `agent://default/127.0.0.1:${backend.port}`,
  });
  await proxy.start();
  const open = () => connectWebSocket(`wss://localhost:${proxy.port}/ws`, { caCerts });
  const status = () =>
    open().then(() => null, (error) => error instanceof UpgradeRefused && error.status);
  assert.equal(await status(), 502);
  await gateway.start();
  assert.equal(await status(), 502);
  await using agent = agentOf(gateway);
  await agent.start();
  const socket = await open();
  await socket.send("hello");
  assert.equal(await within("the echo", socket.receive()), "hello");
  await proxy.drain(500);
  assert.equal((await within("the Close", socket.closed)).code, 1001);

  // Any dial takes it, where the group and the host are the caller's to say.
  const target = { hostname: "127.0.0.1", port: backend.port };
  const { signal } = new AbortController();
  const stream = await dial({ ...target, dialer: gateway.dialer() }, signal);
  const { error_count: errors } = gateway.getStats();
  stream.abort();
  await until("its end", () => gateway.getStats().active_connections === 0);
  // As by a socket: whoever wants it no more has ended it, which is no error.
  assert.equal(gateway.getStats().error_count, errors);
  const nobody = (error: unknown) => error instanceof NetError && error.kind === "unreachable";
  await assert.rejects(dial({ ...target, dialer: gateway.dialer("other") }, signal), nobody);
  await gateway.stop();
  await assert.rejects(dial({ ...target, dialer: gateway.dialer() }, signal), nobody);
});

Deno.test("createAgent: ports that it asks for, and an agent behind them by a token", async () => {
  await using backend = startPrivateBackend();
  const free = freePort();
  const token = "a token";
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  await using gateway = gatewayWith({
    users: [{ name: "ann", tokenSha256: new Uint8Array(hash).toHex() }],
    openPorts: [`${free}`],
  });
  await gateway.start();
  await using agent = agentOf(gateway, {
    ...{ login: { token }, allowed: undefined, transports: ["ws"] },
    openPorts: [`${free}=127.0.0.1:${backend.port}`],
  });
  await agent.start();
  const url = `http://127.0.0.1:${free}/x`;
  const answer = await fetch(url, { headers: { connection: "close" } });
  assert.equal(await answer.text(), "private /x\n");
});

Deno.test("createGateway: hosts of forwards, open ports and routes are the same in any case", async () => {
  await using backend = startPrivateBackend();
  const { port } = backend;
  const free = freePort();
  await using gateway = gatewayWith({
    forwards: [`127.0.0.1:0=LocalHost:${port}`, `127.0.0.1:0=default/127.0.0.1:${port}`],
    openPorts: [`${free}`],
  });
  assert.deepEqual(gateway.forwardPorts, []);
  await gateway.start();
  const openPorts = [`${free}=LOCALHOST:${port}`];
  await using agent = agentOf(gateway, { allowed: ["127.0.0.1", "localhost"], openPorts });
  await within("the agent", agent.start());
  for (const at of [...gateway.forwardPorts, free]) {
    const answer = await fetch(`http://127.0.0.1:${at}/x`, { headers: { connection: "close" } });
    assert.equal(await answer.text(), "private /x\n");
  }
  const { signal } = new AbortController();
  const through = (hostname: string) =>
    dial({ hostname, port, dialer: gateway.dialer() }, signal).then((stream) => stream.abort());
  await through("LocalHost");
  await assert.rejects(through("a b"), { name: "NetError", message: '"a b" is no host' });
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("createGateway: a port that is taken rejects the start, and nothing is left", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const door of ["listen", "mixed"] as const) {
    const gateway = gatewayWith({ [door]: `127.0.0.1:${taken.addr.port}` });
    await assert.rejects(gateway.start(), ListenError);
    assert.equal(gateway.isRunning(), false);
  }
});

Deno.test("createGateway and createAgent: what makes no sense is told before anything starts", () => {
  assert.throws(() => gatewayWith({ idleTimeoutMs: NaN }), {
    name: "TypeError",
    message: "idleTimeoutMs: NaN is not a number of 0 or more",
  });
  assert.throws(() => gatewayWith({ windowBytes: 1 }), {
    name: "TypeError",
    message: "windowBytes: 1 is less than 16384",
  });
  assert.throws(() => gatewayWith({ listen: "x" }), UsageError);
  assert.throws(() => gatewayWith({ users: [{ name: "a", passwordHash: "x" }] }), TypeError);
  // From JavaScript.
  assert.throws(() => createGateway({} as CreateGatewayOptions), {
    name: "TypeError",
    message: "users: is missing; a list, or a function",
  });
  assert.throws(() => createAgent({} as CreateAgentOptions), {
    name: "TypeError",
    message: "gateways: is missing; a list of wss://host:port",
  });
  const gateway = { port: 1 } as ManagedGateway;
  assert.throws(() => agentOf(gateway, { gateways: [] }), {
    message: "gateways: there is none",
  });
  assert.throws(() => agentOf(gateway, { login: undefined }), {
    message: "login or clientCertificate: one of them must be given",
  });
  assert.throws(() => agentOf(gateway, { gateways: ["ws://a"] }), UsageError);
  // No limit is the most that there is, and never is long.
  agentOf(gateway, { connectTimeoutMs: Infinity, windowBytes: Infinity });
  const backend = "agent://default/127.0.0.1:1";
  assert.throws(() => createProxy({ plainListen: "127.0.0.1:0", backend }), UsageError);
});
