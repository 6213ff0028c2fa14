// What a client of HTTP/2 has sent whole in a tunnel arrives, though it leaves behind it.
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { withDoors } from "../support/doors.ts";
import { h2Data, h2Frame } from "../support/h2_frames.ts";
import { routesFrom } from "../support/named_routes.ts";
import { until } from "../support/until.ts";

const PART = 16_000;
const GOAWAY = h2Frame([7], 0, new Uint8Array(8));
const CONNECT: [string, string][] = [
  ...[[":method", "CONNECT"], [":protocol", "raw"], [":scheme", "http"]] as [string, string][],
  ...[[":path", "/"], [":authority", "a"]] as [string, string][],
];

for (const how of ["stays", "says GOAWAY", "ends TCP"]) {
  Deno.test(`h2 tunnel: END_STREAM has come, and the client ${how}: the backend gets all of it`, async () => {
    const sockets: Socket[] = [];
    let got = 0;
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.pause();
        // Its side is over before the client's; it reads on later.
        socket.end(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nbye",
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await withDoors({ routes: routesFrom(`routes: [{ backend: "${url}" }]`) }, async (t) => {
      const client = await t.h2c();
      const id = client.request(CONNECT, () => []);
      await client.head(id);
      await until("the backend's end", () => client.stream(id).ended);
      let sent = 0;
      // Until the backend's socket, the proxy's window and all between them are full.
      for (let looks = 0; looks < 30;) {
        if (client.room(id) < PART) {
          looks++;
          await new Promise((resolve) => setTimeout(resolve, 10));
          continue;
        }
        looks = 0;
        client.write(h2Data(id, new Uint8Array(PART), false));
        client.sent(id, PART);
        sent += PART;
      }
      client.write(h2Data(id, new Uint8Array(0), true));
      if (how === "says GOAWAY") client.write(GOAWAY);
      if (how === "ends TCP") client.socket.end();
      await new Promise((resolve) => setTimeout(resolve, 200));
      let over = false;
      sockets[0].on("data", (chunk) => got += chunk.length);
      sockets[0].on("end", () => over = true).on("close", () => over = true);
      sockets[0].resume();
      await until("the end at the backend", () => over);
      assert.equal(got, sent);
      sockets[0].destroy();
      const { by } = await t.seen.end();
      assert.equal(by, "backend");
    });
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
}
