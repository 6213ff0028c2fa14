// Answers without content, and interim ones, whatever a backend says of their length.
import assert from "node:assert/strict";
import { DOOR_IDS } from "../support/door_peers.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { routesFrom } from "../support/named_routes.ts";
import { RawBackend } from "../support/backend.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ROWS: [what: string, answer: string, status: number, body: string][] = [
  [
    "§8.6: a 103 with Content-Length",
    `HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n${OK}`,
    200,
    "ok",
  ],
  [
    "§8.6: a 204 with Content-Length",
    "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n",
    204,
    "",
  ],
  [
    "§15.3.6: a 205 with content",
    "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nno",
    205,
    "",
  ],
  [
    "§8.6: a 304 with Content-Length",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    304,
    "",
  ],
];

for (const [what, answer, status, body] of ROWS) {
  Deno.test(`bodiless: RFC 9110 ${what} is right over every door`, async () => {
    const backend = await RawBackend.listen();
    const routes = routesFrom(`routes: [{ backend: "http://127.0.0.1:${backend.port}" }]`);
    try {
      await withNamedDoors({ routes }, async ({ peers }) => {
        for (const door of DOOR_IDS) {
          // The test's client of HTTP/1.1 gives the first head that comes.
          if (answer.includes(" 103 ") && door.startsWith("h1")) continue;
          const asked = peers.ask(door);
          const conn = await backend.accept();
          await conn.request();
          conn.write(answer);
          const got = await asked;
          assert.deepEqual([got.status, got.body], [status, body], door);
          const lengths = got.fields.filter(([name]) => name === "content-length");
          if (status === 204) assert.deepEqual(lengths, [], door);
          conn.fin();
        }
      });
    } finally {
      await backend.close();
    }
  });
}
