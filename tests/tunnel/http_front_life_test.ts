// How long what the HTTP proxy of a gateway keeps for a client's next request is of use.
import assert from "node:assert/strict";
import { Users } from "../../src/tunnel/users.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { Raw, withRawTarget } from "./raw.ts";
import { LOOPBACK, withTunnel } from "./support.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/** Asks through a kept connection, and answers for the target. */
async function get(client: Raw, port: number, target: Promise<Raw>): Promise<string> {
  const credentials = `Proxy-Authorization: Basic ${btoa("bob:pw")}`;
  await client.send(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n${credentials}\r\n\r\n`);
  const asked = await target;
  await asked.until("\r\n\r\n");
  await asked.send(OK);
  return await client.until("hi");
}

Deno.test("http front: who is let in anew behind the end of his pass is served by the new one", async () => {
  const bob = { name: "bob", password: "pw" };
  const users = new Users([bob]);
  await withTunnel({ gateway: { http: { listen: LOOPBACK, users } } }, async ({ gateway }) => {
    await withRawTarget(async ({ port, accept }) => {
      using client = await Raw.connect(gateway.httpPort!);
      assert.match(await get(client, port, accept()), /^HTTP\/1.1 200 /);
      users.replace([{ ...bob, limits: { maxConnections: 5 } }]);
      await until("the old connection has ended", () => gateway.gateway.connections === 0);
      assert.match(await get(client, port, accept()), /^HTTP\/1.1 200 /);
    });
  });
});

Deno.test("http front: a client that leaves behind whole answers ends its connection in order", async () => {
  await withTunnel({}, async ({ gateway, told }) => {
    await withRawTarget(async ({ port, accept }) => {
      const client = await Raw.connect(gateway.httpPort!);
      const accepted = accept();
      await get(client, port, accepted);
      client[Symbol.dispose]();
      const target = await accepted;
      assert.equal(await target.rest(), "");
      target[Symbol.dispose]();
      await until("the ends", () => told.lines.filter((line) => /closed/.test(line)).length === 2);
      const ends = told.lines.filter((line) => /closed/.test(line)).sort();
      assert.match(ends[0], /^agent closed client: end of stream/);
      assert.match(ends[1], /^closed client: end of stream/);
    });
  });
});

for (const kind of ["httpPort", "mixedPort"] as const) {
  Deno.test(`http front: drain ends what is only kept, and what is answered says so (${kind})`, async () => {
    await withTunnel({}, async ({ gateway }) => {
      await withRawTarget(async ({ port, accept }) => {
        using idle = await Raw.connect(gateway[kind]!);
        await get(idle, port, accept());
        using busy = await Raw.connect(gateway[kind]!);
        await busy.send(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
        const target = await accept();
        await target.until("\r\n\r\n");
        assert.equal(gateway.gateway.connections, 2);
        const drained = gateway.drain(30_000);
        assert.equal(await idle.rest(), "");
        await until("the kept one has ended", () => gateway.gateway.connections === 1);
        await target.send(OK);
        assert.match(await busy.until("hi"), /^HTTP\/1.1 200 [^]*\r\nconnection: close\r\n/i);
        await within("the drain", drained);
      });
    });
  });
}

Deno.test("http front: a target that does not answer an Upgrade in time is a 504", async () => {
  await withTunnel({ gateway: { handshakeTimeoutMs: 2_000 } }, async ({ gateway, told }) => {
    await withRawTarget(async ({ port, accept }) => {
      using client = await Raw.connect(gateway.httpPort!);
      await client.send(
        `GET ws://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n` +
          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      const target = await accept();
      await target.until("\r\n\r\n");
      assert.match(await client.until("\r\n\r\n"), /^HTTP\/1.1 504 /);
      assert.equal(await target.rest(), "");
      await until("the end", () => gateway.gateway.connections === 0);
      assert.match(told.lines.join("\n"), /^closed us: no answer within 2000 ms 0\/0$/m);
    });
  });
});
