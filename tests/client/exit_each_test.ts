// A program that is done with any part of the client's API ends by itself, at once.
import assert from "node:assert/strict";
import { ROOT } from "../../scripts/project.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { withServer } from "../server/support.ts";
import { within } from "../support/within.ts";

const MOD = new URL("../../src/mod.ts", import.meta.url).href;
const MOST_MS = 2_000;

/** `secure` and `plain` are the URLs of an echo, `trust` has the CA's certificate. */
const PROGRAMS: { name: string; program: string }[] = [
  ...["auto", "1.1", "2", "3"].map((httpVersion) => ({
    name: `connectWebSocket by ${httpVersion}: closed`,
    program:
      `const s = await h3ws.connectWebSocket(secure, { ...trust, httpVersion: "${httpVersion}" });
      await s.send("a"); await s.receive(); await s.ping(); await s.close();`,
  })),
  ...["1.1", "2", "3"].map((httpVersion) => ({
    name: `connectWebSocket by ${httpVersion}: aborted, with keepalive`,
    program: `const s = await h3ws.connectWebSocket(secure, {
        ...trust, httpVersion: "${httpVersion}",
        keepalive: { pingIntervalMs: 60_000, pongTimeoutMs: 60_000 },
      });
      s.abort(); await s.closed;`,
  })),
  {
    name: "connectWebSocket: refused, given up, and where nobody listens",
    program: `await h3ws.connectWebSocket(secure + "refuse", trust).catch(() => {});
      const signal = AbortSignal.abort();
      await h3ws.connectWebSocket(secure, { ...trust, signal }).catch(() => {});
      await h3ws.connectWebSocket("ws://127.0.0.1:1/").catch(() => {});
      await h3ws.connectWebSocket("wss://127.0.0.1:1/", { httpVersion: "3", timeoutMs: 200 })
        .catch(() => {});`,
  },
  {
    name: "Connections: closed with open sockets",
    program: `const connections = new h3ws.Connections();
      for (const httpVersion of ["2", "3"]) {
        await h3ws.connectWebSocket(secure, { ...trust, httpVersion, connections });
      }
      connections.close();`,
  },
  {
    name: "WebSocket3: closed, and one that can't be opened",
    program: `for (const url of [plain, secure, plain + "refuse"]) {
        const ws = new h3ws.WebSocket3(url, trust);
        await new Promise((done) => {
          ws.onopen = () => ws.close();
          ws.onclose = done;
        });
      }`,
  },
  {
    name: "reconnecting: closed while open, and while it waits",
    program: `const one = h3ws.reconnecting(plain);
      await one.send("a"); await one.receive(); await one.close();
      const two = h3ws.reconnecting("ws://127.0.0.1:1/", { minDelayMs: 20_000 });
      await new Promise((done) => setTimeout(done, 200));
      await two.close();`,
  },
  {
    name: "H2Client, H3Client: closed with an open tunnel",
    program: `const { hostname, port } = new URL(secure);
      const fields = [["sec-websocket-version", "13"]];
      const head = { method: "CONNECT", protocol: "websocket", scheme: "https", authority: "localhost",
        path: "/", fields };
      for (const type of [h3ws.H2Client, h3ws.H3Client]) {
        const client = await type.connect({ hostname, port: Number(port), ...trust });
        await client.connect(head);
        client.close();
        await client.closed;
      }`,
  },
];

const handler: WebSocketHandler = async (request) => {
  if (request.path === "/refuse") return request.reject(403);
  const socket = await request.accept();
  for await (const message of socket) await socket.send(message);
};

/** How long the program takes from where it is done to its end. */
async function lingers(program: string): Promise<number> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, `${program}\nconsole.log("done");`);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", `${ROOT}deno.json`, file],
      ...{ cwd: ROOT, stdin: "null", stdout: "piped" },
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    try {
      assert.equal((await within("its last line", reader.read())).value, "done\n");
      const doneMs = performance.now();
      const { code } = await within("its end", child.status);
      assert.equal(code, 0);
      return performance.now() - doneMs;
    } finally {
      await reader.cancel();
    }
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("client: a program that is done ends within two seconds, whatever it has used", async (t) => {
  await withServer({}, handler, async ({ port, plainPort, caPem }) => {
    const given = `import * as h3ws from ${JSON.stringify(MOD)};
      const secure = "wss://localhost:${port}/";
      const plain = "ws://127.0.0.1:${plainPort}/";
      const trust = { caCerts: [${JSON.stringify(caPem)}] };\n`;
    for (const { name, program } of PROGRAMS) {
      await t.step(name, async () => {
        const tookMs = await lingers(given + program);
        assert.ok(tookMs < MOST_MS, `${tookMs} ms`);
      });
    }
  });
});
