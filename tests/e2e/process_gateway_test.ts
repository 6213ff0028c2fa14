// `h3ws proxy` with a gateway in its file, and `h3ws agent` beside a private server: the way of
// `agent://group/host:port`, from a public client to its end.
import assert from "node:assert/strict";
import { connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { withFolder } from "../cli/support.ts";
import { type PrivateBackend, startPrivateBackend } from "../support/private_backend.ts";
import { metric } from "../support/process.ts";
import {
  portOf,
  startAgent,
  startProxy,
  type TunnelProcess,
  writePair,
} from "../support/tunnel_process.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { listenFull } from "../net/full_listener.ts";

const ignore = Deno.build.os === "windows";
const VERSIONS = ["3", "2", "1.1"] as const;

interface Running {
  readonly proxy: TunnelProcess;
  readonly backend: PrivateBackend;
  readonly folder: string;
  readonly caCerts: string[];
  /** Writes the file anew, in one step. */
  write(routes: string, gateway?: string, password?: string): Promise<void>;
  /** An agent that has come to the gateway. */
  agent(...flags: string[]): Promise<TunnelProcess>;
  open(path: string, http?: typeof VERSIONS[number]): Promise<Socket>;
  /** The status that a WebSocket is refused with. */
  refusal(path: string, http?: typeof VERSIONS[number]): Promise<number>;
  /** The answer to a plain request. */
  get(path: string): Promise<{ status: number; text: string }>;
}

const fileOf = (routes: string, gateway: string, password: string) =>
  `listen: 127.0.0.1:0
cert: cert.pem
key: key.pem
gateway:
  listen_addr: 127.0.0.1:0
  auth_username: ann
  auth_password: ${password}
  ${gateway}
routes:
${routes}`;

/** @param routesOf the routes of the file, by the port of the private server */
async function withGateway(
  routesOf: (port: number) => string,
  body: (running: Running) => Promise<void>,
): Promise<void> {
  await using backend = startPrivateBackend();
  await withFolder(async (folder) => {
    await writePair(folder);
    const file = `${folder}/h3ws.yaml`;
    const write = async (routes: string, gateway = "", password = "secret") => {
      await Deno.writeTextFile(`${file}.new`, fileOf(routes, gateway, password));
      await Deno.rename(`${file}.new`, file);
    };
    await write(routesOf(backend.port));
    const caCerts = [await Deno.readTextFile(`${folder}/ca.pem`)];
    await using proxy = await startProxy({ flags: ["--config", file, "--drain", "1s"] });
    await using agents = new AsyncDisposableStack();
    using client = Deno.createHttpClient({ caCerts });
    const origin = `localhost:${portOf(proxy.started.listen)}`;
    const { listen } = await proxy.logged("gateway.listening");
    const open = (path: string, httpVersion: typeof VERSIONS[number] = "3") =>
      connectWebSocket(`wss://${origin}${path}`, { httpVersion, caCerts });
    await body({
      ...{ proxy, backend, folder, caCerts, write, open },
      async agent(...flags) {
        const to = [`wss://localhost:${portOf(listen)}`, "--user", "ann:secret"];
        const trust = ["--ca", `${folder}/ca.pem`, "--max-retry-interval", "500ms"];
        const agent = agents.use(
          await startAgent({ flags: [...to, ...trust, "--allow", "127.0.0.1", ...flags] }),
        );
        await agent.logged("gateway.connect");
        await proxy.logged("agent.connect");
        return agent;
      },
      async refusal(path, http) {
        const error = await open(path, http).then(() => null, (error) => error);
        assert.ok(error instanceof UpgradeRefused, `${path}: ${error}`);
        return error.status;
      },
      async get(path) {
        const answer = await fetch(`https://${origin}${path}`, { client });
        return { status: answer.status, text: await answer.text() };
      },
    });
  });
}

async function echoes(socket: Socket, text: string): Promise<void> {
  await socket.send(text);
  assert.equal(await within("the echo", socket.receive()), text);
}

async function end(process: TunnelProcess): Promise<number> {
  process.kill("SIGTERM");
  return (await within("the end", process.status)).code;
}

const route = (path: string, backend: string, more = "") =>
  `  - { match: { path: ${path} }, backend: "${backend}"${more} }\n`;

Deno.test("process: public WebSockets end at a private server behind an agent", {
  ignore,
}, async () => {
  const routesOf = (port: number) => route("/ws", `agent://default/127.0.0.1:${port}`);
  await withGateway(routesOf, async ({ proxy, open, refusal, agent, folder }) => {
    for (const http of VERSIONS) assert.equal(await refusal("/ws", http), 502, http);
    const first = await agent();
    for (const http of VERSIONS) {
      const socket = await open("/ws", http);
      await echoes(socket, `by ${http}`);
      await socket.close();
      await socket.closed;
    }
    const opened = await proxy.logged("tunnel.open");
    assert.deepEqual([opened.front, opened.group, opened.user], ["route", "default", null]);
    const { gateway } = await (await fetch(`${proxy.admin}/stats`)).json();
    assert.deepEqual([gateway.agents, gateway.total_connections], [1, 3]);
    const [told] = await (await fetch(`${proxy.admin}/agents`)).json();
    assert.deepEqual([told.client_id, told.is_online], [first.started.id, true]);
    assert.equal(await metric(proxy.admin, "h3ws_gateway_connections_total"), 3);
    assert.equal(await metric(proxy.admin, "h3ws_proxy_runtime_event_loop_lag_seconds") >= 0, true);

    // One that was killed and comes again takes its own place, and what it held ends.
    const cut = await open("/ws");
    first.kill("SIGKILL");
    await first.status;
    const second = await agent("--id", String(first.started.id));
    await within("the end of its socket", cut.closed);
    assert.equal((await proxy.logged("agent.gone")).by, "gateway");
    const back = await open("/ws");
    await echoes(back, "back");
    await back.close();
    assert.equal(await end(second), 0);
    await proxy.logged("agent.gone");
    assert.equal(await refusal("/ws"), 502);
    const third = await agent();
    const last = await open("/ws");
    await echoes(last, "back again");

    // On the end the proxy goes first: its sockets get their Close through the gateway.
    assert.equal(await end(proxy), 0);
    const { code } = await within("the Close", last.closed);
    assert.equal(code, 1001);
    const order = proxy.log.map(({ event }) => event).filter((event) =>
      /^(?:proxy|gateway)\.(?:listening|draining|stopped)$/.test(event)
    );
    assert.deepEqual(order, [
      ...["gateway.listening", "proxy.listening", "proxy.draining"],
      ...["gateway.draining", "gateway.stopped", "proxy.stopped"],
    ]);
    const gone = await third.logged("gateway.gone");
    assert.deepEqual([gone.by, gone.reason], ["gateway", "the gateway shuts down"]);
    assert.ok(!JSON.stringify(proxy.log).includes("secret"), folder);
  });
});

Deno.test("process: 503 where no agent has room, 504 where the private server takes too long", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  using full = await listenFull();
  const routesOf = (port: number) =>
    route("/ws", `agent://small/127.0.0.1:${port}`) +
    route("/full", `agent://default/127.0.0.1:${full.port}`, ", limits: { dial-timeout: 500ms }") +
    route("/forbidden", `agent://default/127.0.0.2:${port}`);
  await withGateway(routesOf, async ({ proxy, open, refusal, agent }) => {
    await agent("--group", "small", "--id", "small", "--max-conns", "1");
    await agent("--id", "other");
    const only = await open("/ws");
    await echoes(only, "mine");
    assert.equal(await refusal("/ws"), 503);
    const full = await proxy.logged("tunnel.refused");
    assert.equal(full.code, "RATE_LIMITED");
    await only.close();
    await only.closed;
    await proxy.logged("tunnel.close");
    let next: Socket | null = null;
    await until("room again", async () => {
      next = await open("/ws").catch(() => null);
      return next !== null;
    });
    await echoes(next!, "next");
    assert.equal(await refusal("/full"), 504);
    assert.equal(await refusal("/forbidden"), 502);
    await proxy.logged("tunnel.refused", ({ code }) => code === "FORBIDDEN_HOST");
    await next!.close();
  });
});

Deno.test("process: requests share a tunnelled connection, and checks go by the agent, too", {
  ignore,
}, async () => {
  const check = "{ active: { kind: get, path: /live, interval: 100ms, healthy-after: 1 } }";
  const routesOf = (port: number) =>
    route("/api", `agent://default/127.0.0.1:${port}`) +
    route("/checked", `agent://default/127.0.0.1:${port}`, `, health: ${check}`);
  await withGateway(routesOf, async ({ proxy, backend, get, agent }) => {
    const { reason } = await proxy.logged("backend.down");
    assert.match(String(reason), /no agent/);
    assert.equal((await get("/api")).status, 502);
    await agent();
    await proxy.logged("backend.up");
    assert.deepEqual(await get("/checked"), { status: 200, text: "private /checked\n" });
    backend.status = 500;
    await proxy.logged("backend.down");

    for (let i = 0; i < 3; i++) {
      assert.deepEqual(await get("/api"), { status: 200, text: "private /api\n" });
    }
    const from = backend.requests.filter(({ path }) => path === "/api").map(({ from }) => from);
    assert.deepEqual(from, [from[0], from[0], from[0]]);
    // What was kept ends with the proxy, and nothing waits for it.
    assert.equal(await end(proxy), 0);
    const ends = proxy.log.filter(({ event }) => event === "tunnel.close");
    assert.deepEqual([...new Set(ends.map(({ reason }) => reason))], ["end of stream"]);
  });
});

Deno.test("process: a reload adds and takes away a route behind agents, and changes users", {
  ignore,
}, async () => {
  const first = (port: number) => route("/ws", `agent://default/127.0.0.1:${port}`);
  await withGateway(first, async ({ proxy, backend, open, refusal, agent, write }) => {
    const { port } = backend;
    await agent();
    const kept = await open("/ws");
    assert.equal(await refusal("/more"), 404);
    await write(first(port) + route("/more", `agent://default/127.0.0.1:${port}`));
    proxy.kill("SIGHUP");
    // It may have been seen before the signal, too.
    const two = await proxy.logged("config.reloaded", ({ routes }) => routes === 2);
    assert.equal(two.afterRestart, undefined);
    const gone = await open("/more");
    await echoes(gone, "more");
    await write(first(port), "balance: failover");
    proxy.kill("SIGHUP");
    await proxy.logged("config.reloaded", ({ afterRestart }) => afterRestart === "gateway.balance");
    assert.equal((await within("the Close", gone.closed)).code, 1012);
    assert.equal(await refusal("/more"), 404);
    await echoes(kept, "still here");

    // No gateway for a route that needs one: the old file stays.
    await write(first(port), "auth_url: http://127.0.0.1:1");
    proxy.kill("SIGHUP");
    const { message } = await proxy.logged("config.error");
    assert.match(String(message), /h3ws\.yaml:6:18: gateway\.auth_username: can't stand beside/);
    await echoes(kept, "still here");

    await write(first(port), "", "other");
    proxy.kill("SIGHUP");
    const { reason } = await proxy.logged("agent.gone");
    assert.equal(reason, "its user is gone or was changed");
    await within("the end of its socket", kept.closed);
    await until(
      "no agent",
      async () => await metric(proxy.admin, 'h3ws_gateway_agents{transport="quic"}') === 0,
    );
    // The file is one file: each line about it is that of the proxy, which counts its routes.
    const lines = proxy.log.filter(({ event }) => event === "config.reloaded");
    assert.ok(lines.every(({ routes }) => routes !== undefined));
    assert.deepEqual(proxy.log.filter(({ event }) => event === "files.unchanged"), []);
  });
});
