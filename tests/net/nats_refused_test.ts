// A server of NATS that refuses whoever comes, and resets.
import assert from "node:assert/strict";
import * as net from "node:net";
import { Nats } from "../../src/net/nats.ts";
import { until } from "../support/until.ts";

const INFO = {
  ...{ server_id: "a", server_name: "a", version: "2.9.25", proto: 1, host: "127.0.0.1", port: 1 },
  ...{ headers: true, max_payload: 1 << 20, auth_required: true },
};

Deno.test("NATS: a login that is refused by a reset is told, however often, and ends nothing else", async () => {
  let refused = 0;
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
    socket.once("data", () => {
      refused++;
      socket.write("-ERR 'Authorization Violation'\r\n", () => socket.resetAndDestroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const told: string[] = [];
  const all = Array.from({ length: 50 }, () =>
    new Nats({
      ...{ urls: [new URL(`nats://127.0.0.1:${port}`)], name: "test", subjects: ["a"] },
      ...{ onMessage: () => {}, onBug: (error) => assert.fail(String(error)), onJoined: () => {} },
      onLost: (reason) => void told.push(reason),
    }));
  await until("refusals", () => refused >= 150 && told.length >= all.length);
  assert.ok(
    told.every((reason) => /Authorization Violation|ECONNRESET|lost/i.test(reason)),
    told[0],
  );
  await Promise.all(all.map((one) => one.close()));
  await new Promise((resolve) => server.close(resolve));
});
