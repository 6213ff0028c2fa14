// deno-lint-ignore-file no-console -- the run says what it has shown
// Every door before every kind of backend: each case says what the client saw, what the backend saw
// and how the one record of the session's end reads. Each cell leaves nothing behind.
import assert from "node:assert/strict";
import type { Dialer } from "../../src/net/dial.ts";
import { routeDialer } from "../../src/tunnel/route_dialer.ts";
import { testCertificates, type TestProxy, withProxy } from "../support/proxy.ts";
import type { Case, Cell } from "../support/tunnel_cell.ts";
import { type Door, DOORS, type TunnelClient } from "../support/tunnel_client.ts";
import { H1TunnelClient } from "../support/tunnel_h1.ts";
import { H2TunnelClient } from "../support/tunnel_h2.ts";
import { H3TunnelClient } from "../support/tunnel_h3.ts";
import { type BackendKind, BACKENDS, CASES, matrixMarkdown } from "../support/tunnel_matrix.ts";
import { withTunnel } from "../tunnel/support.ts";
import { until } from "../support/until.ts";

/** The cells that passed. */
const passed = new Set<string>();

function cellName(door: string, out: BackendKind, { group, name }: Case): string {
  return `${door} to ${out}: ${group}: ${name}`;
}

async function connect({ proxy }: TestProxy, door: Door): Promise<TunnelClient> {
  const { caPem } = await testCertificates();
  const port = door.secure ? proxy.port : proxy.plainPort!;
  const options = { port, ...(door.secure ? { caPem } : {}) };
  if (door.http === "1.1") return new H1TunnelClient(options);
  if (door.http === "2") return await H2TunnelClient.connect(options);
  return await H3TunnelClient.connect({ port, caPem });
}

/** A proxy with all its doors, before a backend of this kind. */
async function withDoors(
  { out, down }: { out: BackendKind; down: boolean },
  body: (t: TestProxy) => Promise<void>,
): Promise<void> {
  if (out === "ws" || out === "wss") {
    return await withProxyBefore({ tls: out === "wss", down }, body);
  }
  // Each by another link.
  const transports = out === "agent" ? ["quic"] as const : ["ws"] as const;
  await withTunnel({ transports }, async ({ gateway: { gateway } }) => {
    const dialer = routeDialer(gateway, "default");
    await withProxyBefore({ tls: out === "agent+tls", down, dialer }, async (t) => {
      await body(t);
      await until("the end of all tunnelled connections", () => gateway.connections === 0);
    });
  });
}

async function withProxyBefore(
  { tls: isTls, down, dialer }: { tls: boolean; down: boolean; dialer?: Dialer },
  body: (t: TestProxy) => Promise<void>,
): Promise<void> {
  const { caPem, certPem, keyPem } = await testCertificates();
  const alpnProtocols = ["http/1.1"];
  const listen = { tls: { cert: certPem, key: keyPem, ALPNProtocols: alpnProtocols } };
  const tls = { serverName: "localhost", caCerts: [caPem], alpnProtocols, insecure: false };
  const dial = {
    hostname: "127.0.0.1",
    port: portOfNobody(),
    tls: isTls ? tls : undefined,
    dialer,
  };
  await withProxy({
    tcp: true,
    plainListen: { hostname: "127.0.0.1", port: 0 },
    upgrades: ["*"],
    dialer,
    ...(isTls ? { dialTls: tls, backendListen: listen } : {}),
    ...(down ? { backend: { dial } } : {}),
  }, body);
}

function portOfNobody(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function run(t: TestProxy, at: { door: Door; client: TunnelClient }, row: Case) {
  const { seen, backend } = t;
  for (const list of [seen.opened, seen.closed, seen.rejections, seen.failures, seen.bugs]) {
    list.length = 0;
  }
  const none = () => ({ bytes: 0, messages: 0, frames: 0 });
  const cell: Cell = { ...at, backend, passed: { toBackend: none(), toClient: none() } };
  await row.run(cell);
  await t.idle();
  checkRecords(t, cell, row);
}

/** The one record of a session's end, or the one line of a refusal. */
function checkRecords({ seen }: TestProxy, { door, passed }: Cell, row: Case): void {
  const { end, protocol = "websocket", subprotocol = null, rejected, failed } = row;
  assert.equal(seen.opened.length, end === null ? 0 : 1, "sessions that were opened");
  assert.equal(seen.closed.length, end === null ? 0 : 1, "records of a session's end");
  const rejections = rejected === undefined ? [] : [{ ...rejected, path: "/ws" }];
  assert.deepEqual(seen.rejections, rejections);
  assert.deepEqual(seen.failures.map(({ stage }) => stage), failed === undefined ? [] : [failed]);
  assert.deepEqual(seen.bugs, []);
  if (end === null) return;
  const [record] = seen.closed;
  const { by, code, reason, http, path, authority } = record;
  assert.deepEqual({ by, code, ...(end.reason === undefined ? {} : { reason }) }, end, reason);
  const at = { http, path, authority };
  assert.deepEqual(at, { http: door.http, path: "/ws", authority: "localhost" });
  assert.equal(record.protocol, protocol);
  assert.equal(record.subprotocol, subprotocol);
  assert.match(record.client, /^127\.0\.0\.1:\d+$/);
  assert.deepEqual({ toBackend: record.toBackend, toClient: record.toClient }, passed);
}

/** All cases of a door that this proxy is for. */
async function runAll(
  context: Deno.TestContext,
  { t, door, out, rows }: { t: TestProxy; door: Door; out: BackendKind; rows: readonly Case[] },
): Promise<void> {
  let client = await connect(t, door);
  try {
    for (const row of rows) {
      const name = cellName(door.id, out, row);
      const good = await context.step({
        name,
        fn: () => run(t, { door, client }, row),
        // The connection outlives it; the whole test is looked through.
        ...{ sanitizeOps: false, sanitizeResources: false },
      });
      if (good) {
        passed.add(name);
        continue;
      }
      // What it left behind must not count in the next cell.
      await client.close();
      await Promise.all(t.backend.connections.map((conn) => conn.destroy()));
      await until("the end of a cell that failed", () => t.proxy.sessions === 0);
      client = await connect(t, door);
      t.seen.connectionEnds.length = 0;
    }
    // What goes wrong on one stream hurts no other: there was one connection for all of them.
    if (door.shared) assert.deepEqual(t.seen.connectionEnds, []);
  } finally {
    await client.close();
  }
  await until("the end of the door's connections", () => t.proxy.connections === 0);
}

for (const out of BACKENDS) {
  for (const door of DOORS) {
    Deno.test(`matrix: ${door.title} in, ${out}:// out`, async (context) => {
      for (const down of [false, true]) {
        const rows = CASES.filter(({ backendDown = false }) => backendDown === down);
        await withDoors({ out, down }, (t) => runAll(context, { t, door, out, rows }));
      }
    });
  }
}

Deno.test("matrix: every cell of the README's table was shown", () => {
  const missing = DOORS.flatMap(({ id }) =>
    BACKENDS.flatMap((out) => CASES.map((row) => cellName(id, out, row)))
  ).filter((name) => !passed.has(name));
  const shown = (door: string, group: string) =>
    BACKENDS.map((out) => {
      const rows = CASES.filter((row) => row.group === group);
      const good = rows.filter((row) => passed.has(cellName(door, out, row)));
      return good.length === rows.length ? `${out} ok` : `${out} ${good.length}/${rows.length}`;
    }).join(", ");
  console.log(matrixMarkdown(shown).split("\n\n", 1)[0]);
  assert.deepEqual(missing, []);
});
