// Through every door: a side that does not read stops the other one, and no other stream of its
// connection; the proxy holds no more than its windows. backpressure_test.ts has more for HTTP/3.
import assert from "node:assert/strict";
import { once } from "node:events";
import type * as net from "node:net";
import { encodeChunk } from "../../src/protocol/http1/chunk.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { type BackendConn, RawBackend } from "../support/backend.ts";
import { upgradeHead } from "../support/door_clients.ts";
import { RawH1 } from "../support/doors.ts";
import { fromBackend, fromClient } from "../support/frames.ts";
import { type ProxyProcess, startProxyProcess } from "../support/process.ts";
import { h2Data, h2Get, h2Window, h2Ws, RawH2, SettingId } from "../support/raw_h2.ts";
import { testCertificates } from "../support/proxy.ts";
import { connectFields, dataFrame, RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";

const MIB = 2 ** 20;
const PUSHED = 256 * MIB;
/** What a warm process takes more for its buffers and V8, on a machine that does much else. */
const MAY_GROW = 64 * MIB;
const PAYLOAD = new Uint8Array(64 * 1024);

interface Opened {
  proxy: ProxyProcess;
  plainPort: number;
  backend: RawBackend;
}

/** A client of one door that has asked for something. */
interface Client {
  /** Pushes chunks as fast as they are taken, up to `PUSHED`; gives how many bytes were. */
  push(chunk: Uint8Array): Promise<number>;
  /** Whether another stream of the same connection is served; `null` where there is none. */
  other: (() => Promise<void>) | null;
  close(): Promise<void>;
}

type What = "websocket" | "upload" | "download";

interface Door {
  /** Asks for a WebSocket, or sends the head of a POST, or of a GET; it reads nothing from then on. */
  open(t: Opened, what: What, path: string): Promise<Client>;
}

/** Writes as fast as it is let; resolves when all was taken or the way broke. */
async function pour(socket: net.Socket, chunk: Uint8Array): Promise<number> {
  let taken = 0;
  const gone = once(socket, "close").then(() => false, () => false);
  while (taken < PUSHED && !socket.destroyed) {
    if (!socket.write(chunk)) {
      const drained = once(socket, "drain").then(() => true, () => false);
      if (!await Promise.race([drained, gone])) break;
    }
    taken += chunk.length;
  }
  return taken;
}

const WARM = "/warm";
const SLOW = "/slow";

function headOf(what: What, path: string): string {
  if (what === "websocket") return upgradeHead(path);
  const method = what === "upload" ? "POST" : "GET";
  const framing = what === "upload" ? "Transfer-Encoding: chunked\r\n" : "";
  return `${method} ${path} HTTP/1.1\r\nHost: a.example\r\n${framing}\r\n`;
}

function h1(secure: boolean): Door {
  return {
    async open({ proxy, plainPort }, what, path) {
      const client = secure
        ? await RawH1.connect(proxy.port, proxy.caCerts)
        : await RawH1.connect(plainPort);
      client.send(headOf(what, path));
      if (what === "websocket") await client.has("\r\n\r\n");
      if (what !== "upload") client.stopReading();
      return {
        push: (chunk) => pour(client.socket, what === "upload" ? encodeChunk(chunk) : chunk),
        other: null,
        close: () => client.close(),
      };
    },
  };
}

function h2(secure: boolean): Door {
  return {
    async open({ proxy, plainPort }, what, path) {
      const client = await RawH2.connect({
        ...(secure ? { port: proxy.port, caCerts: proxy.caCerts } : { port: plainPort }),
        // What is not taken is that of the stream: the connection's window stays open.
        settings: [[SettingId.INITIAL_WINDOW_SIZE, 65_535]],
        opensWindows: false,
      });
      client.write(h2Window(0, 2 ** 30));
      const post = h2Get(path).map(([name, value]) =>
        [name, name === ":method" ? "POST" : value] as const
      );
      const section = { websocket: h2Ws(path), upload: post, download: h2Get(path) }[what];
      const id = client.request(section, what === "download" ? undefined : () => []);
      if (what === "websocket") await client.head(id);
      return {
        push: (chunk) => pourH2(client, id, chunk),
        async other() {
          assert.equal((await client.get("/healthz")).status, 200);
          assert.deepEqual(client.goaways, []);
        },
        close: () => client.close(),
      };
    },
  };
}

/** Sends as much as the windows let it; they are the client's own part of RFC 9113 §6.9. */
async function pourH2(client: RawH2, id: number, chunk: Uint8Array): Promise<number> {
  let taken = 0;
  while (taken < PUSHED) {
    const at = taken % chunk.length;
    const room = Math.min(client.room(id), 16_384, chunk.length - at);
    if (room > 0) {
      await client.writeAll(h2Data(id, chunk.subarray(at, at + room)));
      client.sent(id, room);
      taken += room;
    } else if (client.isClosed || client.stream(id).isOver) {
      break;
    } else {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return taken;
}

const H3: Door = {
  async open({ proxy: { port, caCerts } }, what, path) {
    const client = await RawClient.connect({ port, caCerts });
    const method = what === "upload" ? "POST" : "GET";
    const stream = what === "websocket"
      ? await client.connectWs({ path })
      : await client.request(connectFields({ method, protocol: null, path }));
    if (what === "websocket") await stream.response();
    if (what === "download") await stream.fin();
    return {
      async push(chunk) {
        const frame = dataFrame(chunk);
        let taken = 0;
        // A write that fails: the proxy takes no more of the stream.
        const isTaken = () => stream.write(frame).then(() => true, () => false);
        while (taken < PUSHED && await isTaken()) taken += chunk.length;
        return taken;
      },
      other: () => client.roundTrip(),
      async close() {
        client.close();
        await client.quic.closed;
      },
    };
  },
};

const DOORS: Record<string, Door> = {
  ...{ h1: h1(false), h1s: h1(true), h2c: h2(false), h2: h2(true), h3: H3 },
};

const BACKENDS = ["ws", "wss"] as const;
async function withProcess(
  out: typeof BACKENDS[number],
  body: (t: Opened) => Promise<void>,
): Promise<void> {
  const { certPem: cert, keyPem: key } = await testCertificates();
  const backend = await RawBackend.listen(out === "wss" ? { tls: { cert, key } } : {});
  await using proxy = await startProxyProcess({
    backendPort: backend.port,
    flags: [
      ...["--write-timeout", "3s", "--plain-listen", "127.0.0.1:0", "--path", "^/", "--requests"],
      ...["--log-level", "debug", "--backend-insecure"],
      ...["--backend", `${out}://127.0.0.1:${backend.port}`],
    ],
  });
  const line = proxy.log.find(({ event }) => event === "proxy.listening")!;
  const plainPort = Number(String(line.plainListen).split(":").at(-1));
  try {
    await body({ proxy, plainPort, backend });
    await until("no session", async () => await proxy.metric("h3ws_proxy_active_sessions") === 0);
    for (const conn of backend.connections) await conn.destroy();
    await until("no backend socket", () => proxy.socketsTo(backend.port) === 0);
  } finally {
    await backend.close();
  }
}

/** The most that the process's memory grew by while `work` went on. */
async function growth<T>(proxy: ProxyProcess, work: Promise<T>): Promise<number> {
  const before = proxy.rssBytes();
  let most = before;
  const timer = setInterval(() => most = Math.max(most, proxy.rssBytes()), 20);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  return most - before;
}

/** The proxy has seen everything once: its code's own memory is not what is measured. */
async function warmUp(t: Opened, door: Door): Promise<void> {
  for (const what of ["websocket", "download", "upload"] as const) {
    const opening = door.open(t, what, WARM);
    const conn = await t.backend.accept();
    await conn.request();
    if (what === "websocket") conn.upgrade();
    const client = await opening;
    const sink = drain(conn);
    const pushing = what === "download" ? null : client.push(frameOf("client"));
    if (what === "download") await answer(conn, 2 * MIB);
    else await until("16 MiB", () => conn.socket.bytesRead > 16 * MIB);
    await client.close();
    await pushing;
    // Its connection is kept.
    if (what === "download") await conn.destroy();
    await sink;
    await conn.destroy();
  }
}

async function drain({ inbox }: BackendConn): Promise<void> {
  try {
    while (await inbox.has(1)) await inbox.take(inbox.pending.length);
  } catch {
    // It has ended.
  }
}

async function answer({ socket }: BackendConn, bytes: number): Promise<void> {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
  for (let sent = 0; sent < bytes && !socket.destroyed; sent += PAYLOAD.length) {
    socket.write(PAYLOAD);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function frameOf(side: "client" | "backend"): Uint8Array {
  return (side === "client" ? fromClient : fromBackend).frame(Opcode.BINARY, PAYLOAD);
}

/** What is asked for, and who pushes; the other side does not read. */
type Way = [name: string, what: What, from: "client" | "backend"];

const WAYS: Way[] = [
  ["a WebSocket's client to its backend", "websocket", "client"],
  ["a WebSocket's backend to its client", "websocket", "backend"],
  ["a request to its backend", "upload", "client"],
  ["an answer to its client", "download", "backend"],
];

for (const [name, door] of Object.entries(DOORS)) {
  // TLS to the backend is the same way from every door: one door of each version will do.
  for (const out of BACKENDS.filter((out) => out === "ws" || !["h1", "h2c"].includes(name))) {
    Deno.test(`soak: 256 MiB through ${name} to ${out}:// against a side that does not read leave the proxy flat`, async (test) => {
      await withProcess(out, async (t) => {
        await warmUp(t, door);
        for (const way of WAYS) await test.step(way[0], () => check(t, door, way));
      });
    });
  }
}

/** When nothing moves any more on the slow stream. */
async function servesOthers({ other }: Client): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await other?.();
}

async function check(t: Opened, door: Door, [, what, from]: Way): Promise<void> {
  const opening = door.open(t, what, SLOW);
  const conn = await t.backend.accept();
  await conn.request();
  // TLS would read on by itself.
  if (from === "client") conn.stopReading();
  if (what === "websocket") conn.upgrade();
  const client = await opening;
  if (what === "download") conn.write(`HTTP/1.1 200 OK\r\nContent-Length: ${PUSHED}\r\n\r\n`);
  const pushing = from === "client"
    ? client.push(what === "upload" ? PAYLOAD : frameOf("client"))
    : pour(conn.socket, what === "websocket" ? frameOf("backend") : PAYLOAD);
  const told = {
    websocket: () => t.proxy.logged("ws.close", ({ by }) => by === "proxy:slow"),
    upload: () => t.proxy.logged("ws.error", ({ stage }) => stage === "backend_handshake"),
    download: () => t.proxy.logged("http.broken", ({ path }) => path === SLOW),
  }[what]();
  const grown = await growth(t.proxy, Promise.all([told, servesOthers(client)]));
  const line = await told;
  const slow = from === "client" ? "backend" : "client";
  if (what === "websocket") assert.equal(line.reason, `${slow} reads too slowly`);
  await client.close();
  if (from === "backend") conn.socket.destroy();
  const taken = await pushing;
  await conn.destroy();
  assert.ok(taken < PUSHED / 8, `${taken} bytes were taken`);
  assert.ok(grown < MAY_GROW, `RSS grew by ${grown} bytes`);
}
