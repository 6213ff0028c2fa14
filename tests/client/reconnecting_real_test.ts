// Against servers that go and come back, over every version, in real time.
import assert from "node:assert/strict";
import { runDeno } from "../../scripts/project.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import { Connections } from "../../src/client/connections.ts";
import { reconnecting } from "../../src/client/reconnecting.ts";
import { proxyOptions } from "../../src/config/proxy_options.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { NetError } from "../../src/net/error.ts";
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import { startTestServer } from "./websocket3_server.ts";

const RECONNECTING = new URL("../../src/client/reconnecting.ts", import.meta.url).href;
const QUICK = { minDelayMs: 5, maxDelayMs: 50 };

for (const httpVersion of ["1.1", "2", "3"] as const) {
  Deno.test(`reconnecting: a server that lost the socket, HTTP/${httpVersion}`, async () => {
    const { caPem, certPem, keyPem } = await testCertificates();
    await using server = await startTestServer();
    const proxy = await startProxy(proxyOptions({
      ...{ certPem, keyPem, listen: "127.0.0.1:0", path: "^/" },
      backend: `ws://127.0.0.1:${server.port}`,
    }));
    const told: string[] = [];
    using connections = new Connections();
    const socket = reconnecting(`wss://localhost:${proxy.port}/echo`, {
      ...{ ...QUICK, httpVersion, connections, caCerts: [caPem] },
      onOpen: ({ http }) => told.push(`open ${http}`),
      onClose: ({ by }) => told.push(`closed by ${by}`),
      resubscribe: (socket) => socket.send("again"),
    });
    await socket.send("first");
    assert.equal(await within("the echo", socket.receive()), "first");
    const reading = socket.receive();
    server.drop();
    assert.equal(await within("the echo", reading), "again");
    await socket.send("second");
    assert.equal(await within("the echo", socket.receive()), "second");
    assert.equal((await socket.close()).code, 1000);
    const open = `open ${httpVersion}`;
    assert.deepEqual(told, [open, "closed by peer", open, "closed by us"]);
    connections.close();
    await proxy.stop();
  });
}

Deno.test("reconnecting: a wait above what a timer takes is a long one", async () => {
  const failed: (number | null)[] = [];
  const first = Promise.withResolvers<void>();
  const socket = reconnecting("ws://127.0.0.1:1/", {
    ...{ minDelayMs: 5e9, maxDelayMs: 6e9, random: () => 1, sendWaitMs: Infinity },
    onClose(_, delayMs) {
      failed.push(delayMs);
      first.resolve();
    },
  });
  const sending = socket.send("some day");
  sending.catch(() => {});
  await within("an attempt that fails", first.promise);
  // A timer that takes no more than 32 bits would fire now.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(failed, [5e9]);
  await socket.close();
  await assert.rejects(sending, { kind: "aborted" });
});

Deno.test("reconnecting: a send that nobody waits for ends no program, whatever becomes of it", async () => {
  const program = `
    import { reconnecting } from ${JSON.stringify(RECONNECTING)};
    const at = "ws://127.0.0.1:1/";
    const late = reconnecting(at, { sendWaitMs: 10, minDelayMs: 60_000, maxDelayMs: 60_000 });
    const down = reconnecting(at, { whenDown: "reject" });
    const full = reconnecting(at, { maxWaitingSends: 1 });
    const over = reconnecting(at);
    for (const socket of [late, down, full, full]) void socket.send("x");
    void over.send("waits, until it is closed");
    await over.close();
    void over.send("behind the end");
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const socket of [late, down, full]) await socket.close();
    console.log("alive");
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    assert.equal(await within("its end", runDeno(["run", "-A", "--no-check", file])), "alive\n");
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("reconnecting: a server that is gone for some attempts, and comes back on its port", async () => {
  const first = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const { port } = first;
  const failed = Promise.withResolvers<void>();
  const socket = reconnecting(`ws://127.0.0.1:${port}`, {
    ...QUICK,
    onClose: ({ error }) => error instanceof NetError && failed.resolve(),
  });
  await socket.send("first");
  assert.equal(await within("the echo", socket.receive()), "first");
  const reading = socket.receive();
  await first.close();
  await within("an attempt that fails", failed.promise);
  const sending = socket.send("second");
  const second = await startEcho({ hostname: "127.0.0.1", port });
  await within("the connection", sending);
  assert.equal(await within("the echo", reading), "second");
  await socket.close();
  await second.close();
});

Deno.test("reconnecting: a program whose socket is closed ends, whatever it waited for", async () => {
  const mod = new URL("../../src/client/reconnecting.ts", import.meta.url);
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const program = `
    import { reconnecting } from "${mod}";
    const open = reconnecting("ws://127.0.0.1:${echo.port}/", { keepalive: { pingIntervalMs: 1e6, pongTimeoutMs: 1e6 } });
    await open.send("hello");
    console.log(await open.receive());
    const failed = Promise.withResolvers();
    const waiting = reconnecting("ws://127.0.0.1:1/", { random: () => 1, minDelayMs: 30_000, onClose: failed.resolve });
    const sending = waiting.send("never").catch(({ kind }) => console.log(kind));
    await failed.promise;
    await Promise.all([open.close(), waiting.close(), sending]);
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const said = runDeno(["run", "-A", "--unstable-net", "--no-config", file]);
    assert.equal(await within("the program's end", said), "hello\naborted\n");
  } finally {
    await Deno.remove(file);
    await echo.close();
  }
});
