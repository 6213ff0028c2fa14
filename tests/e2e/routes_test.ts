// Issue 4, Build 6: which route takes a request, and what the route makes of it, by every door.
import assert from "node:assert/strict";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import {
  type Asked,
  DOOR_IDS,
  type DoorId,
  type DoorPeers,
  isOpen,
  say,
} from "../support/door_peers.ts";
import type { NamedRequest } from "../support/named_backend.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { NamedBackends, withRoutes } from "../support/named_routes.ts";

const ROUTES = `
routes:
  - { name: any, backend: "http://$any" }
  - { name: host, match: { host: a.example }, backend: "ws://$host" }
  - { name: hostPath, match: { host: a.example, path: /exact }, backend: "ws://$hostPath" }
  - { name: wild, match: { host: "*.example" }, backend: "ws://$wild" }
  - { name: wilder, match: { host: "*.b.example" }, backend: "ws://$wilder" }
  - { name: off, enabled: false, match: { host: off.example }, backend: "ws://$off" }
  - { name: exact, match: { path: /exact }, backend: "ws://$exact" }
  - { name: regexp, match: { path: "^/rooms/[0-9]+$" }, backend: "ws://$regexp" }
  - { name: short, match: { prefix: /api }, backend: "ws://$short" }
  - { name: long, match: { prefix: /api/v2 }, backend: "ws://$long" }
  - { name: header, match: { path: /h, headers: { name: x-canary, value: "1" } }, backend: "ws://$header" }
  - { name: headerRegexp, match: { path: /h, headers: { name: x-canary, regexp: "^a+$" } }, backend: "ws://$headerRegexp" }
  - { name: headerThere, match: { path: /h, headers: { name: x-there, present: true } }, backend: "ws://$headerThere" }
  - { name: method, match: { path: /m, method: [POST, PUT] }, backend: "ws://$method" }
  - { name: get, match: { path: /m, method: GET }, backend: "ws://$get" }
`;

type Row = [name: string, asked: Asked, want: string];

const MATCHES: Row[] = [
  ["a host", { authority: "a.example" }, "host"],
  ["a host in capitals and with a port", { authority: "A.Example:8443" }, "host"],
  ["a host and a path go before a host", { authority: "a.example", path: "/exact?q" }, "hostPath"],
  ["a host goes before any path", { authority: "a.example", path: "/api" }, "host"],
  ["one label below a wildcard", { authority: "x.example" }, "wild"],
  ["the longest wildcard", { authority: "x.y.b.example" }, "wilder"],
  ["the wildcard's own name is not below it", { authority: "b.example" }, "wild"],
  ["a route that is off leaves it to the next", { authority: "off.example" }, "wild"],
  ["another host", { authority: "other.test" }, "any"],
  ["an exact path", { path: "/exact" }, "exact"],
  ["an exact path with a query", { path: "/exact?a=1" }, "exact"],
  ["no exact path with more behind it", { path: "/exact/" }, "any"],
  ["a regular expression", { path: "/rooms/17" }, "regexp"],
  ["no regular expression", { path: "/rooms/x" }, "any"],
  ["a prefix", { path: "/api/users" }, "short"],
  ["a prefix itself", { path: "/api" }, "short"],
  ["a prefix ends where a segment does", { path: "/apis" }, "any"],
  ["the longest prefix", { path: "/api/v2/users" }, "long"],
  ["a prefix by another name", { path: "/%61pi/%76%32/users" }, "long"],
  ["a path that climbs, where both readings lead to it", { path: "/api/x/../users" }, "short"],
  ["a path that climbs elsewhere", { path: "/api/v2/../users" }, "400 ambiguous path"],
  ["a header", { path: "/h", fields: [["x-canary", "1"]] }, "header"],
  ["a header's regular expression", { path: "/h", fields: [["x-canary", "aaa"]] }, "headerRegexp"],
  ["a header that is there", { path: "/h", fields: [["x-there", ""]] }, "headerThere"],
  ["no such header", { path: "/h", fields: [["x-canary", "2"]] }, "any"],
];

async function backendOf(peers: DoorPeers, door: DoorId, asked: Asked): Promise<string> {
  const { status, body } = await peers.ask(door, asked);
  return status === 200 ? JSON.parse(body).backend : `${status} ${body.trim()}`;
}

Deno.test("routes: by host, path and header, requests and WebSockets alike, by every door", async () => {
  await withRoutes(ROUTES, async ({ peers }) => {
    for (const door of DOOR_IDS) {
      for (const [name, asked, want] of MATCHES) {
        assert.equal(await backendOf(peers, door, asked), want, `${name} over ${door}`);
        const tunnel = await peers.open(door, asked);
        if (want.startsWith("400")) {
          assert.equal(tunnel.status, 400);
          continue;
        }
        assert.ok(isOpen(tunnel), `${name} over ${door}: ${tunnel.status}`);
        assert.equal(await say(tunnel, "hi"), `${want} hi`, `${name} over ${door}`);
        tunnel.fin();
      }
    }
  });
});

Deno.test("routes: by method; a WebSocket's is GET", async () => {
  await withRoutes(ROUTES, async ({ peers }) => {
    const rows: [method: string, want: string][] = [
      ["GET", "get"],
      ["POST", "method"],
      ["PUT", "method"],
      ["DELETE", "any"],
    ];
    for (const door of DOOR_IDS) {
      for (const [method, want] of rows) {
        assert.equal(
          await backendOf(peers, door, { path: "/m", method }),
          want,
          `${door} ${method}`,
        );
      }
      const tunnel = await peers.open(door, { path: "/m" });
      assert.equal(await say(tunnel, "hi"), "get hi", door);
      tunnel.fin();
    }
  });
});

Deno.test("routes: what no route takes is 404, and a path of two readings is 400", async () => {
  await withRoutes('routes: [{ match: { prefix: /api }, backend: "ws://$api" }]', async (doors) => {
    const { peers, backends, t } = doors;
    const rows: Row[] = [
      ["no route", { path: "/other" }, "404 not found"],
      ["a slash that is hidden", { path: "/other%2f..%2fapi" }, "400 ambiguous path"],
      ["no escape at all", { path: "/api%zz" }, "400 invalid path"],
    ];
    for (const door of DOOR_IDS) {
      for (const [name, asked, want] of rows) {
        assert.equal(await backendOf(peers, door, asked), want, `${name} over ${door}`);
        const { status } = await peers.open(door, asked);
        assert.equal(String(status), want.slice(0, 3), `${name} over ${door}`);
      }
    }
    assert.equal(backends.get("api").requests.length, 0);
    assert.deepEqual(
      t.seen.rejections.map(({ reason, status }) => [reason, status]),
      DOOR_IDS.flatMap(() => [["path", 404], ["path", 400], ["path", 400]]),
    );
  });
});

const STRIP = `
routes:
  - { match: { prefix: /in, strip: true }, backend: "ws://$bare" }
  - { match: { prefix: /base }, backend: "http://$based/v1" }
`;

Deno.test("routes: strip takes the prefix away, a backend's path goes before what is asked for", async () => {
  await withRoutes(STRIP, async ({ peers, backends }) => {
    const rows: [path: string, request: string, tunnel: string][] = [
      ["/in/a/b?c=d", "/a/b?c=d", "/a/b?c=d"],
      ["/in", "/", "/"],
      ["/in?c=d", "/?c=d", "/?c=d"],
      ["/in//evil.example/x", "/evil.example/x", "/evil.example/x"],
      // A tunnel asks for the backend's path itself, with its own query.
      ["/base/x?c=d", "/v1/base/x?c=d", "/v1?c=d"],
    ];
    for (const door of DOOR_IDS) {
      for (const [path, request, tunnel] of rows) {
        const seen: NamedRequest = JSON.parse((await peers.ask(door, { path })).body);
        assert.equal(seen.url, request, `${path} over ${door}`);
        const opened = await peers.open(door, { path });
        assert.ok(isOpen(opened));
        opened.fin();
        const { requests } = backends.get(seen.backend);
        assert.equal(requests.at(-1)!.url, tunnel, `${path} over ${door}`);
      }
    }
  });
});

const RULES = `
routes:
  - match: { path: /origins }
    backend: "ws://$main"
    allowed-origins: [https://app.example, "null"]
  - match: { path: /upgrades }
    backend: "ws://$main"
    upgrades: [websocket]
  - match: { path: /none }
    backend: "ws://$main"
    allowed-origins: []
`;

Deno.test("routes: allowed-origins 403 and upgrades 501, for tunnels alone", async () => {
  await withRoutes(RULES, async ({ peers, t }) => {
    const rows: [path: string, origin: string | null, status: number][] = [
      ["/origins", "https://app.example", 200],
      ["/origins", "HTTPS://APP.example", 200],
      ["/origins", "null", 200],
      ["/origins", "https://evil.example", 403],
      ["/origins", "https://app.example.evil.example", 403],
      // No browser leaves it out.
      ["/origins", null, 200],
      ["/none", "https://app.example", 403],
      ["/upgrades", "https://evil.example", 200],
    ];
    for (const door of DOOR_IDS) {
      for (const [path, origin, want] of rows) {
        const fields: Field[] = origin === null ? [] : [["origin", origin]];
        const tunnel = await peers.open(door, { path, fields });
        const status = isOpen(tunnel) ? 200 : tunnel.status;
        assert.equal(status, want, `${path} from ${origin} over ${door}`);
        if (want === 403) assert.equal(tunnel.body, "origin not allowed\n");
        tunnel.fin();
        assert.equal((await peers.ask(door, { path, fields })).status, 200);
      }
      const other = await peers.open(door, { path: "/upgrades", protocol: "foo" });
      assert.equal(other.status, 501, door);
    }
    const reasons = new Set(t.seen.rejections.map(({ reason }) => reason));
    assert.deepEqual([...reasons].sort(), ["origin", "protocol"]);
  });
});

const HEADERS = `
routes:
  - backend: "ws://$main"
    keep-host: false
    headers:
      request: { set: { X-Tenant: blue, X-Forwarded-For: hidden }, remove: [Cookie, x-drop] }
      response: { set: { X-Served: h3ws }, remove: [server, alt-svc] }
`;

Deno.test("routes: fields are set and removed both ways; without keep-host the backend's own Host", async () => {
  await using backends = await NamedBackends.listen(["main"], {
    answer: [["server", "secret"], ["x-served", "backend"], ["x-other", "1"]],
  });
  await withNamedDoors({ routes: backends.routes(HEADERS) }, async ({ peers }) => {
    const main = backends.get("main");
    const fields: Field[] = [
      ["cookie", "a=b"],
      ["x-drop", "1"],
      ["x-tenant", "red"],
      ["x-keep", "1"],
    ];
    for (const door of DOOR_IDS) {
      const answer = await peers.ask(door, { fields });
      const tunnel = await peers.open(door, { fields });
      assert.ok(isOpen(tunnel), door);
      tunnel.fin();
      for (const { fields } of main.requests.splice(0)) {
        const want: [name: string, value: string | null][] = [
          ["cookie", null],
          ["x-drop", null],
          ["x-tenant", "blue"],
          ["x-keep", "1"],
          ["x-forwarded-for", "hidden"],
          ["host", `127.0.0.1:${main.port}`],
          ["x-forwarded-host", "localhost"],
        ];
        for (const [name, value] of want) {
          assert.equal(getField(fields, name), value, `${name} ${door}`);
        }
      }
      for (const { get } of [answer, tunnel]) {
        assert.deepEqual(
          [get("server"), get("x-served"), get("x-other"), get("alt-svc")],
          [null, "h3ws", "1", null],
          door,
        );
      }
    }
    await peers.close();
    backends.drop();
  });
});
