// Chromium and Firefox, headless, with `serve` in this process: its page, and its handlers.
import assert from "node:assert/strict";
import type { DeflateWishes } from "../../../src/mod.ts";
import type { WebSocketHandler } from "../../../src/server/exchange.ts";
import { echo, withServer } from "../../server/support.ts";
import { peerTests } from "../peers.ts";
import { startChromium } from "./chromium.ts";
import { startFirefox } from "./firefox.ts";
import { LABELS, random, text } from "./flows.ts";
import { type ServerFlow, serverFlows } from "./server_flows.ts";
import { doorOf, originOf, pages, withServerPage } from "./server_page.ts";
import { streamFlows } from "./stream_flows.ts";
import type { Visitor } from "./with_browser.ts";

const MIB = 1024 * 1024;

type Tester = Omit<Visitor, "path"> & { name: string; test: ReturnType<typeof peerTests> };

const CHROMIUM = { name: "Chromium", test: peerTests("H3WS_CHROMIUM"), start: startChromium };
const FIREFOX = { name: "Firefox", test: peerTests("H3WS_FIREFOX"), start: startFirefox };

const CHROMIUMS: readonly Tester[] = (["h3", "h2", "h1s"] as const).map((way) => ({
  ...CHROMIUM,
  way,
}));
const FIREFOXES: readonly Tester[] = (["h2", "h1"] as const).map((way) => ({ ...FIREFOX, way }));

/** What the steps share, a browser, is looked at behind the last of them. */
const SHARED = { sanitizeOps: false, sanitizeResources: false } as const;

/** All on one page, in their order. */
async function runFlows(visitor: Visitor, flows: readonly ServerFlow[], t: Deno.TestContext) {
  const handler: WebSocketHandler = (request) => {
    return flows[Number(request.path.slice(1))].handler(request);
  };
  await withServerPage({ ...visitor, handler }, async (page) => {
    for (const [i, { name, run }] of flows.entries()) {
      await t.step({ name, fn: () => run(page, `/${i}`), ...SHARED });
    }
  });
}

/** RFC 7692: a browser inflates what we deflate, and the other way round. */
async function deflated(visitor: Visitor, permessageDeflate: true | DeflateWishes): Promise<void> {
  const extensions: string[] = [];
  const handler: WebSocketHandler = async (request) => {
    const socket = await request.accept();
    extensions.push(socket.extensions);
    for await (const message of socket) await socket.send(message);
  };
  const options = { permessageDeflate };
  await withServerPage({ ...visitor, options, handler }, async ({ browser }) => {
    const socket = await browser.open("/");
    const { extensions: seen } = await socket.expect("open");
    assert.match(seen, /^permessage-deflate\b/);
    assert.match(extensions[0], /^permessage-deflate\b/);
    // Again and again: where the context is kept, each is deflated by what the last left behind.
    for (const length of [1, 1023, 1024, 70_000, MIB, 70_000]) {
      const message = text(length, 1);
      await socket.send(message);
      assert.ok((await socket.expect("text")).data === message, `text of ${length} bytes`);
      const bytes = random(length);
      await socket.send(bytes);
      assert.deepEqual(await socket.binary(), bytes);
    }
    await socket.close(1000, "");
    assert.equal((await socket.expect("close")).code, 1000);
  });
}

/** A page may come from one server and open sockets to another, where that allows its origin. */
async function origins(visitor: Visitor): Promise<void> {
  const { way } = visitor;
  const asked: (string | null)[][] = [];
  const handler: WebSocketHandler = async (request) => {
    asked.push([request.httpVersion, request.headers.get("origin")]);
    await echo(request);
  };
  // Whom a server allows it must know before it has a port: it can't be a page of its own.
  const options = { allowedOrigins: ["https://elsewhere.example"] };
  await withServer({ ...doorOf(way), fetch: pages, ...options }, handler, async (strict) => {
    const otherPorts = [way === "h1" ? strict.plainPort : strict.port];
    const visited = { allowedOrigins: [originOf(strict, way).toUpperCase()] };
    await withServerPage({ ...visitor, handler, options: visited, otherPorts }, async (t) => {
      const { browser, origin } = t;
      const own = await browser.open("/");
      await own.expect("error");
      assert.equal((await own.expect("close")).code, 1006);
      assert.deepEqual([t.rejections, strict.rejections], [[["origin", 403]], []]);
      // A socket goes over HTTP/2 and HTTP/3 only after a request.
      const visitedFrom = originOf(strict, way);
      await browser.page.goto(`${visitedFrom}/healthz`);
      const refused = await browser.open("/");
      await refused.expect("error");
      assert.deepEqual(strict.rejections, [["origin", 403]]);
      assert.deepEqual(asked, [], "no handler is asked");
      await browser.page.evaluate(
        (url) => fetch(url, { mode: "no-cors" }).then(() => {}),
        `${origin}/healthz`,
      );
      const allowed = await t.open(`${origin.replace(/^http/, "ws")}/`);
      assert.deepEqual(asked, [[LABELS[way], visitedFrom]]);
      await allowed.send("from elsewhere");
      assert.equal((await allowed.expect("text")).data, "from elsewhere");
      await browser.page.goto("about:blank");
    });
  });
}

for (const { name, test, ...visitor } of [...CHROMIUMS, ...FIREFOXES]) {
  const over = `${name} over HTTP/${LABELS[visitor.way]}`;

  test(`${over}: a page of serve's, and its handlers`, async (path, t) => {
    await runFlows({ ...visitor, path }, serverFlows(), t);
  });

  test(`${over}: permessage-deflate, taken by serve`, async (path) => {
    await deflated({ ...visitor, path }, true);
  });

  test(`${over}: allowedOrigins of serve: a page elsewhere may open sockets, no other`, async (path) => {
    await origins({ ...visitor, path });
  });
}

for (const { name, test, ...visitor } of CHROMIUMS) {
  const over = `${name} over HTTP/${LABELS[visitor.way]}`;

  test(`${over}: backpressure between a page and handlers of serve's`, async (path, t) => {
    await runFlows({ ...visitor, path }, streamFlows(), t);
  });

  test(`${over}: permessage-deflate with contexts that are kept`, async (path) => {
    const wishes = { serverNoContextTakeover: false, clientNoContextTakeover: false };
    await deflated({ ...visitor, path }, wishes);
  });
}
