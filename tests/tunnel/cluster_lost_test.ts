// What a gateway says of a NATS that it can't reach.
import assert from "node:assert/strict";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { ClusterNews } from "../../src/tunnel/observer.ts";
import { until } from "../support/until.ts";
import { freePort } from "./processes.ts";
import { startGateway, Told } from "./support.ts";

Deno.test("cluster: servers of NATS that are not there are named, without a password", async () => {
  const sweeper = new Sweeper(50);
  const told = new Told();
  const news: ClusterNews[] = [];
  const observer = { ...told.gateway, cluster: (one: ClusterNews) => void news.push(one) };
  const port = freePort();
  const urls = [new URL(`nats://gw:secret@127.0.0.1:${port}`)];
  const gateway = await startGateway({ told, sweeper }, {
    gateway: { observer, cluster: { urls } },
  });
  try {
    await until("the news", () => news.length > 0);
    const [one] = news;
    const reason = one.type === "lost" ? one.reason : assert.fail(one.type);
    assert.match(reason, new RegExp(`^127\\.0\\.0\\.1:${port}: .+; it is tried again$`));
    assert.doesNotMatch(reason, /secret/);
  } finally {
    await gateway.stop();
    sweeper.stop();
  }
  assert.deepEqual(told.bugs, []);
});
