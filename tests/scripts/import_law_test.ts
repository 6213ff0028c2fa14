import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import plugin, { importFault, ROOMS } from "../../scripts/lint/import_law.ts";

/** The rules that break, in order, with the text that they point at. */
function lint(file: string, source: string): { rule: string; message: string; text: string }[] {
  return Deno.lint.runPlugin(plugin, file, source).map((found) => ({
    rule: found.id,
    message: found.message,
    text: source.slice(...found.range),
  }));
}

Deno.test("importFault: each room may import itself and the rooms above it, none below", () => {
  for (const [i, from] of ROOMS.entries()) {
    for (const [j, to] of ROOMS.entries()) {
      const up = "../".repeat(from.split("/").length);
      const fault = importFault(`src/${from}/a.ts`, `${up}${to}/b.ts`);
      if (j <= i) assert.equal(fault, null, `${from} -> ${to}`);
      else assert.equal(fault, `src/${from} imports from src/${to}, which is below it`);
    }
  }
});

const imports: { file: string; source: string; want: string | null }[] = [
  { file: "src/proxy/a.ts", source: `import "./b.ts";`, want: null },
  { file: "src/proxy/deep/a.ts", source: `import "../b.ts";`, want: null },
  { file: "src/proxy/a.ts", source: `import "../observe/b.ts";`, want: "is below it" },
  { file: "src/proxy/a.ts", source: `import type { B } from "../cli/b.ts";`, want: "is below it" },
  { file: "src/proxy/a.ts", source: `export * from "../cli/b.ts";`, want: "is below it" },
  { file: "src/proxy/a.ts", source: `export { b } from "../cli/b.ts";`, want: "is below it" },
  { file: "src/proxy/a.ts", source: `await import("../cli/b.ts");`, want: "is below it" },
  { file: "src/proxy/a.ts", source: "await import(`../cli/b.ts`);", want: "computed import" },
  { file: "src/proxy/a.ts", source: `type B = import("../cli/b.ts").B;`, want: "is below it" },
  { file: "src/proxy/a.ts", source: `import b = require("../cli/b.ts");`, want: "is below it" },
  { file: "src/proxy/a.ts", source: `import "../protocol/http3/b.ts";`, want: null },
  { file: "src/proxy/a.ts", source: `import "node:net"; import "ws";`, want: null },
  { file: "src/proxy/a.ts", source: `import "../mod.ts";`, want: "no room imports it" },
  { file: "src/proxy/a.ts", source: `import "../../main.ts";`, want: "from outside src/" },
  { file: "src/proxy/a.ts", source: `import "../../tests/b.ts";`, want: "from outside src/" },
  { file: "src/proxy/a.ts", source: `import "../../../b.ts";`, want: "from outside src/" },
  { file: "src/proxy/a.ts", source: `import "../shed/b.ts";`, want: "src/shed is no room" },
  { file: "src/shed/a.ts", source: `import "./b.ts";`, want: "src/shed is no room" },
  { file: "src/cli/a.ts", source: `import m from "../../deno.json" with {};`, want: null },
  {
    file: "src/protocol/http3/a.ts",
    source: `import m from "../../../deno.json" with {};`,
    want: "from outside src/",
  },
  { file: "src/protocol/qpack/a.ts", source: `import "../hpack/b.ts";`, want: null },
  { file: "src/protocol/hpack/a.ts", source: `import "../qpack/b.ts";`, want: "is below it" },
  { file: "src/protocol/wire/a.ts", source: `import "../../net/b.ts";`, want: "is below it" },
  { file: "src/mod.ts", source: `export * from "./cli/b.ts";`, want: null },
  { file: "main.ts", source: `import { run } from "./src/cli/mod.ts";`, want: null },
  { file: "main.ts", source: `import { run } from "./src/net/tcp.ts";`, want: "only from src/cli" },
  { file: "tests/net/a.ts", source: `import "../../src/cli/b.ts";`, want: null },
  { file: "scripts/a.ts", source: `import "../src/cli/b.ts";`, want: null },
];

for (const { file, source, want } of imports) {
  Deno.test(`house/import-law: ${file}: ${source} -> ${want ?? "fine"}`, () => {
    const found = lint(file, source).filter(({ rule }) => rule === "house/import-law");
    if (want === null) return assert.deepEqual(found, []);
    assert.equal(found.length, 1);
    assert.ok(found[0].message.includes(want), found[0].message);
  });
}

const impure: { source: string; want: string[] }[] = [
  { source: `Deno.exit();`, want: ["Deno"] },
  { source: `import "node:fs";`, want: [`import "node:fs";`] },
  { source: `import { z } from "npm:z";`, want: [`import { z } from "npm:z";`] },
  { source: `export * from "ws";`, want: [`export * from "ws";`] },
  { source: `type S = import("node:net").Socket;`, want: [`import("node:net").Socket`] },
  { source: `async function f() {}`, want: ["async function f() {}"] },
  { source: `const f = async () => 1;`, want: ["async () => 1"] },
  { source: `class A { async f() {} }`, want: ["async f() {}"] },
  { source: `async function* f() {}`, want: ["async function* f() {}"] },
  { source: `await f();`, want: ["await f()"] },
  { source: `for await (const x of y) {}`, want: ["for await (const x of y) {}"] },
  { source: `function f(): Promise<void> {}`, want: ["Promise"] },
  { source: `Promise.resolve().then(f);`, want: ["Promise"] },
  { source: `setTimeout(f, 1); clearTimeout(t);`, want: ["setTimeout", "clearTimeout"] },
  { source: `const now = Date.now();`, want: ["Date"] },
  { source: `const now = new Date();`, want: ["Date"] },
  { source: `performance.now();`, want: ["performance"] },
  { source: `const x = Math.random();`, want: ["Math.random"] },
  { source: `const x = Math["random"]();`, want: [`Math["random"]`] },
  { source: `const x = Math[name]();`, want: ["Math[name]"] },
  { source: `const { random } = Math;`, want: ["{ random } = Math"] },
  { source: `crypto.getRandomValues(b);`, want: ["crypto"] },
  { source: `globalThis.crypto;`, want: ["globalThis"] },
  { source: `console.log(1);`, want: ["console"] },
  { source: `f({ crypto });`, want: ["crypto"] },
  { source: `f({ [Date]: 1 });`, want: ["Date"] },
];

for (const { source, want } of impure) {
  Deno.test(`house/pure-protocol refuses: ${source}`, () => {
    const found = lint("src/protocol/wire/a.ts", source);
    assert.deepEqual(found.map(({ rule }) => rule), want.map(() => "house/pure-protocol"));
    assert.deepEqual(found.map(({ text }) => text), want);
    assert.deepEqual(lint("src/net/a.ts", source).filter((f) => f.rule !== "house/import-law"), []);
  });
}

const pure = [
  `import { PeerError } from "./error.ts";`,
  `export function* f() { yield 1; }`,
  `const x = Math.floor(1.5) + Math.imul(2, 3);`,
  `const t = new TextDecoder("utf-8", { fatal: true });`,
  `head.Date = 1; head.console.process(); f({ Date: 1 });`,
  `class A { crypto = 1; process() {} get performance() { return 1; } }`,
  `interface A { Date: string; process(): void }`,
  `export { a as Date } from "./a.ts";`,
];

for (const source of pure) {
  Deno.test(`house/pure-protocol allows: ${source}`, () => {
    assert.deepEqual(lint("src/protocol/wire/a.ts", source), []);
  });
}

Deno.test("the plugin knows a file by its absolute path, as deno lint gives it", () => {
  const file = fileURLToPath(new URL("../../src/protocol/wire/a.ts", import.meta.url));
  assert.equal(lint(file, `Deno.exit();`).length, 1);
  assert.deepEqual(lint("/elsewhere/src/protocol/wire/a.ts", `Deno.exit();`), []);
});
