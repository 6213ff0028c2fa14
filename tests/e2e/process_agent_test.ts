// `h3ws agent` as a process: by which ways it comes to its gateway, and what it may reach then.
import assert from "node:assert/strict";
import { withFolder } from "../cli/support.ts";
import { portOf, startAgent, startGateway, withHello } from "../support/tunnel_process.ts";
import type { TunnelProcess } from "../support/tunnel_process.ts";
import { startSocksProxy } from "../support/socks_proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const LISTEN = ["--listen", "127.0.0.1:0", "--socks", "127.0.0.1:0", "--user", "ann:secret"];

/** What an agent of the gateway is told at least. */
async function agentFlags(gateway: TunnelProcess): Promise<string[]> {
  await until("the hint", () => gateway.stdout().includes("curl -x"));
  const [, ca] = /--ca (\S+)/.exec(gateway.stdout())!;
  const url = `wss://localhost:${portOf(gateway.started.listen)}`;
  return [url, "--user", "ann:secret", "--ca", ca];
}

/** Ends it in order, and gives its exit code. */
async function end(process: TunnelProcess): Promise<number> {
  process.kill("SIGTERM");
  return (await within("the end", process.status)).code;
}

function freePort(): number {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return taken.addr.port;
}

Deno.test("process: a service that an agent offers by a port of the gateway may be beside it", async () => {
  await withHello(async (port) => {
    const open = freePort();
    await using gateway = await startGateway({ flags: [...LISTEN, "--open-ports", `${open}`] });
    await using agent = await startAgent({
      flags: [...await agentFlags(gateway), "--open-port", `${open}=localhost:${port}`],
    });
    await agent.logged("gateway.connect");
    const headers = { connection: "close" };
    const answer = await fetch(`http://127.0.0.1:${open}/`, { headers });
    assert.equal(await answer.text(), "hello\n");
    assert.equal(await end(agent), 0);
    assert.equal(await end(gateway), 0);
  });
});

Deno.test("process: an agent by a SOCKS5 proxy, whose password nobody is told", async () => {
  await using proxy = await startSocksProxy({ login: "me:hidden" });
  await using gateway = await startGateway({ flags: LISTEN });
  const by = `socks5h://me:hidden@127.0.0.1:${proxy.port}`;
  await using agent = await startAgent({ flags: [...await agentFlags(gateway), "--proxy", by] });
  assert.equal(agent.started.proxy, `127.0.0.1:${proxy.port}`);
  assert.match(String((await agent.logged("gateway.connect")).transport), /^ws\//);
  assert.deepEqual(proxy.asked, [`me:hidden localhost:${portOf(gateway.started.listen)}`]);
  assert.equal(await end(agent), 0);
  assert.ok(!JSON.stringify(agent.log).includes("hidden"));
  assert.equal(await end(gateway), 0);
});

Deno.test("process: an agent whose password was changed links again by what its file says then", async () => {
  await withFolder(async (folder) => {
    await using gateway = await startGateway({ flags: LISTEN });
    const [url, , , , ca] = await agentFlags(gateway);
    const file = `${folder}/agent.yaml`;
    const write = (password: string) =>
      Deno.writeTextFile(
        file,
        `client: { gateway_addr: "${url}", gateway_tls_cert: "${ca}", client_id: me, ` +
          `auth_username: ann, auth_password: ${password}, max_retry_interval: 500ms }\n`,
      );
    await write("expired");
    await using agent = await startAgent({ flags: ["--config", file] });
    assert.match(String((await agent.logged("gateway.failed")).reason), /password is wrong/);
    await write("secret");
    agent.kill("SIGHUP");
    assert.equal((await agent.logged("config.reloaded")).afterRestart, undefined);
    await agent.logged("gateway.connect");
    assert.equal(await end(agent), 0);
    assert.equal(await end(gateway), 0);
  });
});
