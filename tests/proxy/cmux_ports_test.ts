import assert from "node:assert/strict";
import {
  parsePortRanges,
  parsePortTable,
  PortLookupError,
  PortTableError,
} from "../../src/proxy/cmux_ports.ts";
import { PORT, resolve, routes, type Row, short, WORKSPACE } from "./cmux_support.ts";

Deno.test("cmux: port ranges are read", () => {
  const rows: [text: string, want: [number, number][] | undefined][] = [
    ["8080", [[8080, 8080]]],
    ["3000-3999, 80", [[3000, 3999], [80, 80]]],
    ["1-65535", [[1, 65535]]],
    ["", undefined],
    ["0", undefined],
    ["65536", undefined],
    ["3-2", undefined],
    ["3000-", undefined],
    ["3000,,80", undefined],
    ["http", undefined],
  ];
  for (const [text, want] of rows) assert.deepEqual(parsePortRanges(text), want, text);
});

const TABLE = {
  "web.80": 32768,
  "my.web.8080": 32769,
  "DB.5432": "172.17.0.2:5432",
  "six.80": "[fd00::2]:80",
  "workspace-1.3000": 13000,
};

routes(
  "cmux, port map",
  [
    {
      name: "a container's port is mapped",
      authority: "web.80.localhost",
      want: "127.0.0.1:32768",
    },
    { name: "whatever the case", authority: "WEB.80.localhost", want: "127.0.0.1:32768" },
    { name: "and the dots", authority: "my.web.8080.localhost", want: "127.0.0.1:32769" },
    { name: "to another host", authority: "db.5432.localhost", want: "172.17.0.2:5432" },
    { name: "to an IPv6 address", authority: "six.80.localhost", want: "fd00::2:80" },
    {
      name: "one that is not there",
      authority: "web.81.localhost",
      want: "502 no port mapping for web.81",
    },
    {
      name: "a workspace's port is mapped",
      authority: "workspace-1-3000.localhost",
      want: "127.0.0.1:13000",
    },
    {
      name: "by the last part of its name",
      fields: [[PORT, "3000"], [WORKSPACE, "/root/Workspace-1"]],
      want: "127.0.0.1:13000",
    },
    {
      name: "or is its own",
      authority: "workspace-1-3001.localhost",
      want: "127.18.0.1:3001",
    },
    {
      name: "a port that a field names is none of a container's",
      authority: "web.80.localhost",
      fields: [[PORT, "80"]],
      want: "403 port not allowed: 80",
    },
    { name: "a port of nobody is its own", fields: [[PORT, "3000"]], want: "127.0.0.1:3000" },
    {
      name: "a host that is not local is refused before it is looked up",
      authority: "evil.example",
      fields: [[PORT, "3000"], [WORKSPACE, "workspace-1"]],
      want: "502 Host header requires X-Cmux-Host-Override",
    },
  ].map((row) => ({ ...row, options: { portLookup: parsePortTable(TABLE) } }) as Row),
);

Deno.test("cmux: a port table's error names the key, the value and what is allowed", () => {
  const rows: [table: unknown, key: string | null, value: string, allowed: RegExp][] = [
    [[], null, "[]", /"<container or workspace>.<port>"/],
    [null, null, "null", /"<container or workspace>.<port>"/],
    ["x", null, '"x"', /"<container or workspace>.<port>"/],
    [{ web: 1 }, "web", "1", /web\.8080/],
    [{ "web.0": 1 }, "web.0", "1", /web\.8080/],
    [{ ".80": 1 }, ".80", "1", /web\.8080/],
    [{ "a b.80": 1 }, "a b.80", "1", /web\.8080/],
    [{ "web.80": 0 }, "web.80", "0", /1 to 65535/],
    [{ "web.80": 1.5 }, "web.80", "1.5", /1 to 65535/],
    [{ "web.80": 65536 }, "web.80", "65536", /1 to 65535/],
    [{ "web.80": "x" }, "web.80", '"x"', /host:port/],
    [{ "web.80": "x:0" }, "web.80", '"x:0"', /host:port/],
    [{ "web.80": "http://x:1" }, "web.80", '"http://x:1"', /host:port/],
    [{ "web.80": null }, "web.80", "null", /host:port/],
    [{ "web.80": "x".repeat(1000) }, "web.80", `"${"x".repeat(99)}…`, /host:port/],
  ];
  for (const [table, key, value, allowed] of rows) {
    assert.throws(() => parsePortTable(table), (error) => {
      assert.ok(error instanceof PortTableError);
      assert.equal(error.key, key);
      assert.equal(error.value, value);
      assert.match(error.allowed, allowed);
      return true;
    });
  }
});

Deno.test("cmux: what goes wrong in a lookup is the client's answer, a bug is not", async () => {
  const portLookup = () => Promise.reject(new PortLookupError(504, "port lookup timed out"));
  const route = await resolve({ authority: "web.80.localhost" }, { portLookup });
  assert.equal(short(route), "504 port lookup timed out");
  const bug = () => Promise.reject(new TypeError("bug"));
  await assert.rejects(
    resolve({ authority: "web.80.localhost" }, { portLookup: bug }),
    new TypeError("bug"),
  );
});
