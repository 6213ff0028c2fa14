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

Deno.test("check: a gateway beside routes is looked at as the proxy would begin with it", () =>
  withFolder(async (folder) => {
    const file = join(folder, "h3ws.yaml");
    const routes = "routes: [{ backend: 'agent://a/b:1' }]\n";
    const told = async (text: string) => {
      await Deno.writeTextFile(file, text);
      const { code, out, err } = await runFor(["check", file]);
      return `${code} ${out}${err}`;
    };
    const user = "auth_username: a, auth_password: b";
    assert.equal(
      await told(`${routes}gateway: { ${user} }\n`),
      `0 ${file} is right: 1 route, 1 backend, 0 other settings, gateway\n`,
    );
    assert.match(await told(`${routes}gateway: {}\n`), /^2 .*:2:10: gateway: has no user: /);
    assert.match(await told(routes), /^2 .*:1:12: routes\[0\]\.backend: is behind agents, /);
    assert.match(
      await told(`listen: ":8443"\nbackend: ws://a\ngateway: { ${user} }\n`),
      /^2 .*:3:10: gateway\.listen_addr: is \S+:8443, where the proxy listens; /,
    );
    // A user may come by the flags of h3ws gateway.
    assert.match(await told("gateway: {}\n"), /^0 .* gateway\n$/);
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
