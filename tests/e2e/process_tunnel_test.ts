// `h3ws gateway` and `h3ws agent` as processes of their own, with curl as their user.
import assert from "node:assert/strict";
import { withFolder } from "../cli/support.ts";
import { metric } from "../support/process.ts";
import {
  curl,
  portOf,
  startAgent,
  startGateway,
  type TunnelProcess,
  withHello,
  writePair,
} from "../support/tunnel_process.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const LISTEN = ["--listen", "127.0.0.1:0", "--socks", "127.0.0.1:0"];
const windows = Deno.build.os === "windows";

function hasCurl(): boolean {
  try {
    return new Deno.Command("curl", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
const ignore = windows || !hasCurl();

const urlOf = ({ started }: TunnelProcess) => `wss://localhost:${portOf(started.listen)}`;

async function json<T>(url: string): Promise<T> {
  return await (await fetch(url, { headers: { connection: "close" } })).json();
}

/** Ends it in order, and gives its exit code. */
async function end(process: TunnelProcess): Promise<number> {
  process.kill("SIGTERM");
  return (await within("the end", process.status)).code;
}

Deno.test(
  "process: gateway with a certificate of its own making, agent, curl",
  { ignore },
  async () => {
    await withHello(async (port) => {
      await using gateway = await startGateway({ flags: [...LISTEN, "--user", "ann:secret"] });
      await until("the hint", () => gateway.stdout().includes("curl -x"));
      const hint = gateway.stdout();
      assert.ok(!hint.includes("secret"));
      const [, ca] = /--user ann:PASSWORD --ca (\S+)/.exec(hint) ?? assert.fail(hint);
      await using agent = await startAgent({
        flags: [urlOf(gateway), "--user", "ann:secret", "--ca", ca, "--allow", "127.0.0.1"],
      });
      const { transport } = await agent.logged("gateway.connect");
      assert.equal(transport, "quic");
      const url = `http://localhost:${port}/`;
      assert.deepEqual(await curl(gateway, { user: "ann:secret", url }), {
        code: 0,
        text: "hello\n",
      });
      const open = await gateway.logged("tunnel.open");
      assert.deepEqual([open.target, open.user, open.front, open.agent], [
        `localhost:${port}`,
        "ann",
        "socks5",
        agent.started.id,
      ]);
      const close = await gateway.logged("tunnel.close");
      assert.deepEqual([close.id, close.reason], [open.id, "end of stream"]);
      assert.match(String(close.by), /^(?:client|target)$/);
      assert.ok(Number(close.toClientBytes) > "hello\n".length);
      assert.equal((await agent.logged("tunnel.close")).target, `localhost:${port}`);

      for (const user of ["ann:wrong", "bob:secret", ""]) {
        assert.equal((await curl(gateway, { user, url })).code, 97, user);
      }
      assert.equal((await gateway.logged("auth.failed")).user, "ann");
      const forbidden = `http://127.0.0.2:${port}/`;
      assert.equal((await curl(gateway, { user: "ann:secret", url: forbidden })).code, 97);
      assert.equal((await gateway.logged("tunnel.refused")).code, "FORBIDDEN_HOST");

      const stats = await json<Record<string, number>>(`${gateway.admin}/stats`);
      assert.deepEqual(
        [stats.active_connections, stats.total_connections, stats.error_count, stats.success_rate],
        [0, 1, 1, 0.5],
      );
      assert.deepEqual([stats.bytes_sent, stats.bytes_received], [
        close.toTargetBytes,
        close.toClientBytes,
      ]);
      const [one, ...others] = await json<Record<string, unknown>[]>(`${gateway.admin}/agents`);
      assert.deepEqual(
        [one.client_id, one.user, one.is_online, one.total_connections, others.length],
        [agent.started.id, "ann", true, 1, 0],
      );
      assert.equal(await metric(gateway.admin, 'h3ws_gateway_agents{transport="quic"}'), 1);
      assert.equal(
        await metric(gateway.admin, 'h3ws_gateway_auth_failures_total{front="socks5"}'),
        2,
      );
      assert.equal(await metric(agent.admin, "h3ws_agent_connections_total"), 1);
      assert.equal((await fetch(`${agent.admin}/readyz`)).status, 200);

      assert.equal(await end(agent), 0);
      const gone = await gateway.logged("agent.gone");
      assert.deepEqual([gone.by, gone.reason], ["agent", "the agent shuts down"]);
      assert.equal(
        (await json<{ is_online: boolean }[]>(`${gateway.admin}/agents`))[0].is_online,
        false,
      );
      assert.equal(await end(gateway), 0);
      await assert.rejects(Deno.stat(ca), Deno.errors.NotFound);
    });
  },
);

Deno.test(
  "process: both by one file; what it says is read again on SIGHUP",
  { ignore },
  async () => {
    await withHello((port) =>
      withFolder(async (folder) => {
        await writePair(folder);
        const file = `${folder}/h3ws.yaml`;
        const write = (client: string, gateway = "") =>
          Deno.writeTextFile(
            file,
            `proxy: { anonymous: true, socks5: { listen_addr: "127.0.0.1:0" } }
gateway:
  listen_addr: 127.0.0.1:0
  tls_cert: cert.pem
  tls_key: key.pem
  auth_username: ann
  auth_password: secret
  ${gateway}
client:
  gateway_addr: localhost:\${GATEWAY_PORT:-1}
  gateway_tls_cert: ca.pem
  client_id: mine
  auth_username: ann
  auth_password: secret
  ${client}
`,
          );
        await write("allowed_hosts: 127.0.0.2");
        await using gateway = await startGateway({ flags: ["--config", file] });
        const env = { GATEWAY_PORT: String(portOf(gateway.started.listen)) };
        await using agent = await startAgent({ flags: ["--config", file], env });
        await agent.logged("gateway.connect");
        assert.equal((await gateway.logged("agent.connect")).agent, "mine");
        const url = `http://127.0.0.1:${port}/`;
        assert.equal((await curl(gateway, { url })).code, 97);
        await write("allowed_hosts: 127.0.0.1", "balance: failover");
        agent.kill("SIGHUP");
        gateway.kill("SIGHUP");
        assert.equal((await agent.logged("config.reloaded")).afterRestart, undefined);
        assert.equal((await gateway.logged("config.reloaded")).afterRestart, "balance");
        assert.deepEqual(await curl(gateway, { url }), { code: 0, text: "hello\n" });

        await write("allowed_hosts: 127.0.0.1", "drain: x");
        gateway.kill("SIGHUP");
        const { message } = await gateway.logged("config.error");
        assert.match(
          String(message),
          /h3ws\.yaml:8:10: gateway\.drain: "x" is not a duration; allowed/,
        );
        assert.equal(await end(agent), 0);
        assert.equal(await end(gateway), 0);
      })
    );
  },
);

Deno.test(
  "process: users of a file; one that is changed or gone loses his agents",
  { ignore },
  async () => {
    await withFolder(async (folder) => {
      await writePair(folder);
      const users = `${folder}/users.yaml`;
      const sha256 = async (text: string) =>
        new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
          .toHex();
      const write = async (secrets: Record<string, string>) => {
        const lines = await Promise.all(
          Object.entries(secrets).map(async ([name, secret]) =>
            `  - { name: ${name}, token_sha256: ${await sha256(secret)} }\n`
          ),
        );
        await Deno.writeTextFile(`${users}.new`, `users:\n${lines.join("")}`);
        await Deno.rename(`${users}.new`, users);
      };
      await write({ ann: "a", bob: "b" });
      await using gateway = await startGateway({
        flags: [...LISTEN, "--cert", "cert.pem", "--key", "key.pem", "--users", "users.yaml"],
        cwd: folder,
      });
      assert.equal(gateway.started.users, 2);
      const flagsOf = (name: string, token: string) => [
        ...[urlOf(gateway), "--id", name, "--token", token],
        ...["--ca", `${folder}/ca.pem`, "--max-retry-interval", "500ms"],
      ];
      await using ann = await startAgent({ flags: flagsOf("ann", "a") });
      await using bob = await startAgent({ flags: flagsOf("bob", "b") });
      await ann.logged("gateway.connect");
      await bob.logged("gateway.connect");
      await write({ ann: "other", bob: "b" });
      gateway.kill("SIGHUP");
      assert.equal((await gateway.logged("users.reloaded")).users, 2);
      const gone = await gateway.logged("agent.gone");
      assert.deepEqual([gone.agent, gone.by], ["ann", "gateway"]);
      const { reason, by } = await ann.logged("gateway.gone");
      assert.deepEqual([by, reason], ["gateway", "its user is gone or was changed"]);
      assert.match(String((await ann.logged("gateway.failed")).reason), /token is wrong/);
      assert.equal((await gateway.logged("auth.failed")).front, "agent");
      await write({ ann: "a", bob: "b" });
      gateway.kill("SIGHUP");
      await gateway.logged("agent.connect", ({ agent }) => agent === "ann");
      await ann.logged("gateway.connect");
      assert.equal(bob.log.filter(({ event }) => event === "gateway.gone").length, 0);

      await Deno.writeTextFile(users, "users: [{ name: ann }]\n");
      gateway.kill("SIGHUP");
      const { message } = await gateway.logged("users.error");
      assert.match(
        String(message),
        /users\.yaml:1:9: users\[0\]: has no secret.*the old list stays$/,
      );
      for (const process of [ann, bob, gateway]) assert.equal(await end(process), 0);
    });
  },
);

Deno.test(
  "process: a gateway's other ports: HTTP, both in one, forwards, and what agents ask for",
  {
    ignore,
  },
  async () => {
    await withHello(async (port) => {
      const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const open = taken.addr.port;
      taken.close();
      await using gateway = await startGateway({
        flags: [
          ...[...LISTEN, "--user", "ann:secret", "--http", "127.0.0.1:0", "--mixed", "127.0.0.1:0"],
          ...["--forward", `127.0.0.1:0=127.0.0.1:${port}`, "--open-ports", `${open}`],
        ],
      });
      await until("the hint", () => gateway.stdout().includes("curl -x"));
      const [, ca] = /--ca (\S+)/.exec(gateway.stdout())!;
      await using agent = await startAgent({
        flags: [
          ...[urlOf(gateway), "--user", "ann:secret", "--ca", ca, "--allow", "127.0.0.1"],
          ...["--open-port", `${open}=127.0.0.1:${port}`, "--open-port", `1=127.0.0.1:${port}`],
        ],
      });
      await agent.logged("gateway.connect");
      const { http, mixed, forwards } = gateway.started;
      const url = `http://127.0.0.1:${port}/`;
      for (const proxy of [`http://ann:secret@${http}`, `socks5h://ann:secret@${mixed}`]) {
        const { stdout } = await new Deno.Command("curl", { args: ["-sS", "-x", proxy, url] })
          .output();
        assert.equal(new TextDecoder().decode(stdout), "hello\n", proxy);
      }
      for (const one of [forwards, open]) {
        const headers = { connection: "close" };
        assert.equal(
          await (await fetch(`http://127.0.0.1:${one}/`, { headers })).text(),
          "hello\n",
        );
      }
      assert.equal((await agent.logged("port.refused")).port, 1);
      assert.equal(await end(agent), 0);
      assert.equal(await end(gateway), 0);
    });
  },
);

Deno.test(
  "process: SIGTERM lets a transfer end, and then it is over",
  { ignore },
  async () => {
    await withFolder(async (folder) => {
      await writePair(folder);
      const target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await using gateway = await startGateway({
        flags: [
          ...LISTEN,
          "--cert",
          "cert.pem",
          "--key",
          "key.pem",
          "--user",
          "ann:a",
          "--anonymous",
        ],
        cwd: folder,
      });
      await using agent = await startAgent({
        flags: [
          urlOf(gateway),
          "--user",
          "ann:a",
          "--ca",
          `${folder}/ca.pem`,
          "--allow",
          "127.0.0.1",
        ],
      });
      await agent.logged("gateway.connect");
      const reached = curl(gateway, { url: `http://127.0.0.1:${target.addr.port}/` });
      const conn = await target.accept();
      await conn.read(new Uint8Array(1000));
      gateway.kill("SIGTERM");
      assert.equal((await gateway.logged("gateway.draining")).connections, 1);
      assert.equal((await fetch(`${gateway.admin}/readyz`)).status, 503);
      const answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
      await conn.write(new TextEncoder().encode(answer));
      conn.close();
      assert.deepEqual(await within("the answer", reached), { code: 0, text: "ok" });
      assert.equal((await within("the end", gateway.status)).code, 0);
      const gone = await agent.logged("gateway.gone");
      assert.deepEqual([gone.by, gone.reason], ["gateway", "the gateway shuts down"]);
      assert.equal((await fetch(`${agent.admin}/readyz`)).status, 503);
      assert.equal(await end(agent), 0);
      target.close();
    });
  },
);
