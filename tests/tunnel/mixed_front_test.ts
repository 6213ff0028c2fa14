// One port for SOCKS5 and HTTP.
import assert from "node:assert/strict";
import { Users } from "../../src/tunnel/users.ts";
import { until } from "../support/until.ts";
import { curl } from "./curl.ts";
import { Raw, withRawTarget } from "./raw.ts";
import { LOOPBACK, withTunnel } from "./support.ts";
import { Association, udpEcho } from "./udp.ts";

Deno.test("mixed front: curl by socks5h and by http, with a password", async () => {
  const users = new Users([{ name: "bob", password: "pass" }]);
  const mixed = { listen: LOOPBACK, users };
  await withTunnel({ gateway: { mixed } }, async ({ gateway }) => {
    await using server = Deno.serve({ ...LOOPBACK, onListen: () => {} }, () => new Response("hi"));
    const url = `http://localhost:${server.addr.port}/`;
    for (const scheme of ["socks5h", "http"]) {
      const proxy = ["-x", `${scheme}://127.0.0.1:${gateway.mixedPort}`];
      const right = await curl(...proxy, "--proxy-user", "bob:pass", url);
      assert.deepEqual(right, { code: 0, stdout: "hi", stderr: "" }, scheme);
      const wrong = await curl(...proxy, "-f", "--proxy-user", "bob:no", url);
      assert.notEqual(wrong.code, 0, scheme);
    }
    await until("the end", () => gateway.gateway.connections === 0 && gateway.clients === 0);
  });
});

Deno.test("mixed front: UDP ASSOCIATE, and a first byte that comes alone", async () => {
  const echo = udpEcho();
  try {
    await withTunnel({ transports: ["ws"] }, async ({ gateway }) => {
      using association = await Association.open(gateway.mixedPort!);
      await association.send("127.0.0.1", echo.port, Uint8Array.of(1, 2));
      assert.deepEqual((await association.receive()).data, Uint8Array.of(2, 1));
      await withRawTarget(async ({ port, accept }) => {
        const connect = `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: a\r\n\r\n`;
        const socks = Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff);
        for (const first of [new TextEncoder().encode(connect), socks]) {
          using client = await Raw.connect(gateway.mixedPort!);
          for (const byte of first) await client.send(Uint8Array.of(byte));
          await client.send("hi");
          assert.equal(await (await accept()).until("hi"), "hi");
        }
      });
    });
  } finally {
    echo.close();
  }
});

Deno.test("mixed front: who says nothing is let go", async () => {
  const gateway = { handshakeTimeoutMs: 300 };
  await withTunnel({ gateway, transports: ["ws"] }, async ({ gateway }) => {
    using client = await Raw.connect(gateway.mixedPort!);
    assert.equal(await client.rest(), "");
    await until("nothing is left", () => gateway.clients === 0);
  });
});
