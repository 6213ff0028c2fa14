// Who comes to a front that does not speak what he speaks hears so at once, and leaves a trace.
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { Raw } from "./raw.ts";
import { withTunnel } from "./support.ts";

const NO_HTTP = "this is a SOCKS5 port; --http or --mixed takes HTTP";
const NO_SOCKS = "this is a port of HTTP; --socks or --mixed takes SOCKS5";
// Above what a test may last.
const PATIENT = { gateway: { handshakeTimeoutMs: 120_000 }, transports: ["ws"] } as const;

Deno.test("wrong front: HTTP at the port of SOCKS5 is told where it belongs", async () => {
  await withTunnel(PATIENT, async ({ gateway, told }) => {
    for (
      const request of ["CONNECT a.example:443 HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\n"]
    ) {
      using client = await Raw.connect(gateway.socksPort!);
      await client.send(request);
      const answer = await within("the answer", client.rest());
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.ok(answer.endsWith(`\r\n\r\n${NO_HTTP}\n`), answer);
      assert.match(answer, new RegExp(`content-length: ${NO_HTTP.length + 1}\r\n`));
    }
    using client = await Raw.connect(gateway.socksPort!);
    await client.send(Uint8Array.of(4, 1, 0, 80));
    assert.equal(await within("the end", client.rest()), "");
    await until("nothing is left", () => gateway.clients === 0);
    assert.deepEqual(told.lines.filter((line) => line.startsWith("client ")), [
      ...[`client socks5: ${NO_HTTP}`, `client socks5: ${NO_HTTP}`],
      "client socks5: The client does not speak SOCKS5: version 4",
    ]);
  });
});

Deno.test("wrong front: SOCKS at the port of HTTP is not waited for", async () => {
  await withTunnel(PATIENT, async ({ gateway, told }) => {
    for (
      const [port, version] of [[gateway.httpPort!, 5], [gateway.httpPort!, 4], [
        gateway.mixedPort!,
        4,
      ]]
    ) {
      using client = await Raw.connect(port);
      await client.send(Uint8Array.of(version, 1, 0));
      const answer = await within("the answer", client.rest());
      assert.ok(answer.startsWith("HTTP/1.1 400 ") && answer.endsWith(`\n${NO_SOCKS}\n`), answer);
    }
    await until("nothing is left", () => gateway.clients === 0);
    const want = Array(3).fill(`client http: ${NO_SOCKS}`);
    assert.deepEqual(told.lines.filter((line) => line.startsWith("client ")), want);
  });
});
