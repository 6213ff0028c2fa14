import assert from "node:assert/strict";
import { FileWatch } from "../../src/cli/file_watch.ts";
import { withFolder } from "./support.ts";

const NEVER_MS = 3_600_000;

Deno.test("file watch: what can't be read is told once, and again once it could be meanwhile", async () => {
  await withFolder(async (folder) => {
    const [certFile, keyFile] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    const write = async (text: string) => {
      await Deno.writeTextFile(certFile, text);
      await Deno.writeTextFile(keyFile, text);
    };
    const told: string[] = [];
    const watch = new FileWatch({
      files: [certFile, keyFile],
      subject: `${certFile} with ${keyFile}`,
      old: "the old pair",
      intervalMs: NEVER_MS,
      onChange: ([certPem]) => {
        if (certPem === "bad") throw new Error("unusable");
      },
      onError: (message) => told.push(message.replaceAll(folder, "")),
      onReloaded: () => told.push("reloaded"),
    }, ["old", "old"]);
    try {
      await write("old");
      await watch.check();
      assert.deepEqual(told.splice(0), [], "nothing has changed");
      for (let i = 0; i < 2; i++) {
        await Deno.remove(certFile);
        await watch.check();
        await watch.check();
        const message = "Cannot read /cert.pem: no such file; the old pair stays";
        assert.deepEqual(told.splice(0), [message]);
        await write("old");
        await watch.check();
      }
      await write("bad");
      await watch.check();
      await watch.check();
      const message = "Cannot use /cert.pem with /key.pem: unusable; the old pair stays";
      assert.deepEqual(told.splice(0), [message], "once, until it changes");
      await watch.check(true);
      assert.deepEqual(told.splice(0), [message], "again, for who asks");
      await write("new");
      await watch.check();
      assert.deepEqual(told.splice(0), ["reloaded"]);
      await watch.check(true);
      assert.deepEqual(told, [], "nothing has changed");
    } finally {
      await watch.stop();
    }
  });
});

Deno.test("file watch: once it is stopped, what it was reading comes to nothing, and nobody has to wait", async () => {
  for (const settle of ["resolve", "reject"] as const) {
    const reading = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    const told: string[] = [];
    const watch = new FileWatch({
      files: ["cert.pem"],
      subject: "cert.pem",
      old: "the old one",
      intervalMs: NEVER_MS,
      read: () => {
        begun.resolve();
        return reading.promise;
      },
      onChange: ([text]) => told.push(text),
      onError: (message) => told.push(message),
      onReloaded: () => told.push("reloaded"),
    }, ["old"]);
    const looks = [watch.check(), watch.check(true)];
    await begun.promise;
    const stopped = watch.stop();
    if (settle === "resolve") reading.resolve("new");
    else reading.reject(new Error("gone"));
    await Promise.all([...looks, stopped]);
    assert.deepEqual(told, [], settle);
  }
});
