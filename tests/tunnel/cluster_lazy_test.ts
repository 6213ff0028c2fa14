import assert from "node:assert/strict";

interface Module {
  specifier: string;
  dependencies?: {
    specifier: string;
    isDynamic?: boolean;
    code?: { specifier?: string };
  }[];
}

/** All that is loaded with a module, but for what is asked for when it is needed. */
async function loadedWith(path: string): Promise<string[]> {
  const { href } = new URL(`../../${path}`, import.meta.url);
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", href] })
    .output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  const loaded = new Set([href]);
  for (const specifier of loaded) {
    const { dependencies = [] } = modules.find((module) => module.specifier === specifier) ?? {};
    for (const { code, isDynamic } of dependencies) {
      if (code?.specifier !== undefined && !isDynamic) loaded.add(code.specifier);
    }
  }
  return [...loaded];
}

Deno.test("a gateway that is alone loads nothing of NATS", async () => {
  const isOfNats = (specifier: string) => /nats|tunnel\/cluster/.test(specifier);
  const withServer = await loadedWith("src/tunnel/gateway_server.ts");
  assert.ok(withServer.some((one) => one.endsWith("src/tunnel/gateway.ts")));
  assert.deepEqual(withServer.filter(isOfNats), []);
  // It would be seen.
  const withCluster = await loadedWith("src/tunnel/cluster.ts");
  assert.ok(withCluster.some((one) => one.includes("@nats-io/transport-node")));
});
