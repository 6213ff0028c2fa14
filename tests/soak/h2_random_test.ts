// Conversations by chance over HTTP/2: requests, tunnels, resets, windows and frames that are none, before
// a backend that answers by chance. Whatever comes, nothing of it is a bug, and nothing is left.
import assert from "node:assert/strict";
import type { BackendConn, RawBackend } from "../support/backend.ts";
import { withDoors } from "../support/doors.ts";
import { fromBackend, fromClient } from "../support/frames.ts";
import {
  h2Data,
  h2Frame,
  h2Get,
  h2Reset,
  h2Settings,
  h2Window,
  h2Ws,
  type RawH2,
  SettingId,
} from "../support/raw_h2.ts";
import { until } from "../support/until.ts";

const SEEDS = [1, 2];
const CONNECTIONS = 60;
const STEPS = 40;
const WINDOWS = [0, 1, 10, 65_535, 1 << 20];

/** Numbers from 0 on, below `n`: the same for the same seed. */
type Chance = (n: number) => number;

/** Numerical Recipes' linear congruential generator. */
function chanceOf(seed: number): Chance {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % n;
  };
}

function pick<T>(chance: Chance, list: readonly T[]): T {
  return list[chance(list.length)];
}

const OK = "HTTP/1.1 200 OK\r\n";

const ANSWERS: ((conn: BackendConn, afterMs: number) => void)[] = [
  (conn) => conn.write(`${OK}Content-Length: 5\r\n\r\nhello`),
  (conn, afterMs) => {
    conn.write(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    setTimeout(() => conn.write("0\r\n\r\n"), afterMs);
  },
  (conn, afterMs) => {
    conn.write(`${OK}Content-Length: 50\r\n\r\nhello`);
    setTimeout(() => conn.fin(), afterMs);
  },
  (conn) => conn.reset(),
  (conn) =>
    conn.write(`HTTP/1.1 103 A\r\n\r\n${OK}Content-Length: 90000\r\n\r\n${"x".repeat(90_000)}`),
  (conn) => conn.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nhello"),
];

/** A backend that talks back now and then, until either side has enough. */
async function talk(conn: BackendConn, chance: Chance): Promise<void> {
  for (let frame = await conn.frame(); frame !== null; frame = await conn.frame()) {
    if (chance(4) === 0) conn.write(fromBackend.text("hello"));
    if (chance(20) === 0) return conn.fin();
    if (chance(40) === 0) return conn.reset();
  }
  conn.fin();
}

async function serveOne(conn: BackendConn, chance: Chance): Promise<void> {
  const request = await conn.request();
  if (request.get("upgrade") === null || chance(3) === 0) {
    return pick(chance, ANSWERS)(conn, chance(30));
  }
  conn.upgrade();
  await talk(conn, chance);
}

/** Serves whoever comes, until there is nobody any more. */
async function serve(backend: RawBackend, chance: Chance): Promise<void> {
  for (let served = 0;; served++) {
    await until("another", () => backend.connections.length > served, 10_000);
    // It ends as it likes: the proxy is who is tested.
    void serveOne(await backend.accept(), chance).catch(() => {});
  }
}

const POST = h2Get("/x").map(([name, value]) =>
  [name, name === ":method" ? "POST" : value] as const
);

/** What a client may do next; `ids` are its streams up to now. */
const DEEDS: ((client: RawH2, ids: number[], chance: Chance) => unknown)[] = [
  (client, ids) => ids.push(client.request(h2Get("/x"))),
  (client, ids) => ids.push(client.request(h2Ws(), () => [])),
  (client, ids) => ids.push(client.request(h2Ws(), (id) => [h2Data(id, fromClient.text("hi"))])),
  (client, ids, chance) =>
    ids.push(client.request(POST, (id) => [h2Data(id, "abc", chance(2) === 0)])),
  (client, ids, chance) =>
    client.write(h2Data(one(ids, chance), fromClient.text("hi"), chance(6) === 0)),
  (client, ids, chance) => client.write(h2Reset(one(ids, chance), chance(14))),
  (client, ids, chance) =>
    client.write(h2Window(chance(2) && one(ids, chance), 1 + chance(100_000))),
  (client, _ids, chance) =>
    client.write(h2Settings([[SettingId.INITIAL_WINDOW_SIZE, pick(chance, WINDOWS)]])),
  (client, ids, chance) =>
    chance(4) || client.write(client.headers(one(ids, chance), [["x", "y"]], chance(3) > 0)),
  (client, ids, chance) =>
    chance(8) || client.write(
      h2Frame([chance(12), chance(256)], chance(2) && one(ids, chance), new Uint8Array(chance(20))),
    ),
  (_client, _ids, chance) => new Promise((resolve) => setTimeout(resolve, chance(15))),
];

function one(ids: readonly number[], chance: Chance): number {
  return ids.length === 0 ? 1 : pick(chance, ids);
}

const ENDS: ((client: RawH2) => unknown)[] = [
  (client) => client.tcp.resetAndDestroy(),
  (client) => client.socket.end(),
  (client) => client.socket.destroy(),
  // It is for the proxy to end it.
  () => {},
];

const SOON = { writeTimeoutMs: 3_000, handshakeTimeoutMs: 1_500, idleTimeoutMs: 2_000 };

for (const door of ["h2c", "h2"] as const) {
  for (const seed of SEEDS) {
    Deno.test(`soak: conversations by chance over ${door} leave nothing (seed ${seed})`, async () => {
      await withDoors({ ...SOON, readTimeoutMs: 3_000 }, async (t) => {
        const chance = chanceOf(seed);
        const serving = serve(t.backend, chance).catch(() => {});
        for (let i = 0; i < CONNECTIONS; i++) {
          const client = await t[door]({
            opensWindows: chance(2) === 0,
            settings: [[SettingId.INITIAL_WINDOW_SIZE, pick(chance, WINDOWS)]],
          });
          const ids: number[] = [];
          for (let step = 0; step < STEPS && !client.isClosed; step++) {
            await pick(chance, DEEDS)(client, ids, chance);
          }
          pick(chance, ENDS)(client);
          assert.deepEqual(t.seen.bugs, []);
        }
        await until("nothing to be left", () => t.proxy.sessions + t.proxy.connections === 0);
        await serving;
        // How many of each depends on who was faster.
        assert.ok(t.seen.opened.length > 0 && t.seen.requests.length > 0, "some went through");
        assert.ok(t.seen.failures.length > 0, "some went wrong");
      });
    });
  }
}
