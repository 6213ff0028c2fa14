// Headless Chromium, over real UDP, through the proxy to npm:ws.
import assert from "node:assert/strict";
import { peerTests } from "../peers.ts";
import { startChromium } from "./chromium.ts";
import { browserFlows } from "./flows.ts";
import { withBrowser } from "./with_browser.ts";

const test = peerTests("H3WS_CHROMIUM");

test("Chromium: a page and its WebSocket over one HTTP/3 connection", async (path) => {
  await withBrowser({ path, start: startChromium, way: "h3" }, async (t) => {
    assert.equal(await t.browser.protocol(), "h3");
    const { socket, peer } = await t.open();
    await socket.send("hello over HTTP/3");
    assert.equal(await peer.message(), "hello over HTTP/3");
    peer.socket.send("hello back");
    assert.equal((await socket.expect("text")).data, "hello back");
    assert.equal(await t.metric("active_sessions"), 1);
    assert.equal(await t.metric(`connections_total{http="3"}`), 1);
    assert.equal(await t.metric(`connections_total{http="2"}`), 0);
    assert.equal(await t.metric(`connections_total{http="1.1"}`), 0);
    assert.equal(peer.request.headers.via, "3 h3ws");
    assert.equal(peer.request.headers.origin, `https://localhost:${t.serving.proxy.port}`);
    assert.match(peer.request.headers["user-agent"] ?? "", /Chrome/);
    const { port } = t.serving.proxy;
    await assert.rejects(
      () => Deno.connect({ hostname: "127.0.0.1", port }),
      Deno.errors.ConnectionRefused,
      "nobody listens on TCP",
    );
  });
});

browserFlows({ name: "Chromium", test, start: startChromium, way: "h3", which: "all" });
