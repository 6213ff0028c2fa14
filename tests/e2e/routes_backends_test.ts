// Issue 4, Build 6: which of several backends a route asks, and which it leaves out, by real TCP.
import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import {
  type Asked,
  DOOR_IDS,
  type DoorId,
  type DoorPeers,
  type DoorTunnel,
  isOpen,
  say,
} from "../support/door_peers.ts";
import { RawBackend } from "../support/backend.ts";
import { NamedBackend } from "../support/named_backend.ts";
import { type NamedDoors, withNamedDoors } from "../support/named_doors.ts";
import { NamedBackends, routesFrom } from "../support/named_routes.ts";
import { until } from "../support/until.ts";

const NAMES = ["a", "b", "c"];
const BACKENDS = 'backends: ["ws://$a", "ws://$b", "ws://$c"]';

interface Balanced extends NamedDoors {
  backends: NamedBackends;
}

/** A route to three backends, and what else it says. */
async function withThree(
  rules: string,
  body: (doors: Balanced) => Promise<void>,
): Promise<void> {
  await using backends = await NamedBackends.listen(NAMES);
  const routes = backends.routes(`routes: [{ ${BACKENDS}, ${rules} }]`);
  await withNamedDoors({ routes }, async (doors) => {
    await body({ ...doors, backends });
    await doors.peers.close();
    backends.drop();
  });
}

async function asked(peers: DoorPeers, door: DoorId, ask: Asked = {}): Promise<string> {
  const { status, body } = await peers.ask(door, ask);
  return status === 200 ? JSON.parse(body).backend : `${status} ${body.trim()}`;
}

async function opened(
  peers: DoorPeers,
  door: DoorId,
  ask: Asked = {},
): Promise<{ backend: string; tunnel: DoorTunnel }> {
  const tunnel = await peers.open(door, ask);
  assert.ok(isOpen(tunnel), `${tunnel.status} ${tunnel.body}`);
  return { backend: (await say(tunnel, "hi")).split(" ")[0], tunnel };
}

function counts(list: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const one of list) found[one] = (found[one] ?? 0) + 1;
  return found;
}

for (const rules of ["balance: round-robin", "keep-host: true"]) {
  Deno.test(`backends: ${rules}: each in its turn, requests and WebSockets, by every door`, async () => {
    await withThree(rules, async ({ peers }) => {
      const seen: string[] = [];
      for (const door of DOOR_IDS) {
        for (let i = 0; i < 3; i++) {
          seen.push(await asked(peers, door));
          const { backend, tunnel } = await opened(peers, door);
          seen.push(backend);
          tunnel.fin();
        }
      }
      assert.deepEqual(counts(seen), { a: 10, b: 10, c: 10 });
      assert.deepEqual(seen.slice(3), seen.slice(0, -3), "in turn");
    });
  });
}

Deno.test("backends: least-sessions: the one with the fewest open, as they come and go", async () => {
  await withThree("balance: least-sessions", async ({ peers, t }) => {
    const open = new Map<string, DoorTunnel[]>(NAMES.map((name) => [name, []]));
    for (let i = 0; i < 6; i++) {
      const { backend, tunnel } = await opened(peers, DOOR_IDS[i % DOOR_IDS.length]);
      open.get(backend)!.push(tunnel);
    }
    assert.deepEqual([...open.values()].map((tunnels) => tunnels.length), [2, 2, 2]);
    // Two of one end: the next two are its.
    for (const tunnel of open.get("b")!.splice(0)) tunnel.fin();
    await until("the ends of two sessions", () => t.proxy.sessions === 4);
    for (let i = 0; i < 2; i++) assert.equal((await opened(peers, "h2")).backend, "b");
  });
});

interface HashRow {
  name: string;
  rules: string;
  /** The n-th client, or user. */
  fields: (n: number) => Field[];
}

const HASHES: HashRow[] = [
  {
    name: "a header",
    rules: "balance: { hash: { header: x-user } }",
    fields: (n) => [["x-user", `user-${n}`]],
  },
  {
    name: "a cookie",
    rules: "balance: { hash: { cookie: sid } }",
    fields: (n) => [["cookie", `other=${Math.random()}; sid=${n}; more=1`]],
  },
];

const USERS = 24;

for (const { name, rules, fields } of HASHES) {
  Deno.test(`backends: hash of ${name}: the same value goes to the same backend, by every door`, async () => {
    await withThree(rules, async ({ peers, backends }) => {
      const homes = new Map<number, string>();
      for (let n = 0; n < USERS; n++) homes.set(n, await asked(peers, "h1", { fields: fields(n) }));
      for (const door of DOOR_IDS) {
        for (let n = 0; n < USERS; n += 5) {
          assert.equal(await asked(peers, door, { fields: fields(n) }), homes.get(n), door);
          const { backend, tunnel } = await opened(peers, door, { fields: fields(n) });
          assert.equal(backend, homes.get(n), door);
          tunnel.fin();
        }
      }
      assert.deepEqual(Object.keys(counts([...homes.values()])).sort(), NAMES, "all have some");
      // When one is gone its users move, and nobody else.
      await backends.get("b").close();
      for (const [n, home] of homes) {
        const now = await asked(peers, "h2", { fields: fields(n) });
        if (home === "b") assert.match(now, /^[ac]$/);
        else assert.equal(now, home);
      }
    });
  });
}

Deno.test("backends: hash of the IP: who comes from one address goes to one backend", async () => {
  await withThree("balance: { hash: ip }", async ({ peers }) => {
    const seen: string[] = [];
    for (const door of DOOR_IDS) {
      seen.push(await asked(peers, door));
      // Another connection, from another port.
      const { backend, tunnel } = await opened(peers, door);
      seen.push(backend);
      tunnel.fin();
    }
    assert.equal(new Set(seen).size, 1);
  });
});

Deno.test("backends: what can't be dialled leaves it to the next before anything is answered", async () => {
  await withThree("balance: round-robin", async ({ peers, backends, t }) => {
    await backends.get("a").close();
    await backends.get("b").close();
    for (const door of DOOR_IDS) {
      for (let i = 0; i < 3; i++) {
        const ask = { method: "POST", body: `hello ${i}`, path: `/x${i}` };
        const { status, body } = await peers.ask(door, ask);
        assert.equal(status, 200, door);
        const seen = JSON.parse(body);
        assert.deepEqual([seen.backend, seen.body, seen.url], ["c", ask.body, ask.path], door);
        const { backend, tunnel } = await opened(peers, door);
        assert.equal(backend, "c", door);
        tunnel.fin();
      }
    }
    assert.deepEqual(t.seen.failures, [], "nobody was failed");
    await backends.get("c").close();
    for (const door of DOOR_IDS) {
      assert.equal(await asked(peers, door), "502 backend unreachable", door);
      const tunnel = await peers.open(door);
      assert.deepEqual([tunnel.status, tunnel.body], [502, "backend unreachable\n"], door);
    }
  });
});

Deno.test("backends: one that was reached is not asked twice: a broken answer is 502", async () => {
  const broken = await RawBackend.listen();
  await using well = await NamedBackend.listen("well");
  const routes = routesFrom(
    `routes: [{ backends: ["ws://127.0.0.1:${broken.port}", "${well.url}"], balance: { hash: { header: x-to } } }]`,
  );
  try {
    await withNamedDoors({ routes }, async ({ peers }) => {
      // A value whose hash leads to the broken one first.
      let to = 0;
      for (;; to++) {
        const before = well.requests.length;
        const asking = peers.ask("h2", { fields: [["x-to", String(to)]] });
        await until(
          "a request somewhere",
          () => broken.connections.length > 0 || well.requests.length > before,
        );
        if (broken.connections.length === 0) {
          await asking;
          continue;
        }
        broken.connections[0].reset();
        assert.equal((await asking).status, 502);
        break;
      }
      const fields: Field[] = [["x-to", String(to)]];
      for (const door of DOOR_IDS) {
        const before = [broken.connections.length, well.requests.length];
        const asking = peers.ask(door, { fields, method: "POST", body: "pay" });
        await until("the request", () => broken.connections.length > before[0]);
        broken.connections.at(-1)!.reset();
        const answer = await asking;
        assert.deepEqual([answer.status, answer.body], [502, "backend unreachable\n"], door);
        const opening = peers.open(door, { fields });
        await until("the upgrade", () => broken.connections.length > before[0] + 1);
        broken.connections.at(-1)!.reset();
        assert.equal((await opening).status, 502, door);
        assert.equal(well.requests.length, before[1], "the other one was not asked");
      }
    });
  } finally {
    await broken.close();
  }
});
