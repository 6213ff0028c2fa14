// The pool over TLS, and a node:https server behind it.
import assert from "node:assert/strict";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { H1Pool } from "../../src/client/h1_pool.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { until } from "../support/until.ts";
import { ask, Fed, poolOptions, SWEEP_MS, textOf } from "./h1_pool_support.ts";

Deno.test("h1 pool: over TLS, with content both ways", async () => {
  const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
  let connections = 0;
  const server = https.createServer({ cert: certPem, key: keyPem }, (request, response) => {
    response.setHeader("trailer", "x-sum");
    request.pipe(response, { end: false });
    request.on("end", () => {
      response.addTrailers({ "x-sum": "1" });
      response.end();
    });
  });
  server.on("secureConnection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sweeper = new Sweeper(SWEEP_MS);
  const tls = {
    serverName: "localhost",
    caCerts: [caPem],
    alpnProtocols: ["http/1.1"],
    insecure: false,
  };
  const pool = new H1Pool({
    ...poolOptions(port, sweeper),
    dial: { hostname: "127.0.0.1", port, tls },
  });
  try {
    for (const size of [1, 1_000, 300_000]) {
      const text = "x".repeat(size);
      const content = new Fed(
        size % 2 ? size : null,
        [text.slice(0, size - 1), text.slice(size - 1)].filter(Boolean),
      );
      const response = await ask(pool, { method: "POST", content });
      assert.equal((await textOf(response)).length, size);
      assert.deepEqual(response.content!.trailers, [["x-sum", "1"]]);
      await until("the connection to be idle", () => pool.idle === 1);
    }
    assert.equal(connections, 1);
    server.closeAllConnections();
    await until("the drop of what the server ended", () => pool.connections === 0);
  } finally {
    pool.close();
    sweeper.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
