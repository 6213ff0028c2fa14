import assert from "node:assert/strict";
import { CommandError } from "../../src/cli/command.ts";
import { MAX_FILE_BYTES, readBytes, type ReadOptions, readText } from "../../src/cli/files.ts";
import { withFolder } from "./support.ts";

const ignore = Deno.build.os === "windows";

async function makePipe(file: string): Promise<void> {
  const { success } = await new Deno.Command("mkfifo", { args: [file] }).output();
  assert.ok(success);
}

async function problemOf(file: string, options?: ReadOptions): Promise<string> {
  try {
    return `${(await readBytes(file, options)).length} bytes`;
  } catch (error) {
    return (error as Error).message;
  }
}

Deno.test("files: up to 1 MiB is read, whatever its size was said to be", () =>
  withFolder(async (folder) => {
    const file = `${folder}/file`;
    for (const size of [0, 1, 4096, 4097, 4098, 100_000, MAX_FILE_BYTES]) {
      const bytes = Uint8Array.from({ length: size }, (_, i) => i);
      await Deno.writeFile(file, bytes);
      assert.deepEqual(await readBytes(file, { regular: true }), bytes, `${size}`);
    }
    await Deno.truncate(file, MAX_FILE_BYTES + 1);
    assert.equal(await problemOf(file), "it is larger than 1 MiB");
    await assert.rejects(readText(file), (error) => {
      assert.ok(error instanceof CommandError);
      assert.equal(error.message, `Cannot read ${file}: it is larger than 1 MiB`);
      return true;
    });
    assert.equal(await problemOf(folder), "it is a directory");
  }));

Deno.test("files: what has no size beforehand is read to its end, or to 1 MiB", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  assert.equal(await readText("/proc/self/cmdline"), Deno.readTextFileSync("/proc/self/cmdline"));
  assert.equal(await readText("/proc/self/maps").then((text) => text.endsWith("\n")), true);
  assert.equal(await problemOf("/dev/zero"), "it is larger than 1 MiB");
  assert.equal(await problemOf("/dev/zero", { regular: true }), "it is not a regular file");
  assert.equal(await problemOf("/dev/null"), "0 bytes");
});

Deno.test("files: a pipe is read where it may be one, and else refused without waiting for it", {
  ignore,
}, () =>
  withFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    await makePipe(pipe);
    assert.equal(await problemOf(pipe, { regular: true }), "it is not a regular file");
    const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i);
    const [read] = await Promise.all([readBytes(pipe), Deno.writeFile(pipe, bytes)]);
    assert.deepEqual(read, bytes);
  }));
