// The first user story: `h3ws certs`, `h3ws proxy` as a process, Chromium, and a backend that is
// not ours.
import assert from "node:assert/strict";
import { runCli } from "../../support/cli.ts";
import { startForeignBackend } from "../../support/foreign_backend.ts";
import { startProxyProcess } from "../../support/process.ts";
import { until } from "../../support/until.ts";
import { peerTests } from "../peers.ts";
import { startChromium } from "./chromium.ts";

const test = peerTests("H3WS_CHROMIUM");

test("Chromium through the process `h3ws proxy` to a backend that is not ours", async (path) => {
  const folder = await Deno.makeTempDir();
  try {
    const certs = await runCli(["certs", "--dir", folder]);
    assert.equal(certs.code, 0, certs.stderr);
    const spkiHash = /^SPKI hash: (\S+)$/m.exec(certs.stdout)![1];
    await using backend = startForeignBackend();
    await using proxy = await startProxyProcess({
      backendPort: backend.port,
      // The last one counts.
      flags: ["--cert", `${folder}/cert.pem`, "--key", `${folder}/key.pem`, "--drain", "3s"],
    });
    await using chromium = await startChromium({ path, port: proxy.port, spkiHash });
    assert.equal(await chromium.protocol(), "h3");

    const first = await chromium.open("/ws?room=7", ["chat.v1", "chat.v2"]);
    assert.equal((await first.expect("open")).protocol, "chat.v1");
    const { pathname, search } = new URL(backend.requests[0].url);
    assert.equal(pathname + search, "/ws?room=7");
    await first.send("grüße über HTTP/3");
    assert.equal((await first.expect("text")).data, "grüße über HTTP/3");
    const bytes = Uint8Array.from({ length: 1_048_576 }, (_, i) => i * 31 + (i >> 8));
    await first.send(bytes);
    assert.deepEqual(await first.binary(), bytes);
    const opened = await proxy.logged("ws.open");
    assert.deepEqual([opened.http, opened.path, opened.subprotocol], ["3", "/ws", "chat.v1"]);
    assert.equal(opened.authority, `localhost:${proxy.port}`);
    await first.close(4001, "done");
    assert.equal((await first.expect("close")).code, 4001);
    const closed = await proxy.logged("ws.close");
    assert.deepEqual([closed.by, closed.code, closed.reason], ["client", 4001, "done"]);

    const second = await chromium.open();
    await second.expect("open");
    assert.equal(await proxy.metric(`h3ws_proxy_connections_total{http="3"}`), 1);
    proxy.kill("SIGTERM");
    assert.equal((await second.expect("close")).code, 1001);
    const drained = await proxy.logged("ws.close");
    assert.deepEqual([drained.by, drained.code], ["proxy:drain", 1001]);
    assert.equal((await proxy.status).code, 0);
    await until("the backend's closes", () => backend.closes.length === 2);
    assert.deepEqual(backend.closes.map(({ code }) => code), [4001, 1001]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
