// What `h3ws agent` lets through, as a process of its own.
import assert from "node:assert/strict";
import { withFolder } from "../cli/support.ts";
import {
  portOf,
  startAgent,
  startGateway,
  withHello,
  writePair,
} from "../support/tunnel_process.ts";

Deno.test("process: a port that an agent asks for needs no other word to be let through", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await withHello((port) =>
    withFolder(async (folder) => {
      await writePair(folder);
      const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const open = free.addr.port;
      free.close();
      const user = ["--user", "ann:secret"];
      const doors = ["--listen", "127.0.0.1:0", "--socks", "off", "--open-ports", `${open}`];
      const pair = ["--cert", "cert.pem", "--key", "key.pem"];
      await using gateway = await startGateway({
        flags: [...doors, ...user, ...pair],
        cwd: folder,
      });
      const to = `wss://localhost:${portOf(gateway.started.listen)}`;
      const asked = ["--open-port", `${open}=127.0.0.1:${port}`];
      await using agent = await startAgent({
        flags: [to, ...user, "--ca", "ca.pem", ...asked],
        cwd: folder,
      });
      await agent.logged("gateway.connect");
      const headers = { connection: "close" };
      const answer = await fetch(`http://127.0.0.1:${open}/`, { headers });
      assert.equal(await answer.text(), "hello\n");
    })
  );
});
