// A gateway that gives up what its agent is about to open: the agent tells of it, and keeps nothing.
import assert from "node:assert/strict";
import type { NetError } from "../../src/net/error.ts";
import { pipe } from "../../src/net/pipe.ts";
import type { AgentObserver } from "../../src/tunnel/agent.ts";
import type { ConnectTarget } from "../../src/tunnel/link.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { socksConnect } from "./socks_client.ts";
import { Told, withTunnel } from "./support.ts";

for (
  const [name, transports] of Object.entries(
    { quic: ["quic"], ws: ["ws"], json: ["json"] } as const,
  )
) {
  Deno.test(`given up by ${name}: what was connected too late is told of as refused, and ended`, async () => {
    const told: string[] = [];
    const observer: AgentObserver = {
      ...new Told().agent,
      asked: ({ target }) => void told.push(`asked ${target.host}`),
      opened: () => void told.push("opened"),
      refused: (_, { message }) => void told.push(message),
    };
    const [ours, theirs] = pipe();
    const connect: ConnectTarget = async (_, signal) => {
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      return theirs;
    };
    const options = {
      transports,
      gateway: { connectTimeoutMs: 200 },
      agent: { connect, observer },
    };
    await withTunnel(options, async ({ gateway, agent }) => {
      await assert.rejects(socksConnect(gateway.socksPort!, "slow.example", 80), /SOCKS5 reply 4/);
      const ended = ours.read().catch(({ kind }: NetError) => kind);
      assert.notEqual(await within("the end of the target's", ended), undefined);
      await until("the end", () => agent.streams === 0 && told.length === 2);
      assert.deepEqual(told, ["asked slow.example", "aborted: the gateway gave it up"]);
    });
  });
}
