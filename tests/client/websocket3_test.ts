// The rules of https://websockets.spec.whatwg.org/ as tables, after the cases of web-platform-tests'
// websockets/ that need no page. The same tables are run against the WebSocket that Deno has, which
// tells whether they are right; where it differs from the standard a case says so.
import { Connections } from "../../src/client/connections.ts";
import { WebSocket3, type WebSocket3Options } from "../../src/client/websocket3.ts";
import { proxyOptions } from "../../src/config/proxy_options.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { testCertificates } from "../support/proxy.ts";
import { CLOSE_CASES } from "./websocket3_close_cases.ts";
import { CONSTRUCTOR_CASES } from "./websocket3_constructor_cases.ts";
import { EVENT_CASES } from "./websocket3_event_cases.ts";
import { INTERFACE_CASES } from "./websocket3_interface_cases.ts";
import { SEND_CASES } from "./websocket3_send_cases.ts";
import { startTestServer } from "./websocket3_server.ts";
import { type Case, type WebSocketClass, withGiven } from "./websocket3_support.ts";
import { WPT_CASES } from "./websocket3_wpt_cases.ts";

const TABLES: Readonly<Record<string, readonly Case[]>> = {
  constructor: CONSTRUCTOR_CASES,
  interface: INTERFACE_CASES,
  events: EVENT_CASES,
  send: SEND_CASES,
  close: CLOSE_CASES,
  others: WPT_CASES,
};

for (const [table, cases] of Object.entries(TABLES)) {
  Deno.test(`WebSocket3: ${table}, HTTP/1.1`, async (t) => {
    await using server = await startTestServer();
    const world = { WebSocket: WebSocket3, origin: `ws://127.0.0.1:${server.port}`, server };
    for (const { name, run } of cases) await t.step(name, () => withGiven(world, run));
  });

  Deno.test(`WebSocket of Deno: ${table}`, async (t) => {
    await using server = await startTestServer();
    const world = { WebSocket, origin: `ws://127.0.0.1:${server.port}`, server };
    for (const { name, run, deno } of cases) {
      const ignore = deno !== undefined;
      await t.step({
        name: ignore ? `${name} (Deno ${deno})` : name,
        ignore,
        fn: () => withGiven(world, run),
      });
    }
  });

  for (const httpVersion of ["2", "3"] as const) {
    Deno.test(`WebSocket3: ${table}, HTTP/${httpVersion}`, async (t) => {
      await using server = await startTestServer();
      const { caPem, certPem, keyPem } = await testCertificates();
      const proxy = await startProxy(proxyOptions({
        ...{ certPem, keyPem, listen: "127.0.0.1:0", path: "^/" },
        backend: `ws://127.0.0.1:${server.port}`,
      }));
      using connections = new Connections();
      const world = {
        WebSocket: by({ httpVersion, connections, caCerts: [caPem] }),
        origin: `wss://localhost:${proxy.port}`,
        server,
      };
      for (const { name, run, direct = false } of cases) {
        if (!direct) await t.step(name, () => withGiven(world, run));
      }
      connections.close();
      await proxy.stop();
    });
  }
}

/** The class with these options. */
function by(options: WebSocket3Options): WebSocketClass {
  return new Proxy(WebSocket3, {
    construct(target, args) {
      if (args.length === 0) return Reflect.construct(target, args);
      const [url, protocols = []] = args;
      return new target(url, { ...options, protocols });
    },
  });
}
