import assert from "node:assert/strict";
import { CMUX_DEFAULTS } from "../../src/proxy/cmux.ts";
import { isLocalHost, leadsTo, placeOfHost, workspaceAddress } from "../../src/proxy/cmux_host.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { OVERRIDE, PORT, resolve, short } from "./cmux_support.ts";

const DOMAINS = CMUX_DEFAULTS.domains;

// Forms of host names: what they ask for, written "workspace name:port".
const HOSTS: [authority: string, want: string | null][] = [
  ["ws-3000.localhost", "workspace ws:3000"],
  ["WS-3000.LocalHost", "workspace ws:3000"],
  ["ws-3000.localhost:9776", "workspace ws:3000"],
  ["ws-3000.localhost.", "workspace ws:3000"],
  ["ws-3000.localhost.:9776", "workspace ws:3000"],
  ["workspace-1-3000.localhost", "workspace workspace-1:3000"],
  ["a.b-3000.localhost", "workspace a.b:3000"],
  ["a-1.8080.localhost", "container a-1:8080"],
  ["web.8080.localhost", "container web:8080"],
  ["my.web.8080.localhost", "container my.web:8080"],
  ["web.8080.localhost..", null],
  ["8080.localhost", null],
  ["-3000.localhost", null],
  ["ws-.localhost", null],
  ["ws-0.localhost", null],
  ["ws-65536.localhost", null],
  ["ws-+3000.localhost", null],
  ["ws-3000.localhost.evil.example", null],
  ["ws-3000.localhost@evil.example", null],
  ["ws-3000.localhost/x", null],
  ["ws-3000.localhost\r\nx-a: b", null],
  ["ws-3000.notlocalhost", null],
  ["ws-3000.%6cocalhost", null],
  ["web.0.localhost", null],
  ["web.99999.localhost", null],
  ["localhost", null],
  [".localhost", null],
  ["", null],
  ["[::1]", null],
  ["[::1]:8080", null],
  ["127.0.0.1:8080", null],
  ["8080.cmux.local", "port:8080"],
  ["8080.cmux.SH", "port:8080"],
  ["8080.app.cmux.sh", "port:8080"],
  ["port-8080-abc.cmux.sh", "port:8080"],
  ["port-8080-a-b-c.cmux.sh", "port:8080"],
  ["port-8080.cmux.sh", null],
  ["port-x-abc.cmux.sh", null],
  ["port-x-3000-abc.cmux.sh", null],
  ["cmux-3000-abc.cmux.sh", null],
  ["port-3000-4000-abc.cmux.sh", "port:3000"],
  ["cmux-abc-8080.cmux.sh", "port:8080"],
  ["cmux-abc-base-8080.cmux.sh", "port:8080"],
  ["cmux-abc-ws-1-8080.cmux.sh", "workspace ws-1:8080"],
  ["cmux-8080.cmux.sh", null],
  ["ws-8080-vm.cmux.sh", "workspace ws:8080"],
  ["ws-8080.cmux.sh", null],
  ["ws.cmux.sh", null],
  ["cmux.sh", null],
  ["0.cmux.sh", null],
  ["8080.cmux.sh.evil.example", null],
  ["8080.xcmux.sh", null],
];

Deno.test("cmux: what host names ask for", () => {
  for (const [authority, want] of HOSTS) {
    const place = placeOfHost(authority, DOMAINS);
    const owner = place?.owner ? `${place.owner.kind} ${place.owner.name}` : "port";
    assert.equal(place === null ? null : `${owner}:${place.port}`, want, authority);
  }
});

Deno.test("cmux: a long host name takes no time", () => {
  for (const label of ["1", "-1", "a-", "1.", "cmux-a-1-"]) {
    for (const end of ["localhost", "x.localhost", "x.cmux.sh", "cmux.sh"]) {
      const startedMs = performance.now();
      placeOfHost(`${label.repeat(60_000 / label.length)}.${end}`, DOMAINS);
      assert.ok(performance.now() - startedMs < 200, `${label} ${end}`);
    }
  }
});

const ADDRESSES: [name: string, want: string | null][] = [
  ["workspace-1", "127.18.0.1"],
  ["workspace-2", "127.18.0.2"],
  ["workspace-255", "127.18.0.255"],
  ["workspace-256", "127.18.1.0"],
  ["workspace-65535", "127.18.255.255"],
  // The third byte is all there is.
  ["workspace-65536", "127.18.0.0"],
  ["workspace-0", "127.18.0.0"],
  ["workspace-007", "127.18.0.7"],
  ["workspace-4294967295", "127.18.255.255"],
  ["workspace-4294967296", null],
  ["7", "127.18.0.7"],
  ["/root/workspace-1", "127.18.0.1"],
  ["workspace-1/x", "127.18.80.135"],
  // FNV-1a, 32 bits, of the name in lower case.
  ["workspace-a", "127.18.176.32"],
  ["workspace-b", "127.18.180.217"],
  ["workspace-c", "127.18.179.70"],
  ["Workspace-C", "127.18.179.70"],
  ["feature/login", "127.18.47.50"],
  ["main", "127.18.226.8"],
  ["a b", "127.18.249.242"],
  ["1a", "127.18.169.199"],
  ["", null],
  ["a/", null],
  ["a".repeat(256), null],
];

Deno.test("cmux: workspace N is 127.18.(N>>8).(N&255), other names by FNV-1a", () => {
  for (const [name, want] of ADDRESSES) assert.equal(workspaceAddress(name), want, name);
});

const LOCAL = [
  ...["", "localhost", "LOCALHOST:80", "localhost.", "a.localhost", "a.b.localhost:9776"],
  ...["127.0.0.1", "127.18.0.1:80", "127.255.255.255", "[::1]", "[::1]:80"],
  ...["[0:0:0:0:0:0:0:1]", "[0::0001]:80", "cmux.local", "x.cmux.local", "x.y.cmux.sh:443"],
];
const NOT_LOCAL = [
  ...["example.com", "localhost.example.com", "xlocalhost", "128.0.0.1", "0.0.0.0", "10.0.0.1"],
  ...["169.254.169.254", "[::]", "[::2]", "[fe80::1]", "[::ffff:10.0.0.1]", "127.1", "2130706433"],
  ...["0x7f.0.0.1", "127.0.0.1.example.com", "0127.0.0.1", "::1", "localhost..", "xcmux.sh"],
  ...["cmux.sh.example.com", "evil.example#.localhost", "evil.example/.localhost", "a@localhost"],
  ...["evil.example\\.localhost", "local host", " localhost", "localhost:99999", "localhost:x"],
];

Deno.test("cmux: which hosts are local", () => {
  for (const host of LOCAL) assert.equal(isLocalHost(host, DOMAINS), true, host);
  for (const host of NOT_LOCAL) assert.equal(isLocalHost(host, DOMAINS), false, host);
});

Deno.test("cmux: a host that is not local needs X-Cmux-Host-Override", async () => {
  const fields: Field[] = [[PORT, "3000"]];
  for (const authority of NOT_LOCAL) {
    const route = await resolve({ authority, fields });
    assert.equal(short(route), "502 Host header requires X-Cmux-Host-Override", authority);
    const overridden = await resolve({ authority, fields: [...fields, [OVERRIDE, "localhost"]] });
    assert.equal(short(overridden), "127.0.0.1:3000", authority);
    const empty = await resolve({ authority, fields: [...fields, [OVERRIDE, " "]] });
    assert.equal(short(empty), "502 Host header requires X-Cmux-Host-Override", authority);
  }
});

Deno.test("cmux: who comes to a listener", () => {
  const rows: [to: string, at: string, want: boolean][] = [
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "127.18.0.1", false],
    ["127.18.0.1", "0.0.0.0", true],
    ["::1", "::", true],
    ["LocalHost", "127.0.0.1", true],
    ["localhost", "::1", true],
    ["0.0.0.0", "127.0.0.1", true],
    ["0.0.0.0", "192.0.2.1", false],
    ["192.0.2.1", "0.0.0.0", false],
    ["example.com", "::", false],
  ];
  for (const [to, at, want] of rows) {
    const reached = leadsTo({ hostname: to, port: 1 }, { hostname: at, port: 1 });
    assert.equal(reached, want, `${to} at ${at}`);
    assert.equal(leadsTo({ hostname: to, port: 2 }, { hostname: at, port: 1 }), false);
  }
});
