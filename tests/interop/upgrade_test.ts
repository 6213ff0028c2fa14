// A protocol that is no WebSocket, from node:http and node:http2 to node:http: RFC 9110 §7.8 for
// HTTP/1.1, and RFC 8441 §4 (`:protocol`) for HTTP/2.
import assert from "node:assert/strict";
import * as http from "node:http";
import * as net from "node:net";
import * as tls from "node:tls";
import { latin1 } from "../support/inbox.ts";
import { within } from "../support/within.ts";
import { type Door, DOORS, type Doors, originOf, startDoors } from "./doors.ts";
import { NodeHttp2 } from "./node_http2.ts";
import { Raw, type RawPeer, UpgradeBackend } from "./upgrade_backend.ts";

/** One end, of either version. */
type End = Pick<Raw, "stream" | "inbox" | "fin">;

interface Opened {
  client: End;
  peer: RawPeer;
  status: number;
  /** The backend's own field, as it came. */
  kept: string | undefined;
}

interface Talk {
  proxy: Doors;
  door: Door;
  open(): Promise<Opened>;
}

/** Declares a test of every door of TCP, through one process of the proxy's. */
function test(name: string, body: (talk: Talk) => Promise<void>): void {
  Deno.test(`Upgrade: tcp by h1, h1s, h2c and h2: ${name}`, async () => {
    await using backend = await UpgradeBackend.listen();
    await using proxy = await startDoors({ backendPort: backend.port });
    for (const door of DOORS) {
      await using cleanup = new AsyncDisposableStack();
      const open = async () => {
        const opening = door.http === "2"
          ? openHttp2(door, proxy, cleanup)
          : openHttp1(door, proxy, cleanup);
        const [opened, peer] = await Promise.all([opening, backend.accept()]);
        return { ...opened, peer };
      };
      await body({ proxy, door, open });
    }
  });
}

async function openHttp1(
  { secure }: Door,
  { port, plainPort, caCerts }: Doors,
  cleanup: AsyncDisposableStack,
): Promise<Omit<Opened, "peer">> {
  const ways = { host: "127.0.0.1", allowHalfOpen: true };
  const socket = secure
    ? tls.connect({ ...ways, port, ca: caCerts, servername: "localhost" })
    : net.connect({ ...ways, port: plainPort });
  cleanup.defer(() => void socket.destroy());
  const request = http.request({
    createConnection: () => socket,
    path: "/raw?a=b",
    headers: { host: "localhost", connection: "keep-alive, Upgrade", upgrade: "tcp" },
  });
  const upgraded = new Promise<[http.IncomingMessage, Uint8Array]>((resolve, reject) => {
    request.once("upgrade", (response, _socket, head) => resolve([response, head]));
    request.once("error", reject);
  });
  request.end();
  const [{ statusCode, headers }, head] = await within("101 at node:http", upgraded);
  assert.equal(headers.upgrade, "tcp");
  const client = new Raw(socket, "from the proxy at node:http", head);
  return { client, status: statusCode!, kept: String(headers["x-kept"]) };
}

async function openHttp2(
  door: Door,
  proxy: Doors,
  cleanup: AsyncDisposableStack,
): Promise<Omit<Opened, "peer">> {
  const session = cleanup.use(await NodeHttp2.connect(originOf(door, proxy), proxy.caCerts[0]));
  const request = session.request([
    [":method", "CONNECT"],
    [":protocol", "tcp"],
    [":scheme", door.secure ? "https" : "http"],
    [":path", "/raw?a=b"],
    [":authority", "localhost"],
  ]);
  const { ":status": status, "x-kept": kept } = await request.response();
  return { client: request, status: Number(status), kept: String(kept) };
}

async function says(from: End, text: string, to: End): Promise<void> {
  from.stream.write(text);
  assert.equal(latin1(await to.inbox.take(text.length)), text);
}

test("the request is forwarded, and 101 with its fields and the bytes in its packet", async ({ door, open }) => {
  const { client, peer, status, kept } = await open();
  assert.equal(status, door.http === "2" ? 200 : 101);
  assert.equal(kept, "As It Is");
  assert.equal(latin1(await client.inbox.take(6)), "ready\n");
  const { method, url, headers } = peer.request;
  assert.deepEqual([method, url, headers.upgrade], ["GET", "/raw?a=b", "tcp"]);
  assert.equal(headers.connection?.toLowerCase(), "upgrade");
  assert.equal(headers["sec-websocket-key"], undefined);
  client.fin();
  assert.equal((await peer.inbox.rest()).length, 0);
  peer.fin();
  assert.equal((await client.inbox.rest()).length, 0);
});

test("half-close by the client: the backend goes on", async ({ proxy, open }) => {
  const { client, peer } = await open();
  await client.inbox.take(6);
  await says(client, "question", peer);
  client.fin();
  assert.equal((await peer.inbox.rest()).length, 0);
  assert.equal(peer.inbox.ending, "fin");
  await says(peer, "a long answer".repeat(10_000), client);
  peer.fin();
  assert.equal((await client.inbox.rest()).length, 0);
  assert.equal(client.inbox.ending, "fin");
  const { protocol } = await proxy.logged("ws.open");
  assert.equal(protocol, "tcp");
  // Its bytes each way.
  const closed = await proxy.logged("ws.close");
  assert.deepEqual([closed.toBackendBytes, closed.toClientBytes], [8, 6 + 130_000]);
});

test("half-close by the backend: the client goes on", async ({ open }) => {
  const { client, peer } = await open();
  await client.inbox.take(6);
  peer.fin();
  assert.equal((await client.inbox.rest()).length, 0);
  assert.equal(client.inbox.ending, "fin");
  await says(client, "x".repeat(100_000), peer);
  client.fin();
  assert.equal((await peer.inbox.rest()).length, 0);
  assert.equal(peer.inbox.ending, "fin");
});

test("16 MiB each way at once, whole", async ({ open }) => {
  const { client, peer } = await open();
  await client.inbox.take(6);
  const part = Uint8Array.from({ length: 2 ** 20 }, (_, i) => i * 31 + (i >> 8));
  const pass = async (from: End, to: End) => {
    for (let i = 0; i < 16; i++) {
      from.stream.write(part);
      assert.ok(same(await to.inbox.take(part.length), part));
    }
    from.fin();
    assert.equal((await to.inbox.rest()).length, 0);
  };
  await Promise.all([pass(client, peer), pass(peer, client)]);
});

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
