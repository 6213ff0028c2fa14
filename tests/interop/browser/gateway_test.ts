// Chromium with a gateway as its proxy: pages and WebSockets come from the agent's side.
import assert from "node:assert/strict";
import { Users } from "../../../src/tunnel/users.ts";
import { testCertificates } from "../../support/proxy.ts";
import { until } from "../../support/until.ts";
import { LOOPBACK, type TestTunnel, withTunnel } from "../../tunnel/support.ts";
import { peerTests } from "../peers.ts";
import { startChromium } from "./chromium.ts";

const test = peerTests("H3WS_CHROMIUM");

/** A page, 2 MiB for its script to fetch, and an echo. */
function site(request: Request): Response {
  if (request.headers.get("upgrade") === "websocket") {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  }
  const { pathname } = new URL(request.url);
  if (pathname === "/big") return new Response(new Uint8Array(2 << 20).fill(7));
  return new Response("<title>site</title>", { headers: { "content-type": "text/html" } });
}

interface Visit {
  path: string;
  proxyServer: string;
  credentials?: { username: string; password: string };
  tunnel: TestTunnel;
}

/** A page by that scheme, what its script fetches, and its WebSocket. */
async function visit(scheme: "http" | "https", { tunnel, ...options }: Visit) {
  const { certPem, keyPem, spkiHash } = await testCertificates();
  const tls = scheme === "https" ? { cert: certPem, key: keyPem } : {};
  await using server = Deno.serve({ ...LOOPBACK, ...tls, onListen: () => {} }, site);
  const { port } = server.addr;
  const way = scheme === "https" ? "h2" : "h1";
  {
    await using browser = await startChromium({ ...options, way, port, spkiHash });
    assert.equal(await browser.page.title(), "site");
    const size = await browser.page.evaluate(async () => {
      const answers = await Promise.all([1, 2, 3, 4].map(() => fetch("/big")));
      const bodies = await Promise.all(answers.map((answer) => answer.arrayBuffer()));
      return bodies.reduce((sum, { byteLength }) => sum + byteLength, 0);
    });
    assert.equal(size, 4 * (2 << 20));
    const socket = await browser.open();
    await socket.expect("open");
    await socket.send("hello through the tunnel");
    assert.equal((await socket.expect("text")).data, "hello through the tunnel");
    await socket.close(4001, "done");
    assert.equal((await socket.expect("close")).code, 4001);
  }
  // The name went to the agent as it is.
  assert.ok(tunnel.told.lines.includes(`open localhost:${port} one`));
  await until("all is let go", () => tunnel.gateway.clients === 0);
  await until("nothing is left", () => tunnel.gateway.gateway.connections === 0);
}

for (const scheme of ["http", "https"] as const) {
  for (const proxy of ["socks5", "http"] as const) {
    test(`Chromium with the gateway as its ${proxy} proxy: ${scheme} and its WebSocket`, async (path) => {
      await withTunnel({}, async (tunnel) => {
        const { socksPort, httpPort } = tunnel.gateway;
        const port = proxy === "socks5" ? socksPort : httpPort;
        await visit(scheme, { path, proxyServer: `${proxy}://127.0.0.1:${port}`, tunnel });
      });
    });
  }
}

test("Chromium with the mixed port of the gateway, by either scheme", async (path) => {
  await withTunnel({}, async (tunnel) => {
    const { mixedPort } = tunnel.gateway;
    for (const proxy of ["socks5", "http"]) {
      await visit("https", { path, proxyServer: `${proxy}://127.0.0.1:${mixedPort}`, tunnel });
    }
  });
});

/** It leaves while the hash of its password is made, which nobody waits for. */
const leaving = peerTests("H3WS_CHROMIUM", { sanitizeOps: false });

leaving("Chromium is asked for a password, and gets its pages with it", async (path) => {
  const users = new Users([{ name: "bob", password: "pass" }]);
  await withTunnel({ gateway: { http: { listen: LOOPBACK, users } } }, async (tunnel) => {
    const proxyServer = `http://127.0.0.1:${tunnel.gateway.httpPort}`;
    const credentials = { username: "bob", password: "pass" };
    for (const scheme of ["http", "https"] as const) {
      await visit(scheme, { path, proxyServer, credentials, tunnel });
    }
    const wrong = { path, proxyServer, credentials: { ...credentials, password: "no" }, tunnel };
    // An error page of its own stands in its place.
    await assert.rejects(visit("http", wrong));
    assert.match(tunnel.told.lines.join("\n"), /^auth http bob: the username or the password/m);
  });
});
