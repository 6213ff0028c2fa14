import assert from "node:assert/strict";
import { dial } from "../../src/net/dial.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import {
  CMUX_DEFAULTS,
  type CmuxTarget,
  cmuxUnreachable,
  loopbackAdvice,
  resolveCmux,
  withoutCmux,
} from "../../src/proxy/cmux.ts";
import { workspaceAddress } from "../../src/proxy/cmux_host.ts";
import { asked, OVERRIDE, PORT, resolve, routes, short, WORKSPACE } from "./cmux_support.ts";

routes("cmux, by host", [
  {
    name: "<workspace>-<port>.localhost",
    authority: "workspace-a-3002.localhost",
    want: "127.18.176.32:3002",
  },
  {
    name: "at the upstream host where that is the default",
    authority: "workspace-a-3002.localhost",
    options: { allowDefaultUpstream: true },
    want: "127.0.0.1:3002",
  },
  {
    name: "<container>.<port>.localhost:proxyPort",
    authority: "web.8080.localhost:9776",
    want: "127.0.0.1:8080",
  },
  {
    name: "a container is no workspace where a field names the port",
    authority: "web.8080.localhost",
    fields: [[PORT, "3000"]],
    want: "127.0.0.1:3000",
  },
  { name: "<port>.cmux.local", authority: "8080.cmux.local", want: "127.0.0.1:8080" },
  { name: "<port>.cmux.sh", authority: "8080.cmux.sh:443", want: "127.0.0.1:8080" },
  {
    name: "<workspace>-<port>-<id>.cmux.sh",
    authority: "workspace-1-3000-testvm.cmux.sh",
    want: "127.18.0.1:3000",
  },
  {
    name: "a host that is none of these is nobody's",
    authority: "app.example",
    options: { required: false },
    want: "none",
  },
  {
    name: "or a mistake",
    authority: "foo.localhost",
    want: "400 missing required header: X-Cmux-Port-Internal",
  },
]);

routes("cmux, the host", [
  {
    name: "one that is no ASCII",
    authority: "b\xfccher.example",
    fields: [[PORT, "3000"]],
    want: "400 invalid Host header (not UTF-8)",
  },
  {
    name: "of a plain CONNECT does not count: it asks by the field alone",
    method: "CONNECT",
    authority: "evil.example:443",
    fields: [[PORT, "6379"]],
    want: "127.0.0.1:6379",
  },
  {
    name: "of an extended CONNECT counts",
    method: "CONNECT",
    protocol: "websocket",
    authority: "evil.example",
    fields: [[PORT, "3000"]],
    want: "502 Host header requires X-Cmux-Host-Override",
  },
]);

Deno.test("cmux: X-Cmux-Host-Override is the Host for the backend, and never what is dialled", async () => {
  const hosts = [
    ...["app.example.com", "App.Example.com:8443", "8.8.8.8", "169.254.169.254", "[fe80::1]:80"],
    ...["metadata.google.internal", "localhost:22", "[::ffff:169.254.169.254]", "0.0.0.0"],
  ];
  for (const host of hosts) {
    const fields: Field[] = [[PORT, "3000"], [WORKSPACE, "workspace-1"], [OVERRIDE, ` ${host} `]];
    const route = await resolve({ fields });
    assert.equal(short(route), "127.18.0.1:3000", host);
    assert.equal((route as CmuxTarget).host, host);
  }
});

Deno.test("cmux: without an override the client's Host goes on", async () => {
  const route = await resolve({ authority: "web.8080.localhost:9776" });
  assert.equal((route as CmuxTarget).host, null);
});

Deno.test("cmux: X-Cmux-Host-Override can't smuggle anything into the Host", async () => {
  const bad = [
    ...["a\r\nx-evil: 1", "a b", "a,b", "user@a", "http://a", "a/x", "a?x", "a#x", "a\\b", "a:b"],
    ...["a:99999", "[::1", "::1", "\xff", "a\0", "[zz]", ":80"],
  ];
  for (const host of bad) {
    const route = await resolve({ fields: [[PORT, "3000"], [OVERRIDE, host]] });
    assert.equal(short(route), "400 invalid host in X-Cmux-Host-Override", host);
  }
  const twice = await resolve({ fields: [[PORT, "3000"], [OVERRIDE, "a"], [OVERRIDE, "b"]] });
  assert.equal(short(twice), "400 invalid host in X-Cmux-Host-Override");
});

Deno.test("cmux: X-Cmux-Host-Override can be limited to a list", async () => {
  const hostOverrides = ["app.example.com", "*.Cmux.sh"];
  const rows: [host: string, allowed: boolean][] = [
    ["app.example.com", true],
    ["APP.example.com.:8080", true],
    ["a.b.cmux.sh", true],
    ["cmux.sh", false],
    ["xcmux.sh", false],
    ["app.example.com.evil.example", false],
    ["169.254.169.254", false],
    ["localhost", false],
  ];
  for (const [host, allowed] of rows) {
    const route = await resolve({ fields: [[PORT, "3000"], [OVERRIDE, host]] }, { hostOverrides });
    const want = allowed
      ? "127.0.0.1:3000"
      : "403 X-Cmux-Host-Override is not allowed to name this host";
    assert.equal(short(route), want, host);
  }
});

routes("cmux, ports", [
  { name: "22 is privileged", fields: [[PORT, "22"]], want: "403 port not allowed: 22" },
  { name: "1023 is privileged", fields: [[PORT, "1023"]], want: "403 port not allowed: 1023" },
  { name: "1024 is not", fields: [[PORT, "1024"]], want: "127.0.0.1:1024" },
  { name: "65535 is not", fields: [[PORT, "65535"]], want: "127.0.0.1:65535" },
  { name: "nor by host name", authority: "ws-22.localhost", want: "403 port not allowed: 22" },
  {
    name: "80 can be listed",
    fields: [[PORT, "80"]],
    options: { ports: [[80, 80], [3000, 3999]] },
    want: "127.0.0.1:80",
  },
  {
    name: "what is not listed is refused",
    fields: [[PORT, "4000"], [WORKSPACE, "a"]],
    options: { ports: [[80, 80], [3000, 3999]] },
    want: "403 port not allowed: 4000",
  },
]);

const ONLY_LOOPBACK = (ip: string) => ip === "127.0.0.1" || ip === "::1";
routes("cmux, clients", [
  {
    name: "one that may ask",
    remote: "[::1]:50000",
    fields: [[PORT, "3000"]],
    options: { clients: ONLY_LOOPBACK },
    want: "127.0.0.1:3000",
  },
  {
    name: "one that may not, by field",
    remote: "192.0.2.7:50000",
    fields: [[PORT, "3000"]],
    options: { clients: ONLY_LOOPBACK, required: false },
    want: "403 cmux routing is not allowed from this address",
  },
  {
    name: "one that may not, by host",
    remote: "192.0.2.7:50000",
    authority: "ws-3000.localhost",
    options: { clients: ONLY_LOOPBACK, required: false },
    want: "403 cmux routing is not allowed from this address",
  },
  {
    name: "one that may not is not told what is wrong",
    remote: "192.0.2.7:50000",
    fields: [[PORT, "x"]],
    options: { clients: ONLY_LOOPBACK },
    want: "403 cmux routing is not allowed from this address",
  },
  {
    name: "one that asks for nothing is somebody else's",
    remote: "192.0.2.7:50000",
    authority: "app.example",
    options: { clients: ONLY_LOOPBACK, required: false },
    want: "none",
  },
  {
    name: "an address that is not known is not among them",
    remote: "unknown",
    fields: [[PORT, "3000"]],
    options: { clients: ONLY_LOOPBACK },
    want: "403 cmux routing is not allowed from this address",
  },
]);

Deno.test("cmux: what would come back to us is refused", async () => {
  const listening = () => [{ hostname: "0.0.0.0", port: 9776 }, { hostname: "::1", port: 9777 }];
  const rows: [authority: string, want: string][] = [
    ["web.9776.localhost:9776", "508 Loop detected in proxy"],
    ["ws-9776.localhost:9776", "508 Loop detected in proxy"],
    ["web.9777.localhost:9776", "127.0.0.1:9777"],
    ["web.9778.localhost:9776", "127.0.0.1:9778"],
  ];
  for (const [authority, want] of rows) {
    assert.equal(short(await resolve({ authority }, { listening })), want, authority);
  }
});

Deno.test("cmux: X-Cmux-* is stripped, and nothing else", async () => {
  const kept: Field[] = [
    ["accept", "*/*"],
    ["x-cmuxer", "1"],
    ["x-forwarded-for", "192.0.2.1"],
    ["x-cmux", "1"],
  ];
  const fields: Field[] = [
    [PORT, "3000"],
    kept[0],
    [WORKSPACE, "workspace-1"],
    kept[1],
    [OVERRIDE, "a.example"],
    ["x-cmux-proxied", "true"],
    ["x_cmux_port_internal", "22"],
    ["x-cmux_port-internal", "22"],
    kept[2],
    kept[3],
  ];
  const route = await resolve({ fields });
  assert.deepEqual((route as CmuxTarget).fields, kept);
  assert.deepEqual(withoutCmux(fields), kept);
});

Deno.test("cmux: a target says what it is", async () => {
  const vscode = await resolve({ fields: [[PORT, "39378"]] }) as CmuxTarget;
  assert.equal(vscode.service, "vscode");
  assert.equal(vscode.url, "http://127.0.0.1:39378");
  assert.equal(vscode.rawTcp, false);
  assert.equal(vscode.dial.tls, undefined);
  const connect = { method: "CONNECT", authority: "example.com:443" };
  const raw = await resolve({ ...connect, fields: [[PORT, "12345"]] }) as CmuxTarget;
  assert.equal(raw.service, null);
  assert.equal(raw.rawTcp, true);
  const socket = await resolve({
    ...connect,
    protocol: "websocket",
    authority: "localhost",
    fields: [[PORT, "12345"]],
  }) as CmuxTarget;
  assert.equal(socket.rawTcp, false);
});

Deno.test("cmux: known ports", async () => {
  const known: [port: string, service: string | null][] = [
    ["39376", "extension"],
    ["39377", "worker"],
    ["39378", "vscode"],
    ["39379", "proxy"],
    ["39380", "vnc"],
    ["39381", "cdp"],
    ["12345", null],
  ];
  for (const [port, service] of known) {
    assert.equal((await resolve({ fields: [[PORT, port]] }) as CmuxTarget).service, service);
  }
});

Deno.test("cmux: Socket.IO passes as anything else", async () => {
  const fields: Field[] = [[PORT, "3000"]];
  const request = asked({ protocol: "websocket", fields });
  const path = "/socket.io/?EIO=4&transport=websocket";
  const route = await resolveCmux({ ...request, path }, CMUX_DEFAULTS);
  assert.equal(short(route), "127.0.0.1:3000");
});

Deno.test("cmux: what the client reads when its port can't be reached", () => {
  assert.equal(cmuxUnreachable(false, "refused"), "upstream request error: refused");
  assert.equal(cmuxUnreachable(true, "refused"), "upstream upgrade error: refused");
});

Deno.test("cmux: what to do where only 127.0.0.1 is up", () => {
  for (const os of ["linux", "android", "windows"]) assert.equal(loopbackAdvice(os), null, os);
  for (const os of ["darwin", "freebsd"]) assert.match(loopbackAdvice(os) ?? "", /alias 127\.18/);
});

Deno.test({
  name: "cmux: the same port of two workspaces is two servers",
  ignore: loopbackAdvice(Deno.build.os) !== null,
  async fn() {
    const first = Deno.listen({ hostname: workspaceAddress("workspace-a")!, port: 0 });
    const { port } = first.addr as Deno.NetAddr;
    const second = Deno.listen({ hostname: workspaceAddress("workspace-b")!, port });
    for (const [name, listener] of [["workspace-a", first], ["workspace-b", second]] as const) {
      const route = await resolve({ authority: `${name}-${port}.localhost` }) as CmuxTarget;
      const [stream, conn] = await Promise.all([
        dial(route.dial, new AbortController().signal),
        listener.accept(),
      ]);
      stream.abort();
      conn.close();
    }
    first.close();
    second.close();
  },
});
