// Nothing goes by trailers that was taken out of the head.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { withNamedDoors } from "../support/named_doors.ts";
import { routesFrom } from "../support/named_routes.ts";

const TRAILERS = {
  "x-ok": "1",
  "x-hop": "by Connection",
  "x-user": "by remove",
  "x-role": "by set",
};
const CLAIMS = {
  "x-forwarded-for": "1.2.3.4",
  "x_forwarded_for": "1.2.3.4",
  "x-cmux-host-override": "evil",
  "via": "1.1 h3ws",
};

Deno.test("trailers: RFC 9110 §7.6.1: what Connection names, a route removes or sets, or says who the client is stays behind", async () => {
  let seen: { head: IncomingHttpHeaders; trailers: NodeJS.Dict<string> } | null = null;
  const server = createServer((request, response) => {
    request.resume().once("end", () => {
      seen = { head: request.headers, trailers: request.trailers };
      response.writeHead(200, { connection: "x-hop", trailer: Object.keys(TRAILERS).join() });
      response.write("ok");
      response.addTrailers(TRAILERS);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const rules = `{ remove: [x-user], set: { x-role: guest } }`;
  const routes = routesFrom(
    `routes: [{ backend: "http://127.0.0.1:${port}", headers: { request: ${rules}, response: ${rules} } }]`,
  );
  await withNamedDoors({ routes }, async ({ peers }) => {
    const client = await peers.h1("h1");
    const lines = Object.entries({ ...TRAILERS, ...CLAIMS }).map(([name, value]) =>
      `${name}: ${value}\r\n`
    );
    client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te, x-hop\r\n" +
        `Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${lines.join("")}\r\n`,
    );
    await client.has("\r\n0\r\n");
    await client.has("\r\n\r\n");
    assert.deepEqual({ ...seen!.trailers }, { "x-ok": "1" });
    assert.equal(seen!.head["x-role"], "guest");
    const behind = client.got.slice(client.got.indexOf("\r\n0\r\n"));
    assert.equal(behind.toLowerCase(), "\r\n0\r\nx-ok: 1\r\n\r\n");
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
