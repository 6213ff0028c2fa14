// A client that reads slowly but steadily is not one that reads nothing: --write-timeout is for a
// write that makes no progress, though the system's buffers hide what little there is.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { withDoors } from "../support/doors.ts";
import { routesFrom } from "../support/named_routes.ts";

const MIB = 2 ** 20;
const SIZE = 12 * MIB;
const WRITE_TIMEOUT_MS = 1_500;
const ignore = Deno.build.os !== "linux";

const PLAIN = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n";

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A backend that sends `SIZE` bytes as fast as they are taken. */
function pushing(isTunnel: boolean): Server {
  if (!isTunnel) {
    return createServer((_, response) => {
      response.writeHead(200, { "content-length": String(SIZE) });
      response.end(new Uint8Array(SIZE));
    });
  }
  return createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n",
      );
      socket.end(new Uint8Array(SIZE));
    });
  });
}

for (
  const [name, isTls, head] of [
    ["an answer over h1", false, PLAIN],
    ["an answer over h1s", true, PLAIN],
    ["a tunnel over h1", false, UPGRADE],
  ] as const
) {
  Deno.test(
    `doors: ${name} to a client that reads slowly but steadily arrives whole`,
    { ignore },
    async () => {
      const server = pushing(head === UPGRADE);
      const url = await listen(server);
      const routes = routesFrom(`routes: [{ backend: "${url}" }]`);
      await withDoors({ routes, writeTimeoutMs: WRITE_TIMEOUT_MS }, async (t) => {
        const { port, plainPort } = t.proxy;
        const conn = isTls
          ? await Deno.connectTls({ hostname: "localhost", port, caCerts: [...t.caCerts] })
          : await Deno.connect({ hostname: "127.0.0.1", port: plainPort! });
        await conn.write(new TextEncoder().encode(head));
        const buffer = new Uint8Array(32 * 1024);
        let got = 0;
        // About 600 kB a second, in which no write of the proxy's is done for longer than its time.
        for (const endMs = performance.now() + 6_000; performance.now() < endMs;) {
          got += (await conn.read(buffer))!;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        assert.ok(got < SIZE / 2, `${got} bytes were read`);
        while (got < SIZE) {
          const count = await conn.read(buffer);
          assert.notEqual(count, null, `cut off behind ${got} bytes`);
          got += count!;
        }
        conn.close();
      });
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  );
}
