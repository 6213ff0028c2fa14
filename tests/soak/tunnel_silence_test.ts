// A network between a gateway and an agent, both processes of their own, that is silent for a minute.
import assert from "node:assert/strict";
import { withFolder } from "../cli/support.ts";
import { portOf, startAgent, startGateway, writePair } from "../support/tunnel_process.ts";
import { startNetwork } from "../tunnel/network.ts";
import { echo, echoClient, filesOf, withTarget } from "../tunnel/target.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const SILENCE_MS = 60_000;
/**
 * Three heartbeats of 15 s behind the last that was heard, or behind the first that was sent then
 * (RFC 9000 §10.1); and as much again for a machine that does much else.
 */
const LOST_MS = 120_000;
const ignore = Deno.build.os !== "linux";

async function play(transport: string, folder: string): Promise<void> {
  const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map((file) => `${folder}/${file}`);
  await using gateway = await startGateway({
    flags: [
      ...["--listen", "127.0.0.1:0", "--socks", "127.0.0.1:0", "--anonymous"],
      ...["--cert", cert, "--key", key, "--user", "ann:secret"],
    ],
  });
  await using network = await startNetwork(portOf(gateway.started.listen));
  await using agent = await startAgent({
    flags: [
      ...[`wss://localhost:${network.port}`, "--transport", transport, "--ca", ca],
      ...["--user", "ann:secret", "--allow", "127.0.0.1", "--max-retry-interval", "2s"],
    ],
  });
  await agent.logged("gateway.connect");
  const socksPort = portOf(gateway.started.socks);
  await withTarget(echo, async (port, conns) => {
    const first = await echoClient(socksPort, port);
    first.fin();
    await first.ended;
    await until("its end", () => conns.size === 0);
    const before = { gateway: filesOf(gateway.pid), agent: filesOf(agent.pid) };
    const client = await echoClient(socksPort, port);
    // It is this time that is tested.
    const silence = new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
    network.cut();
    assert.equal(await within("the client's end", client.ended, LOST_MS), "reset");
    await until("the target's end", () => conns.size === 0);
    const [gone, lost] = [await gateway.logged("agent.gone"), await agent.logged("gateway.gone")];
    assert.deepEqual([gone.by, lost.by], ["lost", "lost"]);
    await silence;
    network.restore();
    await agent.logged("gateway.connect");
    const again = await echoClient(socksPort, port);
    again.fin();
    assert.equal(await within("the end", again.ended), "fin");
    // The gateway's socket of a link by WebSocket that is lost lives for 90 s behind what it read last.
    // A socket of an attempt by QUIC that failed, one for each address of the name, is left to the
    // collector (net/quic_connect.ts).
    const failed = agent.log.filter(({ event }) => event === "gateway.failed").length;
    const left = transport === "quic" ? 2 * failed : 0;
    await until(`by ${transport}: as many files as ${JSON.stringify({ before, left })}`, () => {
      return filesOf(gateway.pid) <= before.gateway && filesOf(agent.pid) <= before.agent + left;
    }, LOST_MS);
  });
}

Deno.test(
  "tunnel: a network that is silent for 60 s ends all on both sides, and the agent is back",
  { ignore },
  async () => {
    await withFolder(async (folder) => {
      await writePair(folder);
      const ended = await Promise.allSettled(
        ["quic", "ws", "json"].map((transport) => play(transport, folder)),
      );
      for (const one of ended) if (one.status === "rejected") throw one.reason;
    });
  },
);
