// Alt-Svc fields that a server may send to harm: thousands of entries, places that are none, and places
// that do not answer. `auto` opens its sockets by TCP all the same.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { withServer } from "../server/support.ts";
import { within } from "../support/within.ts";

const many = (count: number, entry: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => entry(i)).join(",");

const ROWS: { name: string; value: string }[] = [
  // As many as the 64 KiB of a head let through.
  { name: "9,000 places of what we do not speak", value: many(9_000, () => 'a=":1"') },
  { name: "4,000 hosts of HTTP/3", value: many(4_000, (i) => `h3="h${i}:1"`) },
  { name: "3,000 ports of HTTP/3", value: many(3_000, (i) => `h3=":${1 + i}"`) },
  { name: "ports that are none", value: 'h3=":0", h3=":65536", h3=":99999", h3=":-1", h3=":1e3"' },
  { name: "hosts that are none", value: 'h3="..:443", h3="a..b:1", h3="[::::]:1", h3="-:1"' },
  { name: "a host that nobody can have", value: `h3="${"a".repeat(5_000)}.invalid:443"` },
  {
    name: "times that are none",
    value: `h3=":1"; ma=${"9".repeat(400)}; persist=${"1".repeat(99)}`,
  },
  { name: "4,000 parameters", value: `h3=":1"${"; a=b".repeat(4_000)}` },
  { name: "a quote without an end", value: `h3="${"\\\\".repeat(10_000)}` },
  { name: "blanks and commas", value: `h3=":1"${" ,".repeat(10_000)}${" ".repeat(10_000)}x` },
  { name: "another port of the same host", value: 'h3="127.0.0.1:1"' },
];

for (const { name, value } of ROWS) {
  Deno.test(`client: auto: Alt-Svc with ${name} keeps no socket from opening`, async () => {
    const handler: WebSocketHandler = async (request) => {
      const socket = await request.accept({ headers: { "alt-svc": value } });
      for await (const message of socket) await socket.send(message);
    };
    await withServer({ maxHeaderBytes: 100_000 }, handler, async ({ port, caPem }) => {
      using connections = new Connections({ idleTimeoutMs: 1 });
      for (let i = 0; i < 4; i++) {
        const opening = connectWebSocket(`wss://localhost:${port}/`, {
          ...{ connections, caCerts: [caPem], timeoutMs: 5_000 },
        });
        const socket = await within("a socket", opening);
        assert.notEqual(socket.http, "3");
        await socket.send("hello");
        assert.equal(await socket.receive(), "hello");
        await socket.close();
      }
      assert.ok(connections.size <= 1);
    });
  });
}
