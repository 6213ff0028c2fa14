// Flags of `h3ws gateway` and `h3ws agent` that only whole processes show: who is asked who may come
// in, what an agent takes for its gateway and shows it, and what a user and an agent may have.
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { hashPassword } from "../../src/tunnel/passwords.ts";
import { withFolder } from "../cli/support.ts";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { socksConnect } from "../tunnel/socks_client.ts";
import { echo, withTarget } from "../tunnel/target.ts";
import { metric } from "../support/process.ts";
import {
  portOf,
  startAgent,
  startGateway,
  type TunnelProcess,
  writePair,
} from "../support/tunnel_process.ts";
import { until } from "../support/until.ts";

const LISTEN = ["--listen", "127.0.0.1:0", "--socks", "127.0.0.1:0"];
const PAIR = ["--cert", "cert.pem", "--key", "key.pem"];
const TRUST = ["--ca", "ca.pem", "--allow", "127.0.0.1"];
const ann = { username: "ann", password: "secret" };

const urlOf = ({ started }: TunnelProcess) => `wss://localhost:${portOf(started.listen)}`;
const socksOf = ({ started }: TunnelProcess) => portOf(started.socks);

Deno.test("process: --auth-url is asked of agents and clients; who it does not know stays out", async () => {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { headers } = request;
    const [, basic] = /^Basic (.+)$/.exec(headers.get("authorization") ?? "") ?? [];
    const who = basic === undefined ? "" : atob(basic);
    asked.push(`${headers.get("x-forwarded-uri")} ${who} ${headers.get("x-forwarded-for")}`);
    if (who !== "ann:secret") return new Response(null, { status: 403 });
    return Response.json({ user: "ann of the server", groups: ["home"] });
  });
  await withFolder((folder) =>
    withTarget(echo, async (port) => {
      await writePair(folder);
      const auth = ["--auth-url", `http://127.0.0.1:${server.addr.port}/`, "--auth-cache", "0s"];
      await using gateway = await startGateway({
        flags: [...LISTEN, ...PAIR, ...auth],
        cwd: folder,
      });
      const flags = [urlOf(gateway), ...TRUST, "--transport", "ws"];
      await using agent = await startAgent({
        flags: [...flags, "--user", "ann:secret"],
        cwd: folder,
      });
      const { user, group } = await gateway.logged("agent.connect");
      assert.deepEqual([user, group], ["ann of the server", "home"]);
      const client = await socksConnect({ port: socksOf(gateway), ...ann }, "127.0.0.1", port);
      assert.equal((await gateway.logged("tunnel.open")).user, "ann of the server");
      client.reset();
      const wrong = { port: socksOf(gateway), username: "ann", password: "wrong" };
      await assert.rejects(socksConnect(wrong, "127.0.0.1", port));
      assert.equal((await gateway.logged("auth.failed")).front, "socks5");
      assert.deepEqual(asked, [
        // By its request, and by AUTH.
        "/agent ann:secret 127.0.0.1",
        "/agent ann:secret 127.0.0.1",
        "/client ann:secret 127.0.0.1",
        "/client ann:wrong 127.0.0.1",
      ]);
      await using stranger = await startAgent({
        flags: [...flags, "--user", "bob:secret"],
        cwd: folder,
      });
      assert.match(String((await stranger.logged("gateway.failed")).reason), /is wrong/);
      assert.equal(agent.log.filter(({ event }) => event === "gateway.gone").length, 0);
    })
  );
  await server.shutdown();
});

Deno.test("process: --pin stands in for --ca, and --cert and --key for a password", async () => {
  await withFolder(async (folder) => {
    await writePair(folder);
    const client = await makeClientCertificate([{ CN: ["agent 1"] }]);
    const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
    await write("client-ca.pem", client.caPem);
    await write("client.pem", client.certPem);
    await write("client-key.pem", client.keyPem);
    await write("users.yaml", "users: [{ name: ann, certificate: CN=agent 1 }]\n");
    await using gateway = await startGateway({
      flags: [...LISTEN, ...PAIR, "--users", "users.yaml", "--client-ca", "client-ca.pem"],
      cwd: folder,
    });
    const { raw } = new X509Certificate(await Deno.readTextFile(`${folder}/cert.pem`));
    const pin = createHash("sha256").update(raw).digest("hex");
    const shows = ["--cert", "client.pem", "--key", "client-key.pem"];
    const flags = [urlOf(gateway), "--pin"];
    await using agent = await startAgent({ flags: [...flags, pin, ...shows], cwd: folder });
    assert.match(String((await agent.logged("gateway.connect")).transport), /^ws\//);
    assert.equal((await gateway.logged("agent.connect")).user, "ann");
    const wrongs: [flags: string[], why: RegExp][] = [
      [["0".repeat(64), ...shows], /certificate/i],
      [[pin, "--user", "ann:secret"], /Cannot link to/],
    ];
    for (const [more, why] of wrongs) {
      await using other = await startAgent({ flags: [...flags, ...more], cwd: folder });
      assert.match(String((await other.logged("gateway.failed")).reason), why);
    }
    assert.equal(await metric(gateway.admin, 'h3ws_gateway_agents{transport="quic"}'), 0);
  });
});

Deno.test("process: --user-max-conns, and a user's own max_conns before it", async () => {
  await withFolder((folder) =>
    withTarget(echo, async (port) => {
      await writePair(folder);
      const hash = await hashPassword("secret");
      const users = `users: [{ name: bob, password_hash: "${hash}", max_conns: 1 }]\n`;
      await Deno.writeTextFile(`${folder}/users.yaml`, users);
      await using gateway = await startGateway({
        flags: [
          ...[...LISTEN, ...PAIR, "--user", "ann:secret", "--users", "users.yaml"],
          ...["--user-max-conns", "2"],
        ],
        cwd: folder,
      });
      await using agent = await startAgent({
        flags: [urlOf(gateway), ...TRUST, "--user", "ann:secret"],
        cwd: folder,
      });
      await agent.logged("gateway.connect");
      const connect = (username: string) => {
        const proxy = { port: socksOf(gateway), username, password: "secret" };
        return socksConnect(proxy, "127.0.0.1", port);
      };
      const refused = async (username: string, why: RegExp) => {
        await assert.rejects(connect(username), /SOCKS5 reply 1/);
        const { code, reason } = await gateway.logged("tunnel.refused");
        assert.equal(code, "RATE_LIMITED");
        assert.match(String(reason), why);
      };
      const clients = [await connect("bob")];
      await refused("bob", /the user has 1 connection,/);
      clients.push(await connect("ann"), await connect("ann"));
      await refused("ann", /the user has 2 connections/);
      clients.pop()!.reset();
      const active = () => metric(gateway.admin, "h3ws_gateway_active_connections");
      await until("its place", async () => await active() === 2);
      clients.push(await connect("ann"));
      clients.shift()!.reset();
      await until("its place", async () => await active() === 2);
      clients.push(await connect("bob"));
      for (const client of clients) client.reset();
    })
  );
});

Deno.test("process: --max-conns of an agent is the most that it gets", async () => {
  await withFolder((folder) =>
    withTarget(echo, async (port) => {
      await writePair(folder);
      const flags = [...LISTEN, ...PAIR, "--user", "ann:secret"];
      await using gateway = await startGateway({ flags, cwd: folder });
      await using agent = await startAgent({
        flags: [urlOf(gateway), ...TRUST, "--user", "ann:secret", "--max-conns", "1"],
        cwd: folder,
      });
      await agent.logged("gateway.connect");
      const proxy = { port: socksOf(gateway), ...ann };
      const client = await socksConnect(proxy, "127.0.0.1", port);
      await assert.rejects(socksConnect(proxy, "127.0.0.1", port), /SOCKS5 reply 1/);
      const { code, reason } = await gateway.logged("tunnel.refused");
      assert.deepEqual([code, reason], ["RATE_LIMITED", "every agent has all it can carry"]);
      client.reset();
    })
  );
});
