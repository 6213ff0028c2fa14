import assert from "node:assert/strict";
import { filePorts } from "../../src/proxy/cmux_file.ts";
import { type PortAsk, PortTableError } from "../../src/proxy/cmux_ports.ts";
import { resolve, short } from "./cmux_support.ts";

const WEB: PortAsk = { kind: "container", name: "web", port: 80 };

Deno.test("cmux, port file: it is read again once it has changed, and not before the time", async () => {
  const path = await Deno.makeTempFile();
  const clock = { ms: 0 };
  const failures: unknown[] = [];
  let reads = 0;
  const find = filePorts(path, {
    read: Deno.readTextFile,
    now: () => clock.ms,
    onFailed: (_path, error) => failures.push(error),
    parse: (text) => {
      reads++;
      return JSON.parse(text);
    },
  });
  await Deno.writeTextFile(path, '{"web.80": 1}');
  assert.deepEqual(await Promise.all([find(WEB), find(WEB)]), [1, 1]);
  assert.equal(reads, 1);

  await Deno.writeTextFile(path, '{"web.80": 22}');
  clock.ms = 1999;
  assert.equal(await find(WEB), 1);
  clock.ms = 2000;
  assert.equal(await find(WEB), 22);
  clock.ms = 4000;
  assert.equal(await find(WEB), 22);
  assert.equal(reads, 2);

  // What is broken or gone is told once, and changes nothing.
  await Deno.writeTextFile(path, '{"web.80": "x"}');
  for (clock.ms = 6000; clock.ms <= 8000; clock.ms += 2000) assert.equal(await find(WEB), 22);
  assert.equal(failures.length, 1);
  assert.ok(failures[0] instanceof PortTableError);
  await Deno.remove(path);
  for (clock.ms = 10_000; clock.ms <= 12_000; clock.ms += 2000) assert.equal(await find(WEB), 22);
  assert.equal(failures.length, 2);

  await Deno.writeTextFile(path, '{"web.80": 333}');
  clock.ms = 14_000;
  assert.equal(await find(WEB), 333);
  assert.equal(await find({ ...WEB, port: 81 }), null);
  await Deno.remove(path);
});

Deno.test("cmux, port file: one that never could be read fails each lookup, and is told once", async () => {
  const failures: unknown[] = [];
  const dir = await Deno.makeTempDir();
  const portLookup = filePorts(`${dir}/none.json`, {
    read: Deno.readTextFile,
    onFailed: (_path, error) => failures.push(error),
  });
  for (let i = 0; i < 3; i++) {
    const route = await resolve({ authority: "web.80.localhost" }, { portLookup });
    assert.equal(short(route), "502 port lookup failed");
  }
  assert.equal(failures.length, 1);
  await Deno.remove(dir);
});
