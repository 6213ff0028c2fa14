// Issue 4, Build 7: CONNECT without :protocol in cmux mode: raw TCP to the port that a field names.
import assert from "node:assert/strict";
import * as net from "node:net";
import type { Field } from "../../src/protocol/wire/field.ts";
import { CMUX_DEFAULTS } from "../../src/proxy/cmux.ts";
import { DOOR_IDS, type DoorId, DoorPeers } from "../support/door_peers.ts";
import { withDoors } from "../support/doors.ts";
import { until } from "../support/until.ts";
import { deadPort, PORT, withCmux } from "./cmux_e2e.ts";

/** A server of bytes: what comes goes back in capitals, its end too. */
class RawServer implements AsyncDisposable {
  readonly #server: net.Server;
  readonly sockets: net.Socket[] = [];

  private constructor(onSocket: (socket: net.Socket) => void) {
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket);
      socket.on("error", () => {});
      onSocket(socket);
    });
  }

  static async listen(onSocket: (socket: net.Socket) => void): Promise<RawServer> {
    const server = new RawServer(onSocket);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

function capitals(socket: net.Socket): void {
  socket.on("data", (bytes) => socket.write(String(bytes).toUpperCase()));
  socket.on("end", () => socket.end("BYE"));
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (text: string) => new TextEncoder().encode(text);

for (const door of DOOR_IDS) {
  Deno.test(`cmux: CONNECT over ${door}: raw TCP to the port that the field names, with half-close`, async () => {
    await withCmux({}, async (peers, t) => {
      await using server = await RawServer.listen(capitals);
      const fields: Field[] = [[PORT, String(server.port)]];
      const tunnel = await peers.open(door, {
        ...{ protocol: null, fields, authority: "anything.example:443" },
      });
      assert.deepEqual([tunnel.status, tunnel.body], [200, ""]);
      // RFC 9110 §9.3.6: neither length nor transfer coding.
      for (const name of ["content-length", "transfer-encoding", "upgrade", "connection"]) {
        assert.equal(tunnel.get(name), null, name);
      }
      tunnel.send(bytes("hello "));
      assert.equal(text(await tunnel.inbox.take(6)), "HELLO ");
      tunnel.send(bytes("world"));
      tunnel.fin();
      assert.equal(text(await tunnel.inbox.rest()), "WORLDBYE");
      assert.equal(tunnel.inbox.ending, "fin");
      const { by, code, reason } = await t.seen.end();
      assert.deepEqual({ by, code, reason }, { by: "client", code: 1005, reason: "" });
      const [{ protocol, http, toBackend, toClient }] = t.seen.closed;
      assert.deepEqual([protocol, toBackend.bytes, toClient.bytes], ["tcp", 11, 14]);
      assert.equal(http, door.startsWith("h1") ? "1.1" : door.startsWith("h2") ? "2" : "3");
    });
  });

  Deno.test(`cmux: CONNECT over ${door}: who speaks first, a workspace's port, what is refused`, async () => {
    await withCmux({}, async (peers, t) => {
      await using server = await RawServer.listen((socket) => socket.end("220 ready"));
      const connect = (fields: Field[], authority = "a.example:1") =>
        peers.open(door, { protocol: null, fields, authority });
      const tunnel = await connect([[PORT, String(server.port)]]);
      assert.equal(text(await tunnel.inbox.rest()), "220 ready");
      tunnel.fin();
      const rows: [fields: Field[], status: number, text: RegExp][] = [
        [[], 400, /^missing required header: X-Cmux-Port-Internal\n$/],
        [[[PORT, "22"]], 403, /^port not allowed: 22\n$/],
        [[[PORT, String(t.proxy.port)]], 508, /^Loop detected in proxy\n$/],
        [[[PORT, String(await deadPort())]], 502, /^upstream upgrade error: .*refused/i],
      ];
      for (const [fields, status, text] of rows) {
        const refusal = await connect(fields);
        assert.equal(refusal.status, status);
        assert.match(refusal.body, text);
      }
      // The port of the authority is never dialled.
      assert.equal((await connect([], `127.0.0.1:${server.port}`)).status, 400);
      assert.equal(server.sockets.length, 1);
      // A CONNECT has no path that it could be refused for.
      assert.deepEqual(
        t.seen.rejections,
        [400, 403, 508, 400].map((status) => ({ reason: "address", status, path: "" })),
      );
    });
  });

  Deno.test(`cmux: CONNECT over ${door}: 501 without cmux, and where tunnels are off`, async () => {
    await using server = await RawServer.listen(capitals);
    const asked = {
      ...{ protocol: null, authority: `127.0.0.1:${server.port}` },
      fields: [[PORT, String(server.port)]] as Field[],
    };
    const off = { h1: false, h2: false, h3: false };
    for (const options of [{}, { cmux: CMUX_DEFAULTS, tunnels: off }]) {
      await withDoors(options, async (t) => {
        const { port, plainPort } = t.proxy;
        await using peers = new DoorPeers({ port, plainPort, caPem: t.caCerts[0] });
        assert.equal((await peers.open(door, asked)).status, 501);
        assert.equal(server.sockets.length, 0);
      });
    }
  });
}

Deno.test("cmux: CONNECT: it ends with its session limit, with a drain, and with a client that goes", async () => {
  const options = { cmux: CMUX_DEFAULTS, maxSessions: 1 };
  await withDoors(options, async (t) => {
    const { port, plainPort } = t.proxy;
    await using peers = new DoorPeers({ port, plainPort, caPem: t.caCerts[0] });
    await using server = await RawServer.listen(capitals);
    const fields: Field[] = [[PORT, String(server.port)]];
    const connect = (door: DoorId) =>
      peers.open(door, { protocol: null, fields, authority: "a:1" });
    await connect("h1");
    assert.equal((await connect("h2")).status, 503);
    // All connections of the client break off, and so does the one to the port.
    await peers.close();
    await until(
      "the end of the port's connection",
      () => server.sockets[0].destroyed || server.sockets[0].readableEnded,
    );
    await until("the end of the session", () => t.proxy.sessions === 0);
    const tunnel = await connect("h2");
    assert.equal(tunnel.status, 200);
    tunnel.send(bytes("a"));
    assert.equal(text(await tunnel.inbox.take(1)), "A");
    await t.proxy.drain(1_000);
    assert.equal(t.seen.closed.at(-1)?.by, "proxy:drain");
  });
});

for (const door of ["h1", "h1s"] as const) {
  Deno.test(`cmux: CONNECT over ${door}: no byte behind the head is lost, nor taken for a request`, async () => {
    await withCmux({}, async (peers, t) => {
      await using server = await RawServer.listen(capitals);
      const head = (port: number) =>
        `CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n${PORT}: ${port}\r\n\r\n`;
      const client = await peers.h1(door);
      client.send(`${head(server.port)}get / http/1.1\r\n\r\n`);
      await client.has("GET / HTTP/1.1\r\n\r\n");
      assert.match(client.got, /^HTTP\/1\.1 200 /);
      client.fin();
      assert.match(await client.ended(), /BYE$/);
      const refused = await peers.h1(door);
      refused.send(`${head(22)}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      const got = await refused.ended();
      assert.match(got, /^HTTP\/1\.1 403 /);
      assert.equal(got.match(/HTTP\/1\.1 /g)?.length, 1, got);
      // RFC 9110 §9.3.6: a CONNECT has no content.
      const content = await peers.h1(door);
      content.send(head(server.port).replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nhi"));
      assert.match(await content.ended(), /^HTTP\/1\.1 400 /);
      assert.equal(server.sockets.length, 1);
      await until("the end of the session", () => t.proxy.sessions === 0);
    });
  });
}
