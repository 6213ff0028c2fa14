// h3ws gateway as processes that find each other through a real nats-server.
import assert from "node:assert/strict";
import { withFolder } from "../cli/support.ts";
import * as tunnelProcess from "../support/tunnel_process.ts";
import { until } from "../support/until.ts";
import { NatsServer } from "./nats_server.ts";
import { peerTests } from "./peers.ts";

const test = peerTests("H3WS_NATS_SERVER");
const LOGIN = `authorization { user: gw, password: "s3cret word" }`;

test("h3ws gateway --cluster, over TLS with a password: curl at one, the agent at the other", async (path) => {
  await withFolder(async (folder) => {
    await tunnelProcess.writePair(folder);
    const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map((file) => `${folder}/${file}`);
    const config = `${LOGIN}\ntls { cert_file: "${cert}", key_file: "${key}" }`;
    await using nats = await NatsServer.start(path, { config });
    const cluster = (password: string) => [
      ...["--listen", "127.0.0.1:0", "--socks", "127.0.0.1:0", "--user", "ann:secret"],
      ...["--cert", cert, "--key", key, "--cluster-ca", ca],
      ...["--cluster", `tls://gw:${password}@localhost:${nats.port}`],
    ];
    await using first = await tunnelProcess.startGateway({ flags: cluster("s3cret%20word") });
    await using second = await tunnelProcess.startGateway({ flags: cluster("s3cret%20word") });
    await using third = await tunnelProcess.startGateway({ flags: cluster("wrong") });
    const { reason } = await third.logged("cluster.lost");
    assert.match(String(reason), /authorization/i);
    await first.logged("cluster.found");
    await second.logged("cluster.found");
    const url = `wss://localhost:${tunnelProcess.portOf(first.started.listen)}`;
    const flags = [url, "--user", "ann:secret", "--ca", ca, "--allow", "127.0.0.1"];
    await using _agent = await tunnelProcess.startAgent({ flags });
    await tunnelProcess.withHello(async (port) => {
      const asked = { user: "ann:secret", url: `http://localhost:${port}/` };
      await until(
        "an answer",
        async () => (await tunnelProcess.curl(second, asked)).text === "hello\n",
      );
      const open = await first.logged("tunnel.open");
      assert.deepEqual([open.front, open.user, open.target], [
        "cluster",
        "ann",
        `localhost:${port}`,
      ]);
      assert.notEqual((await tunnelProcess.curl(third, asked)).code, 0);
    });
    for (const { log, stdout } of [first, second, third]) {
      assert.ok(!`${JSON.stringify(log)}${stdout()}`.includes("s3cret"));
    }
  });
});
