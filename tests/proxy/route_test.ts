import assert from "node:assert/strict";
import { changedRoutes, type Route } from "../../src/proxy/route.ts";
import { routeFor, targetAt } from "./routes.ts";

const names = (routes: readonly Route[]) => routes.map(({ name }) => name);

Deno.test("changed routes: the same content is kept, whatever its name and its place", () => {
  const old = [
    routeFor("a", { path: { regexp: /^a/ }, hosts: ["x"] }, {
      limits: { maxFrameBytes: 1, maxSessions: 2 },
    }),
    routeFor("b", { path: { exact: "/b" } }),
    routeFor("c", { path: { prefix: "/c", strip: false } }),
  ];
  const next = [
    routeFor("new", { path: { exact: "/new" } }),
    routeFor("c", { path: { prefix: "/c", strip: false } }),
    routeFor("A", { hosts: ["x"], path: { regexp: /^a/ } }, {
      limits: { maxSessions: 2, maxFrameBytes: 1 },
    }),
  ];
  const { kept, removed, added } = changedRoutes(old, next);
  assert.deepEqual(kept.map(([one, other]) => [one.name, other.name]), [["c", "c"], ["a", "A"]]);
  assert.ok(kept.every(([one, other]) => old.includes(one) && next.includes(other)));
  assert.deepEqual(names(removed), ["b"]);
  assert.deepEqual(names(added), ["new"]);
});

Deno.test("changed routes: whatever else differs makes another route", () => {
  const base = routeFor("r", { path: { exact: "/x" }, headers: [{ name: "h", value: "v" }] });
  const others: Route[] = [
    { ...base, enabled: false },
    { ...base, match: { ...base.match, hosts: ["a"] } },
    { ...base, match: { ...base.match, path: { exact: "/y" } } },
    { ...base, match: { ...base.match, path: { regexp: /x/ } } },
    { ...base, match: { ...base.match, headers: [{ name: "h", regexp: /v/ }] } },
    { ...base, match: { ...base.match, methods: ["GET"] } },
    { ...base, backends: [targetAt(2)] },
    { ...base, backends: [targetAt(1), targetAt(2)] },
    { ...base, balance: { hash: "ip" } },
    { ...base, health: { passive: { failures: 1, forMs: 1 } } },
    { ...base, limits: { maxSessions: 1 } },
    { ...base, allowedOrigins: [] },
    { ...base, upgrades: ["websocket"] },
    { ...base, headers: { ...base.headers, request: { set: { a: "b" }, remove: [] } } },
    { ...base, keepHost: false },
  ];
  for (const other of others) {
    const { kept, removed, added } = changedRoutes([base], [other]);
    assert.deepEqual([kept, removed, added], [[], [base], [other]], JSON.stringify(other));
  }
});

Deno.test("changed routes: of two that are alike one may go", () => {
  const [one, two] = [routeFor("one"), routeFor("two")];
  const { kept, removed } = changedRoutes([one, two], [two]);
  assert.deepEqual([names(kept.map(([old]) => old)), names(removed)], [["one"], ["two"]]);
});
