import assert from "node:assert/strict";
import fc from "fast-check";
import type { OfferRequest } from "../../src/ingress/offer.ts";
import type { Route, RoutePath } from "../../src/proxy/route.ts";
import { hostOf, Router } from "../../src/proxy/router.ts";
import { requestFor, routeFor } from "./routes.ts";

const prefix = (text: string, strip = false): RoutePath => ({ prefix: text, strip });
const exact = (text: string): RoutePath => ({ exact: text });
const regexp = (text: string): RoutePath => ({ regexp: new RegExp(text) });

/** The name of the route that takes it; the text of a refusal in brackets; `null` for none. */
function nameFor(router: Router, request: Partial<OfferRequest>): string | null {
  const match = router.match(requestFor(request));
  if (match === null) return null;
  return match.kind === "refused" ? `(${match.text})` : match.route.name;
}

Deno.test("router: hosts are compared without case, port and last dot, the most special first", () => {
  const router = new Router([
    routeFor("any"),
    routeFor("wild", { hosts: ["*.example.com"] }),
    routeFor("deep", { hosts: ["*.b.example.com"] }),
    routeFor("exact", { hosts: ["a.b.example.com", "x.test"] }),
    routeFor("v6", { hosts: ["::1"] }),
  ]);
  const cases: [authority: string, want: string][] = [
    ["a.b.example.com", "exact"],
    ["A.B.Example.COM:8443", "exact"],
    ["a.b.example.com.:8443", "exact"],
    ["X.test", "exact"],
    ["c.b.example.com", "deep"],
    ["d.c.b.example.com", "deep"],
    ["b.example.com", "wild"],
    ["q.r.example.com", "wild"],
    ["example.com", "any"],
    ["example.com.evil.test", "any"],
    ["aexample.com", "any"],
    [".example.com", "any"],
    ["[::1]:443", "v6"],
    ["[::1]", "v6"],
    ["user@x.test", "any"],
    ["", "any"],
    [`${"a.".repeat(8000)}example.com`, "any"],
  ];
  for (const [authority, want] of cases) {
    assert.equal(nameFor(router, { authority }), want, authority);
  }
});

Deno.test("router: the host of an authority", () => {
  const cases: [authority: string, want: string][] = [
    ["A:1", "a"],
    ["a:", "a"],
    ["[2001:DB8::1]:443", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["192.0.2.1:80", "192.0.2.1"],
  ];
  for (const [authority, want] of cases) assert.equal(hostOf(authority), want);
});

Deno.test("router: exact paths, then regular expressions, then the longest prefix, then any", () => {
  const router = new Router([
    routeFor("any"),
    routeFor("root", { path: prefix("/") }),
    routeFor("api", { path: prefix("/api") }),
    routeFor("v2", { path: prefix("/api/v2/") }),
    routeFor("rooms", { path: regexp("^/api/rooms/[^/]+$") }),
    routeFor("all rooms", { path: regexp("^/api/rooms/") }),
    routeFor("lobby", { path: exact("/api/rooms/lobby") }),
    routeFor("escaped", { path: exact("/caf%c3%a9/%7Euser") }),
  ]);
  const cases: [path: string, want: string][] = [
    ["/", "root"],
    ["/ws", "root"],
    ["/api", "api"],
    ["/api?x=/api/v2/", "api"],
    ["/api/", "api"],
    ["/apis", "root"],
    ["/api/v2", "api"],
    ["/api/v2/", "v2"],
    ["/api/v2/x", "v2"],
    ["/api/rooms/1", "rooms"],
    ["/api/rooms/1?token=/", "rooms"],
    ["/api/rooms/1/2", "all rooms"],
    ["/api/rooms/lobby", "lobby"],
    ["/caf%C3%A9/~user", "escaped"],
    ["/caf\xc3\xa9/%7euser", "escaped"],
    ["/%61pi", "api"],
    ["//api/x", "api"],
    ["*", "any"],
    ["", "any"],
  ];
  for (const [path, want] of cases) assert.equal(nameFor(router, { path }), want, path);
});

Deno.test("router: a host goes before a path, and what does not fit there is looked for further on", () => {
  const router = new Router([
    routeFor("api of any", { path: prefix("/api/long") }),
    routeFor("host", { hosts: ["a.example"], path: prefix("/api") }),
    routeFor("wild", { hosts: ["*.example"], path: prefix("/w") }),
  ]);
  assert.equal(nameFor(router, { path: "/api/long/x" }), "host");
  assert.equal(nameFor(router, { path: "/w" }), "wild");
  assert.equal(nameFor(router, { path: "/api/long", authority: "b.test" }), "api of any");
  assert.equal(nameFor(router, { path: "/none" }), null);
});

Deno.test("router: header fields and methods; the first in the file of those that are alike", () => {
  const router = new Router([
    routeFor("off", {}, { enabled: false }),
    routeFor("canary", { headers: [{ name: "x-canary", value: "1" }] }),
    routeFor("mobile", {
      headers: [{ name: "user-agent", regexp: /^(a+)+$|Mobile/ }, { name: "x-no", present: false }],
    }),
    routeFor("key", { headers: [{ name: "x-key", present: true }] }),
    routeFor("post", { methods: ["POST", "PUT"] }),
    routeFor("get", { methods: ["GET"] }),
    routeFor("same", { methods: ["GET"] }),
  ]);
  const cases: [given: Partial<OfferRequest>, want: string | null][] = [
    [{ fields: [["x-canary", "0"], ["x-canary", "1"]] }, "canary"],
    [{ fields: [["x-canary", "10"]] }, "get"],
    [{ fields: [["user-agent", "X Mobile"]] }, "mobile"],
    [{ fields: [["user-agent", "X Mobile"], ["x-no", ""]] }, "get"],
    [{ fields: [["user-agent", `${"a".repeat(10_000)}!`]] }, "get"],
    [{ fields: [["x-key", ""]] }, "key"],
    [{ method: "POST", protocol: null }, "post"],
    [{ method: "GET", protocol: "websocket", http: "1.1" }, "get"],
    // RFC 8441 §5: CONNECT with :protocol stands for the GET with Upgrade.
    [{ method: "CONNECT" }, "get"],
    [{ method: "CONNECT", protocol: null, path: "" }, null],
    [{ method: "DELETE", protocol: null }, null],
  ];
  for (const [given, want] of cases) {
    assert.equal(nameFor(router, given), want, JSON.stringify(given));
  }
});

const GUARDED = [
  routeFor("public", { path: prefix("/public") }),
  routeFor("admin", { path: prefix("/admin") }),
  routeFor("rest", { path: prefix("/") }),
];

Deno.test("router: a path that can be read in ways that lead elsewhere is refused", () => {
  const router = new Router(GUARDED);
  const ambiguous = [
    "/public/../admin",
    "/public/%2e%2e/admin",
    "/public/.%2E/admin",
    "/public/..%2fadmin",
    "/public%2f..%2fadmin",
    "/public/..%5cadmin",
    "/public/..\\admin",
    "/public\\..\\admin",
    "/public/..;/admin",
    "/public/..;x=y/admin",
    "/public/..%3b/admin",
    "/public/%252e%252e/admin",
    "/public/%25%32%65%25%32%65/admin",
    "/public/%252e%252e%252fadmin",
    "/public/%c0%ae%c0%ae/admin",
    "/public/..%c0%afadmin",
    "/public/x/../../admin/",
    "/public/.././admin",
    "/x/..//admin",
    "/.//admin",
    "/./admin",
    "/admin;x",
    "/admin%2fx",
    "/admin/..",
    "/%2fadmin",
    "/%5cadmin",
    "/%2561dmin",
  ];
  for (const path of ambiguous) assert.equal(nameFor(router, { path }), "(ambiguous path)", path);
  const invalid = ["/public/%", "/%zz", "/%u0061dmin", "/a%00", "/a%0d%0a", "/%7f", "admin", "?x"];
  for (const path of invalid) assert.equal(nameFor(router, { path }), "(invalid path)", path);
});

Deno.test("router: a path that leads to the same route however it is read goes on as it came", () => {
  const router = new Router(GUARDED);
  const cases: [path: string, want: string][] = [
    ["/public/a%2fb", "public"],
    ["/public/a;v=1/b", "public"],
    ["/public//x", "public"],
    ["/public/x/../y", "public"],
    ["/public/%2525", "public"],
    ["/%61dmin/x", "admin"],
    ["//admin", "admin"],
    ["/.well-known/x", "rest"],
    ["/...", "rest"],
    ["/a..b", "rest"],
    ["/public?../admin", "public"],
  ];
  for (const [path, want] of cases) {
    const match = router.match(requestFor({ path }));
    assert.ok(match?.kind === "route", path);
    assert.deepEqual([match.route.name, match.path], [want, path]);
  }
  // Nothing to get around.
  const free = new Router([routeFor("all")]);
  for (const path of ["/a/../b", "/%", "/a%2f", "/\\"]) {
    assert.equal(nameFor(free, { path }), "all");
  }
});

Deno.test("router: no path of these parts reaches what its most lenient reading is not for", () => {
  const router = new Router(GUARDED);
  const parts = ["/", "public", "admin", "..", ".", "%2e", "%2E%2e", "%2f", "\\", "%5c", ";", "%3b"]
    .concat(["//", "%25", "2e", "2f", "%61", "x", "?", "%c0%ae"]);
  const paths = fc.array(fc.constantFrom(...parts), { maxLength: 10 }).map((all) =>
    `/${all.join("")}`
  );
  fc.assert(
    fc.property(paths, (path) => {
      const got = nameFor(router, { path });
      if (got !== "public" && got !== "rest") return;
      // WHATWG URL: dot segments in any form, and backslashes, resolved by another hand.
      let text = path.split("?")[0].replace(/^\/+/, "/").replace(/%c0%ae/gi, ".");
      for (let i = 0; i < 2; i++) {
        text = text.replace(
          /%([2-7][0-9a-f])/gi,
          (_, hex) => String.fromCharCode(parseInt(hex, 16)),
        );
        const url = new URL("http://h/");
        url.pathname = text.replaceAll("\\", "/").replace(/;[^/]*/g, "").replace(/\/+/g, "/");
        assert.doesNotMatch(url.pathname, /^\/admin(?:\/|$)/, path);
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("router: a prefix that is stripped", () => {
  const router = new Router([
    routeFor("api", { path: prefix("/api", true) }),
    routeFor("slash", { path: prefix("/slash/", true) }),
    routeFor("kept", { path: prefix("/kept") }),
  ]);
  const cases: [path: string, want: string][] = [
    ["/api", "/"],
    ["/api?x=1", "/?x=1"],
    ["/api/", "/"],
    ["/api/a%2Fb?y", "/a%2Fb?y"],
    ["/api/a%7eb", "/a%7eb"],
    ["/%61pi/a%7eb", "/a~b"],
    ["/api//evil.example/x", "/evil.example/x"],
    ["//api/x", "/x"],
    ["/api/a/../b", "/b"],
    ["/api/%7B}", "/%7B}"],
    ["/slash/x", "/x"],
    ["/kept/x?y", "/kept/x?y"],
  ];
  for (const [path, want] of cases) {
    const match = router.match(requestFor({ path }));
    assert.ok(match?.kind === "route", path);
    assert.equal(match.path, want, path);
  }
  // A strip never leaves what climbs out of it.
  assert.equal(nameFor(router, { path: "/api/../x" }), "(ambiguous path)");
});

Deno.test("router: thousands of routes, and paths of 16 KiB, take microseconds and milliseconds", () => {
  const many: Route[] = [];
  for (let i = 0; i < 2000; i++) {
    many.push(routeFor(`h${i}`, { hosts: [`h${i}.example`], path: prefix(`/p${i}`) }));
    many.push(routeFor(`p${i}`, { path: prefix(`/${"x/".repeat(i % 50)}p${i}`) }));
  }
  const router = new Router(many);
  const startedMs = performance.now();
  for (let i = 0; i < 2000; i++) {
    assert.equal(nameFor(router, { authority: `h${i}.example`, path: `/p${i}/ws` }), `h${i}`);
  }
  const longs = ["/a".repeat(8000), "/..".repeat(5000), "/%2e%2e".repeat(2000), ";/".repeat(8000)];
  for (const path of longs) nameFor(router, { path: `/${path}` });
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 2000, `${tookMs} ms`);
});
