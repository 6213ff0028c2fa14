import assert from "node:assert/strict";
import type { OfferRequest } from "../../src/ingress/offer.ts";
import { pick } from "../../src/proxy/balance.ts";
import type { Balance } from "../../src/proxy/route.ts";
import { requestFor, routeFor, targetAt } from "./routes.ts";

const TARGETS = [1, 2, 3, 4, 5].map(targetAt);

interface Given {
  count?: number;
  turn?: number;
  sessions?: readonly number[];
  down?: readonly number[];
  request?: Partial<OfferRequest>;
}

/** The ports in the order in which they are tried. */
function ports(balance: Balance, given: Given = {}): number[] {
  const { count = 3, turn = 0, sessions = [], down = [] } = given;
  const route = routeFor("r", {}, { backends: TARGETS.slice(0, count), balance });
  const order = pick(route, requestFor(given.request), {
    turn,
    sessions: ({ dial }) => sessions[dial.port - 1] ?? 0,
    isUp: ({ dial }) => !down.includes(dial.port),
  });
  return order.map(({ dial }) => dial.port);
}

Deno.test("balance: round-robin begins with the next backend each time", () => {
  const orders = [0, 1, 2, 3].map((turn) => ports("round-robin", { turn }));
  assert.deepEqual(orders, [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]]);
  assert.deepEqual(ports("round-robin", { count: 1, turn: 7 }), [1]);
});

Deno.test("balance: least-sessions begins with the emptiest, and takes turns among those", () => {
  const sessions = [2, 0, 1];
  assert.deepEqual(ports("least-sessions", { sessions }), [2, 3, 1]);
  const firsts = [0, 1, 2, 3].map((turn) => ports("least-sessions", { turn })[0]);
  assert.deepEqual(firsts, [1, 2, 3, 1]);
});

Deno.test("balance: what is down is tried last, in its order; where all are, all the same", () => {
  assert.deepEqual(ports("round-robin", { down: [1, 3] }), [2, 1, 3]);
  assert.deepEqual(ports("round-robin", { down: [1, 2, 3], turn: 1 }), [2, 3, 1]);
  assert.deepEqual(ports("least-sessions", { sessions: [0, 5, 6], down: [1] }), [2, 3, 1]);
});

Deno.test("balance: the share of one that is down goes to all others", () => {
  for (const balance of ["round-robin", "least-sessions"] as const) {
    const firsts = Array.from(
      { length: 9 },
      (_, turn) => ports(balance, { count: 4, turn, down: [2] })[0],
    );
    const shares = [1, 2, 3, 4].map((port) => firsts.filter((one) => one === port).length);
    assert.deepEqual(shares, [3, 0, 3, 3], balance);
  }
});

const KEYS = Array.from({ length: 3000 }, (_, i) => `192.0.${i >> 8}.${i & 255}:4${i}`);

/** The first backend for each of many clients. */
function firsts(count: number): number[] {
  return KEYS.map((remote) => ports({ hash: "ip" }, { count, request: { remote } })[0]);
}

Deno.test("balance: a hash gives each backend about its share", () => {
  const all = firsts(5);
  for (const port of [1, 2, 3, 4, 5]) {
    const share = all.filter((one) => one === port).length / KEYS.length;
    assert.ok(share > 0.16 && share < 0.24, `${port} has ${share}`);
  }
});

Deno.test("balance: a backend that comes moves only those that go to it", () => {
  const before = firsts(4);
  const after = firsts(5);
  const moved = KEYS.map((_, i) => i).filter((i) => before[i] !== after[i]);
  assert.ok(moved.every((i) => after[i] === 5));
  assert.ok(moved.length > KEYS.length * 0.16 && moved.length < KEYS.length * 0.24);
});

Deno.test("balance: a backend that is down leaves its clients to others, evenly", () => {
  const request = KEYS.map((remote) => ({ remote }));
  const before = firsts(5);
  const after = request.map((one) =>
    ports({ hash: "ip" }, { count: 5, down: [2], request: one })[0]
  );
  assert.ok(KEYS.every((_, i) => before[i] === 2 ? after[i] !== 2 : after[i] === before[i]));
  assert.deepEqual([...new Set(after.filter((_, i) => before[i] === 2))].sort(), [1, 3, 4, 5]);
});

Deno.test("balance: the same client, header or cookie stays at its backend", () => {
  const port = (balance: Balance, request: Partial<OfferRequest>) =>
    ports(balance, { count: 5, turn: Math.floor(Math.random() * 10), request }).join();
  const remotes = ["192.0.2.9:1", "192.0.2.9:60000"];
  assert.equal(new Set(remotes.map((remote) => port({ hash: "ip" }, { remote }))).size, 1);
  const byHeader = new Set(
    [["a", "1"], ["b", "2"]].map(([other, i]) =>
      port({ hash: { header: "x-user" } }, {
        remote: `192.0.2.${i}:1`,
        fields: [["x-other", other], ["x-user", "u1"]],
      })
    ),
  );
  assert.equal(byHeader.size, 1);
  const cookies = [["cookie", "a=1; sid=s7; b=2"], ["cookie", "sid=s7"]] as const;
  const byCookie = new Set(
    cookies.map((field, i) =>
      port({ hash: { cookie: "sid" } }, { remote: `192.0.2.${i}:1`, fields: [field] })
    ),
  );
  assert.equal(byCookie.size, 1);
  // RFC 9113 §8.2.3: cookies may come in several fields.
  const split = port({ hash: { cookie: "sid" } }, {
    fields: [["cookie", "xsid=no"], ["cookie", "sid=s7"]],
  });
  assert.ok(byCookie.has(split));
});

Deno.test("balance: different values go to different backends; without one the address counts", () => {
  const by = { hash: { header: "x-user" } };
  const users = KEYS.slice(0, 50).map((user) =>
    ports(by, { count: 5, request: { fields: [["x-user", user]] } })[0]
  );
  assert.equal(new Set(users).size, 5);
  for (const remote of KEYS.slice(0, 20)) {
    const request = { remote };
    assert.deepEqual(
      ports(by, { count: 5, request }),
      ports({ hash: "ip" }, { count: 5, request }),
    );
  }
});
