// A client that gives its stream no credit: the 200 can't be sent. aioquic, as neither Deno nor
// quiche can be told so.
import assert from "node:assert/strict";
import { testCertificates, withProxy } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import { peerTests } from "./peers.ts";

const CLIENT = new URL("./no_credit_client.py", import.meta.url).pathname;
const test = peerTests("H3WS_PYTHON");

test("aioquic: a client that does not take its answer holds no session and no backend leg", async (python) => {
  const folder = await Deno.makeTempDir();
  try {
    const { caPem } = await testCertificates();
    await Deno.writeTextFile(`${folder}/ca.pem`, caPem);
    await withProxy({ writeTimeoutMs: 1_000, maxSessions: 1 }, async (t) => {
      const child = new Deno.Command(python, {
        args: [CLIENT, String(t.proxy.port), `${folder}/ca.pem`],
        stdin: "piped",
        stderr: "inherit",
      }).spawn();
      try {
        const conn = await t.backend.upgrade();
        await conn.inbox.rest();
        assert.equal(t.seen.opened.length, 0);
        assert.deepEqual(t.seen.failures.map(({ stage }) => stage), ["session"]);
        // There is room for another session, while that client is still connected.
        const { quic } = await t.open();
        quic.close();
      } finally {
        await child.stdin.close();
        await within("the end of aioquic", child.status);
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
