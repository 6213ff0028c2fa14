import assert from "node:assert/strict";
import { loadedWith } from "../support/loaded_with.ts";

Deno.test("a gateway that is alone loads nothing of NATS", async () => {
  const isOfNats = (specifier: string) => /nats|tunnel\/cluster/.test(specifier);
  const withServer = await loadedWith("src/tunnel/gateway_server.ts");
  assert.ok(withServer.some((one) => one.endsWith("src/tunnel/gateway.ts")));
  assert.deepEqual(withServer.filter(isOfNats), []);
  // It would be seen.
  const withCluster = await loadedWith("src/tunnel/cluster.ts");
  assert.ok(withCluster.some((one) => one.includes("@nats-io/transport-node")));
});
