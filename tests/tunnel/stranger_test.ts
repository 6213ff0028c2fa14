// What a gateway looks like to whoever does not say who he is: a web server with nothing in it.
import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import { TUNNEL_SUBPROTOCOL } from "../../src/tunnel/mux_link.ts";
import { sha256 } from "../../src/tunnel/known_user.ts";
import { type DoorAnswer, DoorPeers, isOpen } from "../support/door_peers.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { type TestTunnel, type TunnelOptions, withTunnel } from "./support.ts";

const DOORS = ["h1s", "h2", "h3"] as const;

async function withPeers(
  options: { json: boolean },
  run: (peers: DoorPeers, tunnel: TestTunnel) => Promise<void>,
): Promise<void> {
  const { caPem } = await testCertificates();
  await withTunnel({ gateway: options }, async (tunnel) => {
    await using peers = new DoorPeers({ port: tunnel.gateway.port, plainPort: null, caPem });
    await run(peers, tunnel);
  });
}

const ASKED = [
  { path: "/" },
  { path: "/ws" },
  { path: "/ws", method: "POST", body: "{}" },
  { path: "/ws", method: "HEAD" },
  { path: "/.well-known/x", method: "OPTIONS" },
  { path: "/metrics" },
];

/** All of it that a stranger could tell it by. */
function assertNothing({ status, fields, body }: DoorAnswer, what: string): void {
  assert.equal(status, 404, what);
  assert.ok(body === "" || body === "Not Found\n", body);
  const names = fields.map(([name]) => name.toLowerCase()).filter((name) => name !== ":status");
  const ordinary = ["connection", "content-length", "content-type", "date"];
  assert.deepEqual(names.filter((name) => !ordinary.includes(name)), [], what);
}

const AGENT: Field = ["sec-websocket-protocol", TUNNEL_SUBPROTOCOL];
const basic = (text: string): Field => ["authorization", `Basic ${btoa(text)}`];

for (const door of DOORS) {
  Deno.test(`stranger by ${door}: every request is answered 404, with nothing of ours in it`, async () => {
    await withPeers({ json: true }, async (peers) => {
      for (const asked of ASKED) {
        const answer = await peers.ask(door, asked);
        assertNothing(answer, `${asked.method} ${asked.path}`);
        assert.equal(answer.body === "", asked.method === "HEAD");
      }
    });
  });

  Deno.test(`stranger by ${door}: without JSON a WebSocket is as little there as a page`, async () => {
    await withPeers({ json: false }, async (peers, { told }) => {
      for (const path of ["/", "/ws", "/ws/", "/ws?x", "/other"]) {
        assertNothing(await peers.open(door, { path }), path);
      }
      // Nor does it help to know what agents say.
      for (const fields of [[AGENT], [AGENT, basic("ann:wrong")], [AGENT, basic("x")]]) {
        assertNothing(await peers.open(door, { path: "/ws", fields }), fields.join());
      }
      const failed = told.lines.filter((line) => line.startsWith("auth"));
      assert.deepEqual(failed, ["auth agent ann: the username or the password is wrong"]);
      const fields = [AGENT, basic("ann:secret")];
      assert.ok(isOpen(await peers.open(door, { path: "/ws", fields })));
    });
  });

  Deno.test(`stranger by ${door}: with JSON it is there for all, but for who says who he is not`, async () => {
    await withPeers({ json: true }, async (peers) => {
      for (const path of ["/", "/ws/", "/WS"]) {
        assertNothing(await peers.open(door, { path }), path);
      }
      assert.ok(isOpen(await peers.open(door, { path: "/ws" })));
      const wrong = await peers.open(door, { path: "/ws", fields: [basic("ann:wrong")] });
      assert.equal(wrong.status, 401);
      assert.match(wrong.get("www-authenticate")!, /^Basic realm="/);
    });
  });
}

const token = "tökén of two words";
const users = [
  { name: "ann", password: "secret" },
  { name: "bob", tokenSha256: sha256(token).toString("hex") },
];

for (
  const [who, login] of [
    ["a password", { username: "ann", password: "secret" }],
    ["a token", { token }],
  ] as const
) {
  Deno.test(`stranger: an agent by WebSocket is none, by ${who}`, async () => {
    const options: TunnelOptions = {
      ...{ agents: users, gateway: { json: false }, transports: ["ws"] },
      agent: { auth: { login } },
    };
    await withTunnel(options, ({ agent, told }) => {
      assert.equal(agent.links.size, 1);
      assert.deepEqual(told.lines.filter((line) => line.startsWith("auth")), []);
      return Promise.resolve();
    });
  });
}

Deno.test("stranger: an agent with a wrong password is told so before there is a WebSocket, once", async () => {
  const login = { username: "ann", password: "wrong" };
  const options: TunnelOptions = {
    ...{ unlinked: true, transports: ["ws", "json"] },
    agent: { auth: { login }, minDelayMs: 60_000, maxDelayMs: 60_000, random: () => 1 },
  };
  await withTunnel(options, async ({ told }) => {
    await until("the failure", () => told.lines.some((line) => line.startsWith("failed")));
    const [auth, failed, ...others] = told.lines;
    assert.equal(auth, "auth agent ann: the username or the password is wrong");
    assert.match(failed, /^failed .*401 .*the username or the password is wrong/);
    assert.deepEqual(others, []);
  });
});
