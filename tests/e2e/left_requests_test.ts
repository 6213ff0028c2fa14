// A client that has ended its side over HTTP/1.1, and waits for what the backend does not give: TCP
// does not tell it from one that is gone, so it has a few seconds.
import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { withNamedDoors } from "../support/named_doors.ts";
import { routesFrom } from "../support/named_routes.ts";
import { until } from "../support/until.ts";

const GET = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";

for (const door of ["h1", "h1s"] as const) {
  Deno.test(`left requests: over ${door} a request whose client has closed gives its place and its backend back`, async () => {
    const held: ServerResponse[] = [];
    let closed = 0;
    const server = createServer((_, response) => {
      held.push(response);
      response.on("close", () => closed++);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const routes = routesFrom(`routes: [{ backend: "http://127.0.0.1:${port}" }]`);
    const options = { routes, maxRequestsPerClient: 1, readTimeoutMs: 120_000 };
    await withNamedDoors(options, async ({ t, peers }) => {
      const client = await peers.h1(door);
      client.send(GET);
      await until("the request at the backend", () => held.length === 1);
      await client.close();
      await until("the end at the backend", () => closed === 1);
      const [{ broken }] = t.seen.requests;
      assert.equal(broken, "client: client is gone");
      const next = await peers.h1(door);
      next.send(GET);
      await until("the next at the backend", () => held.length === 2);
      held[1].end("here");
      await next.has("here");
      server.closeAllConnections();
    });
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
}
