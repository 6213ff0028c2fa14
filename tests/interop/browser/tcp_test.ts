// Chromium and Firefox over TCP, headless, through the proxy to npm:ws: HTTP/2 (RFC 8441), HTTP/1.1
// over TLS, and `ws://` in clear text.
import assert from "node:assert/strict";
import { peerTests } from "../peers.ts";
import type { Way } from "./browser.ts";
import { startChromium } from "./chromium.ts";
import { startFirefox } from "./firefox.ts";
import { browserFlows, LABELS } from "./flows.ts";
import { type Visitor, withBrowser } from "./with_browser.ts";

const CHROMIUM = { name: "Chromium", test: peerTests("H3WS_CHROMIUM"), start: startChromium };
const FIREFOX = { name: "Firefox", test: peerTests("H3WS_FIREFOX"), start: startFirefox };

/** The ALPN token of the page, as the browser tells it. */
const PAGES: Record<Exclude<Way, "h3">, string> = { h2: "h2", h1s: "http/1.1", h1: "http/1.1" };

/** The page and its socket, each by that version and no other. */
async function page(visitor: Visitor): Promise<void> {
  const { way } = visitor;
  await withBrowser(visitor, async (t) => {
    assert.equal(await t.browser.protocol(), PAGES[way as keyof typeof PAGES]);
    const { socket, peer } = await t.open();
    await socket.send("hello over TCP");
    assert.equal(await peer.message(), "hello over TCP");
    peer.socket.send("hello back");
    assert.equal((await socket.expect("text")).data, "hello back");
    assert.equal(peer.request.headers.via, `${LABELS[way]} h3ws`);
    const { port, plainPort } = t.serving.proxy;
    const origin = way === "h1" ? `http://localhost:${plainPort}` : `https://localhost:${port}`;
    assert.equal(peer.request.headers.origin, origin);
    for (const http of ["1.1", "2", "3"]) {
      const connections = await t.metric(`connections_total{http="${http}"}`);
      assert.equal(connections > 0, http === LABELS[way], `${connections} of HTTP/${http}`);
    }
  });
}

for (const { name, test, start } of [CHROMIUM, FIREFOX]) {
  for (const way of ["h2", "h1s", "h1"] as const) {
    test(`${name} by ${way}: a page and its WebSocket`, (path) => page({ path, start, way }));
  }
}

browserFlows({ ...CHROMIUM, way: "h2", which: "all" });
browserFlows({ ...CHROMIUM, way: "h1", which: "essential" });
browserFlows({ ...FIREFOX, way: "h2", which: "essential" });
