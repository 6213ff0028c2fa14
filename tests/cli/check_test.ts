import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../../src/cli/args.ts";
import { TestIo, withFolder } from "./support.ts";

async function runFor(args: string[], env: Record<string, string> = {}) {
  const io = new TestIo(env);
  const code = await run(args, {}, io);
  return { code, out: io.stdout, err: io.stderr };
}

const GOOD: [text: string, summary: string][] = [
  ["", "0 routes, 0 other settings"],
  ["listen: ':8443'\n", "0 routes, 1 other setting"],
  [
    `backend: ws://127.0.0.1:\${PORT}
certificates: [{ cert: a, key: b }, { cert: c, key: d }]
routes:
  - { match: { path: /a } }
  - { match: { path: /b }, backends: [ws://b, ws://c], enabled: false }
  - { match: { path: /c }, backend: ws://b }
cmux: {}
`,
    "3 routes (1 off), 3 backends, 2 certificates, 1 other setting, cmux",
  ],
  ["cmux: { enabled: false }\n", "0 routes, 0 other settings"],
];

Deno.test("check: a file that is right is told in one line, exit code 0", () =>
  withFolder(async (folder) => {
    const file = join(folder, "h3ws.yaml");
    for (const [text, summary] of GOOD) {
      await Deno.writeTextFile(file, text);
      for (const name of [[file], ["--file", file], [`-file=${file}`]]) {
        const args = ["check", ...name, "--files", "off"];
        const want = { code: 0, out: `${file} is right: ${summary}\n`, err: "" };
        assert.deepEqual(await runFor(args, { PORT: "1" }), want);
      }
    }
  }));

Deno.test("check: a file that is wrong is told line by line, exit code 2 as of a start", () =>
  withFolder(async (folder) => {
    const file = join(folder, "h3ws.yaml");
    await Deno.writeTextFile(file, "lisen: x\nkey: ${NONE}\n");
    assert.deepEqual(await runFor(["check", file]), {
      code: 2,
      out: "",
      err: `${file}:1:1: lisen: is not known; did you mean listen?\n` +
        `${file}:2:6: key: "\${NONE}" is not set\n`,
    });
  }));

Deno.test("check: a file that can't be read, and a wrong command line", () =>
  withFolder(async (folder) => {
    const file = join(folder, "none.yaml");
    assert.deepEqual(await runFor(["check", file]), {
      code: 1,
      out: "",
      err: `h3ws: Cannot read ${file}: no such file\n`,
    });
    assert.equal(
      (await runFor(["check", folder])).err,
      `h3ws: Cannot read ${folder}: it is a directory\n`,
    );
    for (const args of [["check", "a", "b"], ["check", "--fil", "a"], ["schema", "x"]]) {
      const { code, out, err } = await runFor(args);
      assert.deepEqual([code, out], [2, ""]);
      assert.match(err, /^h3ws: .+\n$/);
    }
  }));

Deno.test("schema: JSON on stdout", async () => {
  const { code, out, err } = await runFor(["schema"]);
  assert.deepEqual([code, err], [0, ""]);
  const schema = JSON.parse(out);
  assert.equal(schema.title, "h3ws.yaml");
  assert.equal(schema.properties.routes.type, "array");
  assert.ok(out.endsWith("}\n"));
});
