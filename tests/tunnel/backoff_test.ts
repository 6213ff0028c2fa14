// How long an agent waits before it links again.
import assert from "node:assert/strict";
import { backoff } from "../../src/client/backoff.ts";
import type { AgentObserver } from "../../src/tunnel/agent.ts";
import { until } from "../support/until.ts";
import { Told, type TunnelOptions, withTunnel } from "./support.ts";

Deno.test("agent's wait: anything up to 0.5 s at first, up to twice as long each time, to 30 s", () => {
  const longest = backoff({ random: () => 1 });
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 1000].map(longest);
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assert.deepEqual([1, 5, 9].map(backoff({ random: () => 0 })), [0, 0, 0]);
  assert.equal(backoff({ random: () => 0.5 })(3), 1000);
});

/** What the agent says it will wait, of links that its gateway ends as soon as they stand. */
async function waits(count: number, stableMs: number): Promise<(number | null)[]> {
  const found: (number | null)[] = [];
  const observer: AgentObserver = {
    ...new Told().agent,
    unlinked: (_, { retryMs }) => void found.push(retryMs),
    linked: (_, link) => link.close("a test ends it"),
  };
  const delays = { minDelayMs: 4, maxDelayMs: 32, random: () => 1 };
  const options: TunnelOptions = {
    ...{ unlinked: true, transports: ["ws"] },
    agent: { observer, stableMs, ...delays },
  };
  await withTunnel(options, () => until("the links", () => found.length >= count));
  return found.slice(0, count);
}

Deno.test("agent's wait: links that end soon are failures in a row, one that was stable is none", async () => {
  assert.deepEqual(await waits(6, 60_000), [4, 8, 16, 32, 32, 32]);
  assert.deepEqual(await waits(4, 0), [4, 4, 4, 4]);
});

Deno.test("agent's wait: it is that of each gateway for itself, and of who can't be reached", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  taken.close();
  const found = new Map<string, (number | null)[]>();
  const observer: AgentObserver = {
    ...new Told().agent,
    failed: (gateway, { retryMs }) =>
      void found.set(gateway, [...found.get(gateway) ?? [], retryMs]),
  };
  const gateways = [new URL(`wss://127.0.0.1:${port}/a`), new URL(`wss://localhost:${port}/b`)];
  const agent = { observer, gateways, minDelayMs: 1, maxDelayMs: 4, random: () => 1 };
  await withTunnel({ unlinked: true, transports: ["ws"], agent }, async () => {
    const all = () => found.get(`127.0.0.1:${port}`) ?? [];
    await until("the failures", () => all().length >= 4);
    assert.deepEqual(all().slice(0, 4), [1, 2, 4, 4]);
    await until("the other's", () => (found.get(`localhost:${port}`) ?? []).length >= 3);
  });
});
