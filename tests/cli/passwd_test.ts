import assert from "node:assert/strict";
import { parseUsers } from "../../src/config/users_file.ts";
import { isPassword, parsePasswordHash } from "../../src/tunnel/passwords.ts";
import { runCli, startCli } from "../support/cli.ts";
import { hasTerminals, OnTerminal } from "../support/terminal.ts";

const ignore = !hasTerminals();
const why = ignore ? " (skipped: no Python with terminals)" : "";
const HASH = /\$scrypt\$[^\s"]+/;

async function piped(text: string | Uint8Array, ...args: string[]) {
  await using cli = startCli(["passwd", ...args]);
  await cli.typeBytes(typeof text === "string" ? new TextEncoder().encode(text) : text);
  await cli.endInput();
  const lines: string[] = [];
  for (let line = await cli.line(); line !== null; line = await cli.line()) lines.push(line);
  const { code } = await cli.child.status;
  return { code, out: lines.join("\n") };
}

Deno.test("passwd: a pipe's line becomes a hash, without the line's end", async () => {
  for (const text of ["gehéim", "gehéim\n", "gehéim\r\n"]) {
    const { code, out } = await piped(text);
    assert.equal(code, 0);
    // It is no other then; each look takes a good part of a second.
    assert.ok(await isPassword("gehéim", parsePasswordHash(out)), text);
  }
});

Deno.test("passwd: with a name it is a file of users", async () => {
  const { code, out } = await piped("secret", "ann");
  assert.equal(code, 0);
  const [{ name, passwordHash }, ...others] = parseUsers(out, { file: "users.yaml" });
  assert.deepEqual([name, others.length], ["ann", 0]);
  assert.ok(await isPassword("secret", parsePasswordHash(passwordHash!)));
});

Deno.test("passwd: what can be no password is told, exit code 1", async () => {
  for (const text of ["", "\n", "a\nb\n", "a\0", new Uint8Array([0x61, 0xff]), "x".repeat(5000)]) {
    assert.deepEqual(await piped(text), { code: 1, out: "" });
  }
  const { code, stderr } = await runCli(["passwd"]);
  assert.deepEqual([code, stderr], [1, "h3ws: passwd: the password is empty\n"]);
  const name = await runCli(["passwd", "a@b"]);
  assert.deepEqual([name.code, name.stderr], [
    2,
    'h3ws: --name: "a@b" is not a user\'s name; allowed: 1 to 128 characters without : and @\n',
  ]);
});

Deno.test(`passwd on a terminal: what is typed is not shown, and asked for twice${why}`, {
  ignore,
}, async () => {
  await using terminal = OnTerminal.start(["passwd"]);
  await terminal.shows("Password: ");
  await terminal.type("secretöx\x7f\x7f\r");
  await terminal.shows("The same again: ");
  await terminal.type("secret\r");
  await terminal.shows("$scrypt$");
  assert.equal(await terminal.code(), 0);
  assert.ok(!terminal.raw.includes("secret"));
  const [hash] = HASH.exec(terminal.raw)!;
  assert.ok(await isPassword("secret", parsePasswordHash(hash)));
});

Deno.test(`passwd on a terminal: two different ones, and Ctrl+C${why}`, { ignore }, async () => {
  {
    await using terminal = OnTerminal.start(["passwd"]);
    await terminal.shows("Password: ");
    await terminal.type("one\r");
    await terminal.shows("The same again: ");
    await terminal.type("other\r");
    await terminal.shows("those are two different ones");
    assert.equal(await terminal.code(), 1);
  }
  await using terminal = OnTerminal.start(["passwd"]);
  await terminal.shows("Password: ");
  await terminal.type("secret\x03");
  assert.equal(await terminal.code(), 130);
});
