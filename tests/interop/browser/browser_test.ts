// Headless Chromium, over real UDP, through the proxy to npm:ws.
import assert from "node:assert/strict";
import { readProxyConfig } from "../../../src/config/proxy.ts";
import { serve, type Serving } from "../../../src/cli/serve.ts";
// @ts-types="@types/ws"
import type { ServerOptions } from "ws";
import { metric } from "../../support/process.ts";
import { testCertificates } from "../../support/proxy.ts";
import { until } from "../../support/until.ts";
import { within } from "../../support/within.ts";
import { WsBackend, type WsPeer } from "../../support/ws_backend.ts";
import { peerTests } from "../peers.ts";
import { Chromium, type PageSocket } from "./chromium.ts";

const test = peerTests("H3WS_CHROMIUM");
const MIB = 1024 * 1024;

interface BrowserTest {
  chromium: Chromium;
  backend: WsBackend;
  serving: Serving;
  /** One number of /metrics, without the prefix of its name. */
  metric(series: string): Promise<number>;
  /** A socket that is open at both of its ends. */
  open(protocols?: string[]): Promise<{ socket: PageSocket; peer: WsPeer; extensions: string }>;
}

/** Runs `body` with a page that came over HTTP/3, on all that `h3ws proxy` starts. */
async function withBrowser(
  path: string,
  options: { flags?: Record<string, string>; backend?: ServerOptions },
  body: (t: BrowserTest) => Promise<void>,
): Promise<void> {
  await using backend = await WsBackend.listen(options.backend);
  const pair = await testCertificates();
  const config = readProxyConfig({
    ...{ listen: "127.0.0.1:0", metrics: "127.0.0.1:0", "log-level": "warning" },
    backend: `ws://127.0.0.1:${backend.port}`,
    ...options.flags,
  });
  const serving = await serve(config, { pair });
  try {
    const { port } = serving.proxy;
    await using chromium = await Chromium.start({ path, port, spkiHash: pair.spkiHash });
    await body({
      ...{ chromium, backend, serving },
      metric: (series) => metric(`http://${serving.metrics}`, `h3ws_proxy_${series}`),
      async open(protocols) {
        const socket = await chromium.open("/ws", protocols);
        const { extensions } = await socket.expect("open");
        return { socket, peer: await backend.accept(), extensions };
      },
    });
    // Chromium does not take leave when it ends, but a page does.
    if (!chromium.page.isClosed()) await chromium.page.close();
    await until("the end of all sessions", () => serving.proxy.sessions === 0);
  } finally {
    await serving.drain(0);
  }
}

/** UTF-8 of one to four bytes a character, `length` bytes in all. */
function text(length: number, seed: number): string {
  const unit = `${seed} aé€😀`;
  const size = new TextEncoder().encode(unit).length;
  return unit.repeat(Math.floor(length / size)) + "x".repeat(length % size);
}

/** Bytes that no compression makes smaller. */
function random(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

test("Chromium: a page and its WebSocket over one HTTP/3 connection", async (path) => {
  await withBrowser(path, {}, async (t) => {
    assert.equal(await t.chromium.protocol(), "h3");
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

test("Chromium: text and binary of 1 MiB both ways", async (path) => {
  await withBrowser(path, {}, async (t) => {
    const { socket, peer, extensions } = await t.open();
    assert.equal(extensions, "");
    const [up, down] = [text(MIB, 1), text(MIB, 2)];
    await socket.send(up);
    assert.ok(await peer.message() === up, "text to the backend");
    peer.socket.send(down);
    assert.ok((await socket.expect("text")).data === down, "text to the page");
    const [upBytes, downBytes] = [random(MIB), random(MIB)];
    await socket.send(upBytes);
    assert.deepEqual(await peer.message(), upBytes);
    peer.socket.send(downBytes);
    assert.deepEqual(await socket.binary(), downBytes);
    // Both at once.
    peer.socket.send(upBytes);
    await socket.send(downBytes);
    assert.deepEqual(await peer.message(), downBytes);
    assert.deepEqual(await socket.binary(), upBytes);
  });
});

test("Chromium: the backend's choice of a subprotocol, and none", async (path) => {
  const offers: string[][] = [];
  const handleProtocols = (offered: Set<string>) => {
    offers.push([...offered]);
    return offered.has("chat.v1") ? "chat.v1" : false;
  };
  await withBrowser(path, { backend: { handleProtocols } }, async (t) => {
    const chosen = await t.chromium.open("/ws", ["chat.v2", "chat.v1"]);
    assert.equal((await chosen.expect("open")).protocol, "chat.v1");
    const none = await t.chromium.open("/ws");
    assert.equal((await none.expect("open")).protocol, "");
    assert.deepEqual(offers, [["chat.v2", "chat.v1"]]);
    // RFC 6455 §4.1: the backend took none of what was offered, which a browser fails.
    const refused = await t.chromium.open("/ws", ["other"]);
    await refused.expect("error");
    assert.equal((await refused.expect("close")).code, 1006);
  });
});

test("Chromium: permessage-deflate end to end (RFC 7692)", async (path) => {
  const backend = { perMessageDeflate: { threshold: 0 } };
  await withBrowser(path, { backend }, async (t) => {
    const { socket, peer, extensions } = await t.open();
    assert.match(extensions, /^permessage-deflate\b/);
    assert.match(peer.socket.extensions, /^permessage-deflate\b/);
    // Twice: the second is compressed by what the first left behind.
    for (const seed of [1, 2]) {
      const message = text(MIB, seed);
      await socket.send(message);
      assert.ok(await peer.message() === message, "text to the backend");
      peer.socket.send(message);
      assert.ok((await socket.expect("text")).data === message, "text to the page");
    }
    const bytes = random(MIB / 2);
    await socket.send(bytes);
    assert.deepEqual(await peer.message(), bytes);
    peer.socket.send(bytes);
    assert.deepEqual(await socket.binary(), bytes);
    for (const dir of ["h3_to_h1", "h1_to_h3"]) {
      const passed = await t.metric(`bytes_total{dir="${dir}"}`);
      assert.ok(passed > MIB / 2 && passed < MIB, `${passed} bytes ${dir} for 2.5 MiB`);
    }
  });
});

test("Chromium: close code 4001 from the page", async (path) => {
  await withBrowser(path, {}, async (t) => {
    const { socket, peer } = await t.open();
    await socket.close(4001, "grüße");
    const { code, reason, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, reason, wasClean }, { code: 4001, reason: "grüße", wasClean: true });
    const closed = await within("the close at the backend", peer.closed);
    assert.deepEqual(closed, { code: 4001, reason: "grüße" });
    await until("its record", async () => {
      return await t.metric(`closes_total{code="4xxx",by="client"}`) === 1;
    });
  });
});

test("Chromium: close code 4001 from the backend", async (path) => {
  await withBrowser(path, {}, async (t) => {
    const { socket, peer } = await t.open();
    peer.socket.close(4001, "grüße");
    const { code, reason, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, reason, wasClean }, { code: 4001, reason: "grüße", wasClean: true });
    assert.equal((await within("the close at the backend", peer.closed)).code, 4001);
    await until("its record", async () => {
      return await t.metric(`closes_total{code="4xxx",by="backend"}`) === 1;
    });
  });
});

test("Chromium: a page that is closed ends its session at once", async (path) => {
  await withBrowser(path, {}, async (t) => {
    const { peer } = await t.open();
    await t.chromium.page.close();
    assert.equal((await within("the close at the backend", peer.closed)).code, 1001);
  });
});

test("Chromium: five sockets at once on one connection", async (path) => {
  await withBrowser(path, {}, async (t) => {
    const sockets = await Promise.all([1, 2, 3, 4, 5].map((n) => t.chromium.open(`/ws?n=${n}`)));
    const peers: WsPeer[] = [];
    for (const socket of sockets) {
      await socket.expect("open");
      peers.push(await t.backend.accept());
    }
    assert.equal(await t.metric("active_sessions"), 5);
    const all = [1, 2, 3, 4, 5].map((n) => `/ws?n=${n}`);
    assert.deepEqual(peers.map(({ request }) => request.url).sort(), all);
    for (const peer of peers) peer.socket.on("message", () => peer.socket.send(peer.request.url!));
    await Promise.all(sockets.map((socket) => socket.send("who are you")));
    const answers = await Promise.all(sockets.map((socket) => socket.expect("text")));
    assert.deepEqual(answers.map(({ data }) => data), all, "each has its own backend");
    assert.equal(await t.metric(`connections_total{http="3"}`), 1);
    for (const socket of sockets) await socket.close(1000, "");
    for (const socket of sockets) assert.equal((await socket.expect("close")).code, 1000);
  });
});

test("Chromium: the backend refuses with 403: error, close 1006", async (path) => {
  const verifyClient: ServerOptions["verifyClient"] = (_info, done) => done(false, 403, "no");
  await withBrowser(path, { backend: { verifyClient } }, async (t) => {
    const socket = await t.chromium.open();
    await socket.expect("error");
    const { code, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, wasClean }, { code: 1006, wasClean: false });
    assert.equal(await t.metric(`rejected_total{reason="backend"}`), 1);
    assert.equal(await t.metric("accepted_total"), 0);
  });
});

test("Chromium: a backend that drops TCP: close 1011", async (path) => {
  await withBrowser(path, {}, async (t) => {
    const { socket, peer } = await t.open();
    peer.socket.terminate();
    assert.equal((await socket.expect("close")).code, 1011);
  });
});

test("Chromium: a message above --max-message: close 1009 at both ends", async (path) => {
  await withBrowser(path, { flags: { "max-message": "64KiB" } }, async (t) => {
    const { socket, peer } = await t.open();
    await socket.send(random(65_536));
    assert.equal((await peer.message()).length, 65_536);
    await socket.send(random(65_537));
    assert.equal((await socket.expect("close")).code, 1009);
    assert.equal((await within("the close at the backend", peer.closed)).code, 1009);
  });
});

test("Chromium: a drain of the proxy: close 1001, and no new socket", async (path) => {
  await withBrowser(path, {}, async (t) => {
    const { socket, peer } = await t.open();
    const drained = t.serving.drain(4_000);
    const { code, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, wasClean }, { code: 1001, wasClean: true });
    assert.equal((await within("the close at the backend", peer.closed)).code, 1001);
    await drained;
    const late = await t.chromium.open();
    await late.expect("error");
    assert.equal((await late.expect("close")).code, 1006);
  });
});
