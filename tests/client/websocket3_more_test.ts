// What WebSocket3 has beside the interface of the WHATWG.
import assert from "node:assert/strict";
import { runDeno } from "../../scripts/project.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import { UpgradeRefused } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { WebSocket3, type WebSocket3Options } from "../../src/client/websocket3.ts";
import { proxyOptions } from "../../src/config/proxy_options.ts";
import { NetError } from "../../src/net/error.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import { startTestServer } from "./websocket3_server.ts";
import { ABNORMAL, closeOf, throwsDom, watch } from "./websocket3_support.ts";

async function withUrl(run: (url: string) => Promise<void>): Promise<void> {
  await using server = await startTestServer();
  await run(`ws://127.0.0.1:${server.port}`);
}

async function closed(ws: WebSocket): Promise<void> {
  const closed = watch(ws).next("close");
  ws.close();
  await closed;
}

for (const httpVersion of ["1.1", "2", "3"] as const) {
  Deno.test(`WebSocket3: http says that it goes by HTTP/${httpVersion}, once it is open`, async () => {
    await using server = await startTestServer();
    const { caPem, certPem, keyPem } = await testCertificates();
    const proxy = await startProxy(proxyOptions({
      ...{ certPem, keyPem, listen: "127.0.0.1:0", path: "^/" },
      backend: `ws://127.0.0.1:${server.port}`,
    }));
    using connections = new Connections();
    const ws = new WebSocket3(`https://localhost:${proxy.port}/echo`, {
      ...{ httpVersion, connections, caCerts: [caPem], protocols: "chat" },
    });
    assert.equal(ws.http, "");
    await watch(ws).next("open");
    assert.deepEqual([ws.http, ws.protocol, ws.url], [
      ...[httpVersion, "chat", `wss://localhost:${proxy.port}/echo`],
    ]);
    await closed(ws);
    connections.close();
    await proxy.stop();
  });
}

Deno.test("WebSocket3: header fields of the options go, and stand above the user of the URL", async () => {
  await withUrl(async (url) => {
    const headers: [string, string][] = [["X-One", "1"], ["Authorization", "Bearer x"]];
    const ws = new WebSocket3(`${url.replace("//", "//a:b@")}/headers`, { headers });
    const { data } = await watch(ws).next("message");
    const got = JSON.parse(data);
    assert.deepEqual([got["x-one"], got.authorization], ["1", "Bearer x"]);
    await closed(ws);
  });
});

Deno.test("WebSocket3: subprotocols in the options are held to the same rules", () => {
  for (const protocols of ["", "a b", ["a", "A"]]) {
    throwsDom("SyntaxError", () => new WebSocket3("ws://127.0.0.1:1/", { protocols }));
  }
});

Deno.test("WebSocket3: permessage-deflate is offered where the options say so", async () => {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const ws = new WebSocket3(`ws://127.0.0.1:${echo.port}/`, { deflate: true });
  await watch(ws).next("open");
  assert.match(ws.extensions, /^permessage-deflate/);
  const coming = watch(ws).next("message");
  ws.send("a".repeat(100_000));
  assert.equal((await coming).data.length, 100_000);
  await closed(ws);
  await echo.close();
});

const WHYS: { name: string; path: string; options: WebSocket3Options; why: RegExp }[] = [
  { name: "a refusal", path: "/refuse", options: {}, why: /the server answered 403 Forbidden; / },
  { name: "a broken rule", path: "/masked", options: {}, why: /mask/i },
  { name: "no Close", path: "/drop", options: {}, why: /without Close|reset/ },
  { name: "no answer", path: "/hang", options: { timeoutMs: 50 }, why: /no answer within 50 ms/ },
  { name: "a wish that can't be", path: "/", options: { httpVersion: "3" }, why: /needs wss: or/ },
  { name: "a fired signal", path: "/", options: { signal: AbortSignal.abort() }, why: /given up/ },
];

for (const { name, path, options, why } of WHYS) {
  Deno.test(`WebSocket3: the event error is an ErrorEvent that says why: ${name}`, async () => {
    await withUrl(async (url) => {
      const { told, next } = watch(new WebSocket3(url + path, options));
      const [error, close] = await Promise.all([next("error"), next("close")]);
      assert.ok(error instanceof ErrorEvent);
      assert.match(error.message, why);
      assert.equal(error.error.message, error.message);
      assert.equal(error.error instanceof UpgradeRefused, path === "/refuse");
      assert.equal(error.error instanceof NetError, /no answer|given/.test(why.source));
      assert.deepEqual(closeOf(close), ABNORMAL);
      assert.deepEqual(told.slice(-2), ["error", "close"]);
    });
  });
}

Deno.test("WebSocket3: a signal that fires while it is opened fails it", async () => {
  await withUrl(async (url) => {
    const controller = new AbortController();
    const { told, next } = watch(new WebSocket3(`${url}/hang`, { signal: controller.signal }));
    const close = next("close");
    controller.abort();
    assert.deepEqual(closeOf(await close), ABNORMAL);
    assert.deepEqual(told, ["error", "close"]);
  });
});

Deno.test("WebSocket3: nobody else can read its messages: it has no other member", () => {
  const ws = new WebSocket3("ws://127.0.0.1:1/");
  assert.deepEqual(Reflect.ownKeys(ws).filter((key) => typeof key === "string"), []);
  const members = Object.getOwnPropertyNames(WebSocket3.prototype).filter((name) =>
    !(name in WebSocket.prototype)
  );
  assert.deepEqual(members, ["http"]);
});

Deno.test("WebSocket3: a program that has closed it ends", async () => {
  await withUrl(async (url) => {
    const mod = new URL("../../src/client/websocket3.ts", import.meta.url);
    const program = `
      import { WebSocket3 } from "${mod}";
      const open = new WebSocket3("${url}/text");
      open.onmessage = ({ data }) => { console.log(data); open.close(); };
      new WebSocket3("${url}/hang").close();
    `;
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(file, program);
      const said = runDeno(["run", "-A", "--unstable-net", "--no-config", file]);
      assert.equal(await within("the program's end", said), "text\n");
    } finally {
      await Deno.remove(file);
    }
  });
});
