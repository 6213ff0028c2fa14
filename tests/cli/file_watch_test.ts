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
