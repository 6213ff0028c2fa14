// What becomes of a tunnel whose network is silent, or lets no UDP through.
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { withNetwork } from "./network.ts";
import { echo, echoClient, echoes, isIdle, withTarget } from "./target.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;
const HEARTBEAT_MS = 500;

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`tunnel by ${name}: a network that is silent ends all on both sides, and the agent is back with it`, async () => {
    const gateway = { heartbeatMs: HEARTBEAT_MS };
    const agent = { heartbeatMs: HEARTBEAT_MS, connectTimeoutMs: 1_000 };
    await withNetwork({ transports, gateway, agent }, async (tunnel) => {
      const { gateway: { gateway, socksPort }, told, network } = tunnel;
      await withTarget(echo, async (port, conns) => {
        const client = await echoClient(socksPort!, port);
        network.cut();
        assert.equal(await within("the client's end", client.ended), "reset");
        await until("the target's end", () => conns.size === 0);
        await until("nothing left", () => isIdle(tunnel));
        await until("no agent", () => gateway.agents.list().length === 0);
        assert.match(told.lines.join("\n"), /^agent- one lost: /m);
        assert.match(told.lines.join("\n"), /^unlinked lost: /m);
        network.restore();
        await until("the next link", () => gateway.agents.list().length === 1);
        const again = await echoClient(socksPort!, port);
        again.fin();
        assert.equal(await within("the end", again.ended), "fin");
        await until("nothing left", () => isIdle(tunnel));
      });
    });
  });
}

Deno.test("tunnel: idle links by every transport live on by their heartbeats", async () => {
  const heartbeat = { heartbeatMs: HEARTBEAT_MS };
  await Promise.all(
    Object.values(TRANSPORTS).map(async (transports) => {
      const options = { transports, gateway: heartbeat, agent: heartbeat };
      await withNetwork(options, async ({ gateway, told }) => {
        await withTarget(echo, async (port) => {
          const client = await echoClient(gateway.socksPort!, port);
          // There is no event of a link that lives: twice as long as one may that is silent.
          await new Promise((resolve) => setTimeout(resolve, 2 * 3 * HEARTBEAT_MS));
          await echoes(client, "again");
          client.reset();
          assert.doesNotMatch(told.lines.join("\n"), /agent-|unlinked/);
        });
      });
    }),
  );
});

Deno.test("tunnel: where no UDP passes the link stands by WebSocket within 3 s", async () => {
  const startedMs = performance.now();
  const before = ({ udp }: { udp: { cut(): void } }) => udp.cut();
  await withNetwork({ transports: ["quic", "ws"], before }, async (tunnel) => {
    assert.ok(performance.now() - startedMs < 3_000, `${performance.now() - startedMs} ms`);
    const [{ link }] = tunnel.gateway.gateway.agents.list();
    assert.equal(link.transport, "ws/2");
    const told = "linked ws/2 instead of quic: no answer by UDP within 1500 ms";
    assert.ok(tunnel.told.lines.includes(told), tunnel.told.lines.join("\n"));
    await withTarget(echo, async (port) => {
      const client = await echoClient(tunnel.gateway.socksPort!, port);
      client.fin();
      assert.equal(await within("the end", client.ended), "fin");
      await until("nothing left", () => isIdle(tunnel));
    });
  });
});
