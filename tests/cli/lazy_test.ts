// Who runs one command loads no other: each takes memory for as long as it runs, and time at the
// start.
import assert from "node:assert/strict";
import { LISTED } from "../../src/cli/listed.ts";
import { loadCommands } from "../../src/cli/main.ts";
import { loadedWith } from "../support/loaded_with.ts";

interface Module {
  dependencies?: { specifier: string; isDynamic?: boolean }[];
}

const isTunnel = (specifier: string) => specifier.includes("/src/tunnel/");
const isPackage = (specifier: string) => specifier.startsWith("npm:");

Deno.test("lazy: the program loads no command before it knows which one is asked for", async () => {
  const loaded = await loadedWith("main.ts");
  const commands = Object.keys(LISTED).map((name) => `/src/cli/${name}.ts`);
  assert.deepEqual(loaded.filter((one) => commands.some((file) => one.endsWith(file))), []);
  // The kinds of flags take the second one.
  assert.deepEqual(loaded.filter(isPackage).map(nameOf).sort(), ["commander", "ipaddr.js"]);
  assert.deepEqual(loaded.filter(isTunnel), []);
  // It would be seen.
  assert.ok((await loadedWith("src/cli/gateway_serve.ts")).some(isTunnel));
});

Deno.test("lazy: each command is loaded by its name", async () => {
  const names = (await loadCommands()).map(({ name }) => name);
  assert.deepEqual(names, Object.keys(LISTED));
});

Deno.test("lazy: what serves loads nothing to write metrics or read a file with before it is asked to", async () => {
  for (const name of ["agent", "gateway", "proxy"]) {
    const loaded = await loadedWith(`src/cli/${name}_serve.ts`);
    assert.deepEqual(loaded.filter((one) => /npm:.*(?:prom-client|yaml|zod|x509)/.test(one)), []);
  }
  // It would be seen.
  assert.ok((await loadedWith("src/config/file.ts")).some((one) => one.includes("yaml")));
});

Deno.test("lazy: a package is loaded through a module of ours, so that a bundle in parts has its names", async () => {
  const { href } = new URL("../../main.ts", import.meta.url);
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", href] })
    .output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  const asked = modules.flatMap(({ dependencies = [] }) => dependencies)
    .filter(({ isDynamic }) => isDynamic)
    .map(({ specifier }) => specifier);
  assert.ok(asked.length > 20);
  assert.deepEqual(asked.filter((specifier) => !/^\.{1,2}\//.test(specifier)), []);
});

/** "npm:commander@15.1.0" is commander. */
function nameOf(specifier: string): string {
  return specifier.replace(/^npm:\/?(.+?)(?:@[^@]*)?$/, "$1");
}
