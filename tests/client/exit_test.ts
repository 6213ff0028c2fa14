// What is shared and idle keeps no program from its end.
import assert from "node:assert/strict";
import { startEcho } from "../../src/cli/echo_server.ts";
import { proxyOptions } from "../../src/config/proxy_options.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { runDeno } from "../../scripts/project.ts";
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";

const CONNECT = new URL("../../src/client/connect.ts", import.meta.url).href;

for (const httpVersion of ["2", "3"]) {
  Deno.test(`client: a program that is done ends, with an idle connection of HTTP/${httpVersion}`, async () => {
    const { caPem, certPem, keyPem } = await testCertificates();
    const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
    const proxy = await startProxy(proxyOptions({
      ...{ certPem, keyPem, listen: "127.0.0.1:0" },
      backend: `ws://127.0.0.1:${echo.port}`,
    }));
    const url = `wss://localhost:${proxy.port}/ws`;
    const options = { httpVersion, caCerts: [caPem] };
    const program = `
      import { connectWebSocket } from ${JSON.stringify(CONNECT)};
      const socket = await connectWebSocket("${url}", ${JSON.stringify(options)});
      await socket.send("hello");
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (await socket.receive() !== "hello") throw new Error("no echo");
      const { code } = await socket.close();
      if (code !== 1000) throw new Error("Closed with " + code);
    `;
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(file, program);
      // Less than an idle connection of HTTP/2 lives.
      await within("the program's end", runDeno(["run", "-A", "--unstable-net", file]), 20_000);
      assert.equal(proxy.sessions, 0);
    } finally {
      await Deno.remove(file);
      await proxy.stop();
      await echo.close();
    }
  });
}

Deno.test("client: HTTP/3 without --unstable-net is told, and auto does without it", async () => {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const program = `
    import { connectWebSocket } from ${JSON.stringify(CONNECT)};
    const told = await connectWebSocket("wss://127.0.0.1:1/", { httpVersion: "3" }).catch((e) => e);
    const socket = await connectWebSocket("ws://127.0.0.1:${echo.port}/");
    await socket.close();
    console.log(told.message);
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const said = await within("the program's end", runDeno(["run", "-A", "--no-config", file]));
    const why = "HTTP/3 needs Deno to be run with --unstable-net";
    assert.equal(said, `Cannot open wss://127.0.0.1:1/: ${why}\n`);
  } finally {
    await Deno.remove(file);
    await echo.close();
  }
});
