// A gateway that a proxy's file has: what its start fails by, and that nothing is left of one.
import assert from "node:assert/strict";
import { CommandError } from "../../src/cli/command.ts";
import { configure } from "../../src/cli/configured.ts";
import { serve } from "../../src/cli/serve.ts";
import { createAgent } from "../../src/config/create_agent.ts";
import { UsageError } from "../../src/config/error.ts";
import { silentLog } from "../../src/observe/log.ts";
import { writePair } from "../support/tunnel_process.ts";
import { until } from "../support/until.ts";
import { withFolder } from "./support.ts";

const FLAGS = { listen: "127.0.0.1:0", metrics: "127.0.0.1:0", "log-level": "off" };

/** What a start by a file comes to; one that stands is ended. */
async function startBy(text: string, flags: Record<string, string> = {}): Promise<void> {
  await withFolder(async (folder) => {
    await writePair(folder);
    const file = `${folder}/h3ws.yaml`;
    await Deno.writeTextFile(file, `cert: cert.pem\nkey: key.pem\n${text}`);
    const configured = await configure({ ...FLAGS, ...flags, config: file }, {});
    const serving = await serve(configured.config, { configured });
    await serving.drain(0);
  });
}

const section = (more: string) =>
  `gateway: { auth_username: ann, auth_password: secret, ${more} }\n`;

Deno.test("proxy with a gateway: each can be what is taken, and then neither stands", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const at = `127.0.0.1:${taken.addr.port}`;
  const free = section("listen_addr: 127.0.0.1:0");
  const faults: [text: string, flags: Record<string, string>, message: RegExp][] = [
    [section(`listen_addr: "${at}"`), {}, /: the address is in use; gateway\.listen_addr names/],
    [
      `${free}proxy: { mixed: { listen_addr: "${at}" } }\n`,
      {},
      /: the address is in use; proxy\.mixed\.listen_addr names another$/,
    ],
    [free, { "plain-listen": at }, /: the address is in use; --plain-listen names another$/],
    [section(`listen_addr: 127.0.0.1:0, users_file: none.yaml`), {}, /none\.yaml: no such file$/],
  ];
  for (const [text, flags, message] of faults) {
    await assert.rejects(startBy(text, flags), (error) => {
      assert.ok(error instanceof CommandError, `${error}`);
      assert.match(error.message, message);
      return true;
    });
  }
  await startBy(free);
});

Deno.test("proxy without a gateway: a backend behind agents is told, and no port is taken", async () => {
  const flags = { backend: "agent://home/127.0.0.1:1" };
  await assert.rejects(startBy("path: /\n", flags), (error) => {
    assert.ok(error instanceof UsageError, `${error}`);
    assert.equal(
      error.message,
      'backend: "agent://home/127.0.0.1:1" needs a gateway in this process; allowed: a section ' +
        "gateway in --config, or the option gateway of a program",
    );
    return true;
  });
  await startBy(section("listen_addr: 127.0.0.1:0"), flags);
});

Deno.test("proxy with a gateway: its certificate is that of the proxy, and changes with it", async () => {
  await withFolder(async (folder) => {
    await writePair(folder);
    const file = `${folder}/h3ws.yaml`;
    const at = freePort();
    const more = section(`listen_addr: "127.0.0.1:${at}"`);
    await Deno.writeTextFile(file, `cert: cert.pem\nkey: key.pem\n${more}`);
    const configured = await configure({ ...FLAGS, config: file }, {});
    const serving = await serve(configured.config, { configured });
    const isTrusted = async (caPem: string) => {
      const port = { hostname: "localhost", port: at, caCerts: [caPem] };
      try {
        using connection = await Deno.connectTls(port);
        await connection.handshake();
        return true;
      } catch (error) {
        if (error instanceof Deno.errors.InvalidData) return false;
        throw error;
      }
    };
    try {
      const before = await Deno.readTextFile(`${folder}/ca.pem`);
      assert.ok(await isTrusted(before));
      await writePair(folder);
      const now = await Deno.readTextFile(`${folder}/ca.pem`);
      await until("the new certificate", () => isTrusted(now));
      assert.ok(!await isTrusted(before));
    } finally {
      await serving.drain(0);
    }
  });
});

Deno.test("proxy with a gateway: its file of users is read again, and who is gone loses his agents", async () => {
  await withFolder(async (folder) => {
    await writePair(folder);
    const file = `${folder}/h3ws.yaml`;
    const at = freePort();
    const users = `${folder}/users.yaml`;
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("a token"));
    const token = new Uint8Array(hash).toHex();
    await Deno.writeTextFile(users, `users: [{ name: bob, token_sha256: ${token} }]\n`);
    const more = section(`listen_addr: "127.0.0.1:${at}", users_file: users.yaml`);
    await Deno.writeTextFile(file, `cert: cert.pem\nkey: key.pem\n${more}`);
    const configured = await configure({ ...FLAGS, config: file }, {});
    const serving = await serve(configured.config, { configured });
    try {
      const stats = async () => await (await fetch(`http://${serving.metrics}/stats`)).json();
      assert.equal((await stats()).gateway.agents, 0);
      await using agent = createAgent({
        gateways: [`localhost:${at}`],
        login: { token: "a token" },
        caCerts: [await Deno.readTextFile(`${folder}/ca.pem`)],
        log: silentLog,
      });
      await agent.start();
      await until("the agent", async () => (await stats()).gateway.agents === 1);
      await Deno.writeTextFile(users, "users: []\n");
      await until("the end of its link", () => !agent.getStats().is_online);
    } finally {
      await serving.drain(0);
    }
  });
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
