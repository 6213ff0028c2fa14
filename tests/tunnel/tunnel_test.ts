// A gateway, an agent and curl: what a user does first.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { curlThrough, withTarget } from "./socks_curl.ts";
import { type TestTunnel, withTunnel } from "./support.ts";
import { until } from "../support/until.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;

const curl = ({ gateway }: TestTunnel, ...args: string[]) =>
  curlThrough(gateway.socksPort!, ...args);

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`tunnel by ${name}: curl through SOCKS5 gets an answer`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget(async (port) => {
        assert.equal(
          await curl(tunnel, `http://localhost:${port}/`),
          "hello\n",
          tunnel.told.lines.join("\n"),
        );
        await until("the end", () => tunnel.gateway.gateway.connections === 0);
        assert.match(tunnel.told.lines.join("\n"), /^open localhost:\d+ one$/m);
        assert.match(tunnel.told.lines.join("\n"), /^closed \w+: end of stream \d+\/\d+$/m);
      });
    });
  });

  Deno.test(`tunnel by ${name}: 16 MiB down and up arrive whole`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget(async (port) => {
        const bytes = new Uint8Array(16 << 20).fill(7);
        const want = createHash("sha256").update(bytes).digest("hex");
        const file = await Deno.makeTempFile();
        try {
          assert.equal(
            await curl(tunnel, "-o", file, `http://localhost:${port}/${bytes.length}`),
            "",
          );
          const got = createHash("sha256").update(await Deno.readFile(file)).digest("hex");
          assert.equal(got, want);
          const url = `http://localhost:${port}/up`;
          assert.equal(await curl(tunnel, "--data-binary", `@${file}`, url), want);
        } finally {
          await Deno.remove(file);
        }
      });
    });
  });

  Deno.test(`tunnel by ${name}: a target that refuses, one that is not allowed`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = closed.addr;
      closed.close();
      assert.match(await curl(tunnel, `http://127.0.0.1:${port}/`), /^exit 97: .*\(5\)/);
      assert.match(await curl(tunnel, `http://127.0.0.2:${port}/`), /^exit 97: .*\(2\)/);
      assert.equal(tunnel.gateway.gateway.connections, 0);
    });
  });
}
