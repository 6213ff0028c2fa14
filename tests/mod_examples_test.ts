// Each example in the library's documentation is run as it stands, but for names and ports, and says
// what the comments behind its `console.log` say.
import assert from "node:assert/strict";
import { ROOT, run, runDeno } from "../scripts/project.ts";
import { startEcho } from "../src/cli/echo_server.ts";
import { proxyOptions } from "../src/config/proxy_options.ts";
import { startProxy } from "../src/proxy/proxy.ts";
import { withFolder } from "./cli/support.ts";
import { testCertificates } from "./support/proxy.ts";

const MOD = new URL("../src/mod.ts", import.meta.url).href;
const PATIENCE_MS = 60_000;

interface Example {
  /** Of the symbol; empty for the module's own. */
  name: string;
  code: string;
}

/** Every block of code in the comments of what mod.ts gives. */
function examplesIn(node: unknown, name = ""): Example[] {
  if (typeof node !== "object" || node === null) return [];
  if (Array.isArray(node)) return node.flatMap((item) => examplesIn(item, name));
  const { name: own, ...rest } = node as Record<string, unknown>;
  const called = typeof own === "string" ? own : name;
  return Object.values(rest).flatMap((value) => {
    if (typeof value !== "string") return examplesIn(value, called);
    return [...value.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => ({
      name: called,
      code,
    }));
  });
}

const doc = JSON.parse(await runDeno(["doc", "--json", "--quiet", MOD]));
const examples = examplesIn(doc);

/** What a comment behind a call of `console.log` says that it prints: `"2" 1` for `2 1`. */
function saidBy(code: string): string[] {
  const comments = [
    ...code.matchAll(/console\.log\(.*\);? \/\/ (.*)$|console\.log\(.*\), \/\/ (.*)$/gm),
  ];
  return comments.map(([, one, other]) => (one ?? other).replaceAll('"', ""));
}

Deno.test("library examples: those of the module, and of what has one, are found with what they say", () => {
  const names = examples.map(({ name }) => name);
  assert.deepEqual([...new Set(names)].sort(), [
    "",
    "H2Client",
    "H3Client",
    "WebSocket3",
    "createGateway",
    "reconnecting",
  ]);
  assert.equal(names.filter((name) => name === "").length, 6);
  const said = examples.map(({ code }) => saidBy(code));
  assert.deepEqual(said.flat().sort(), [
    ...["1000 bye true", "2 1", "200 2", "200 3", "closed 1000 null", "hello", "hello", "hello"],
    ...["hello 1", "open 2 1", "true 0"],
  ]);
});

Deno.test("library examples: all pass the type check", async () => {
  await withFolder(async (folder) => {
    for (const [i, { code }] of examples.entries()) {
      const program = code.replaceAll('"h3ws"', JSON.stringify(MOD));
      await Deno.writeTextFile(`${folder}/${i + 1}.ts`, program);
    }
    await runDeno(["check", "--quiet", "--config", `${ROOT}deno.json`, folder]);
  });
});

for (const [i, { name, code }] of examples.entries()) {
  Deno.test(`library examples: ${i + 1}, of ${name || "the module"}`, async () => {
    const { caPem, certPem, keyPem } = await testCertificates();
    const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
    const backend = `ws://127.0.0.1:${echo.port}`;
    const proxy = await startProxy(proxyOptions({
      ...{ certPem, keyPem, backend, listen: "127.0.0.1:0" },
    }));
    try {
      await withFolder(async (folder) => {
        const program = code.replaceAll('"h3ws"', JSON.stringify(MOD))
          .replaceAll("localhost:8443", `localhost:${proxy.port}`)
          .replaceAll("port: 8443", `port: ${proxy.port}`)
          .replaceAll("listenPort: 8443", 'listen: "127.0.0.1:0"')
          .replaceAll('":8443"', '"127.0.0.1:0"')
          .replaceAll("127.0.0.1:8080", `127.0.0.1:${echo.port}`);
        assert.doesNotMatch(program, /:80\d\d|:84\d\d/);
        await Deno.writeTextFile(`${folder}/program.ts`, program);
        for (const [file, pem] of [["ca", caPem], ["cert", certPem], ["key", keyPem]]) {
          await Deno.writeTextFile(`${folder}/${file}.pem`, pem);
        }
        const { code: exit, stdout, stderr } = await run(
          Deno.execPath(),
          ["run", "--quiet", "-A", "--config", `${ROOT}deno.json`, "program.ts"],
          { cwd: folder, env: { NO_COLOR: "1" }, signal: AbortSignal.timeout(PATIENCE_MS) },
        );
        assert.deepEqual([exit, stderr], [0, ""]);
        const lines = stdout.trimEnd().split("\n");
        for (const said of saidBy(code)) assert.ok(lines.includes(said), `${said}: ${stdout}`);
      });
    } finally {
      await proxy.stop();
      await echo.close();
    }
  });
}
