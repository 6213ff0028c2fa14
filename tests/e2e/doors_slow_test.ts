// Clients that are slow for ever: each holds its stream or connection for the time that the flags
// give it, and the backend's connection no longer.
import assert from "node:assert/strict";
import { openH2, TUNNELS } from "../support/door_clients.ts";
import { type Doors, withDoors } from "../support/doors.ts";
import { fromBackend, fromClient } from "../support/frames.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import {
  h2Data,
  h2Get,
  h2Window,
  type RawH2,
  type RawH2Options,
  SettingId,
} from "../support/raw_h2.ts";
import { connectFields, dataFrame } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";

const SOON = { writeTimeoutMs: 400, handshakeTimeoutMs: 400, readTimeoutMs: 400 };
/** It is the client alone that is slow, however much else the machine does. */
const SLOW_CLIENT = { ...SOON, readTimeoutMs: 20_000 };
const OK = "HTTP/1.1 200 OK\r\n";
const LARGE = `${OK}Content-Length: ${64 << 20}\r\n\r\n`;
const POST = h2Get("/x").map(([name, value]) =>
  [name, name === ":method" ? "POST" : value] as const
);

/** Asks for what is too large for any buffer, and takes nothing of it. */
const STUCK: Record<string, (t: Doors) => Promise<void>> = {
  async h1(t) {
    const client = await t.h1();
    client.stopReading();
    client.send("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  },
  async h1s(t) {
    const client = await t.h1s();
    client.stopReading();
    client.send("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  },
  async "h2 with a window of the stream of 0"(t) {
    const client = await t.h2({ settings: [[SettingId.INITIAL_WINDOW_SIZE, 0]] });
    client.request(h2Get("/x"));
  },
  async "h2c with a window of the stream that stays at 0"(t) {
    const client = await t.h2c({ opensWindows: false });
    client.write(h2Window(0, 1 << 30));
    client.request(h2Get("/x"));
  },
  async "h2 with a window of the connection that stays at 0"(t) {
    const client = await t.h2({
      settings: [[SettingId.INITIAL_WINDOW_SIZE, 1 << 30]],
      opensWindows: false,
    });
    client.request(h2Get("/x"));
  },
  async "h2c that does not read"(t) {
    const client = await t.h2c({ settings: [[SettingId.INITIAL_WINDOW_SIZE, 1 << 30]] });
    client.write(h2Window(0, 1 << 30));
    await client.roundTrip();
    client.stopReading();
    client.request(h2Get("/x"));
  },
  async "h2 that does not read"(t) {
    const client = await t.h2({ settings: [[SettingId.INITIAL_WINDOW_SIZE, 1 << 30]] });
    client.write(h2Window(0, 1 << 30));
    await client.roundTrip();
    client.stopReading();
    client.request(h2Get("/x"));
  },
  async h3(t) {
    const quic = await t.connect();
    const request = connectFields({ method: "GET", protocol: null, path: "/x" });
    await (await quic.request(request)).fin();
  },
};

Deno.test("doors: slow: RFC 9114 §4.1.2: what is given up over h3 does not look whole to who reads on", async () => {
  await withDoors(SLOW_CLIENT, async (t) => {
    const quic = await t.connect();
    const request = connectFields({ method: "GET", protocol: null, path: "/x" });
    const stream = await quic.request(request);
    await stream.fin();
    const conn = await t.backend.accept();
    await conn.request();
    conn.write(`${OK}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    for (let i = 0; i < 200; i++) conn.write(chunk);
    await until("the record", () => t.seen.requests.length > 0);
    await stream.answer();
    assert.match(stream.trailers?.[0][0] ?? "", /^:/);
  });
});

for (const [door, ask] of Object.entries(STUCK)) {
  Deno.test(`doors: slow: an answer that is not taken over ${door} is given up in time`, async () => {
    await withDoors(SLOW_CLIENT, async (t) => {
      await ask(t);
      const conn = await t.backend.accept();
      await conn.request();
      conn.write(LARGE);
      const part = new Uint8Array(64 * 1024);
      const push = () => {
        while (!conn.socket.destroyed && conn.socket.write(part));
      };
      conn.socket.on("drain", push);
      push();
      await until("the record", () => t.seen.requests.length > 0);
      assert.equal(t.seen.requests.length, 1);
      assert.match(t.seen.requests[0].broken, /^client: /);
      await until("the backend's connection is let go", () => conn.socket.destroyed);
    });
  });
}

/** Sends half of a content, and no more. */
const HALF: Record<string, (t: Doors) => Promise<void>> = {
  async h1(t) {
    (await t.h1()).send("POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nabc");
  },
  async h1s(t) {
    const client = await t.h1s();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  },
  async h2c(t) {
    (await t.h2c()).request(POST, (id) => [h2Data(id, "abc")]);
  },
  async h2(t) {
    (await t.h2()).request([...POST, ["content-length", "9"]], (id) => [h2Data(id, "abc")]);
  },
  async h3(t) {
    const quic = await t.connect();
    const request = connectFields({ method: "POST", protocol: null, path: "/x" });
    await quic.request(request, dataFrame(new Uint8Array(3)));
  },
};

for (const [door, send] of Object.entries(HALF)) {
  Deno.test(`doors: slow: content that stops half way over ${door} is given up in time`, async () => {
    await withDoors(SOON, async (t) => {
      await send(t);
      const conn = await t.backend.accept();
      await conn.request();
      // RFC 9112 §8: the backend must not take it for whole.
      const rest = new TextDecoder().decode(await conn.inbox.rest());
      assert.doesNotMatch(rest, /(?:^|\r\n)0\r\n\r\n$/);
      await until("the record", () => t.seen.requests.length > 0);
      assert.equal(t.seen.requests.length, 1);
      assert.match(t.seen.requests[0].broken, /^client: /);
    });
  });
}

for (const door of ["h2c", "h2"] as const) {
  Deno.test(`doors: slow: a window of 0 for ever over ${door} ends its WebSocket alone`, async () => {
    await withDoors(SLOW_CLIENT, async (t) => {
      const client: RawH2 = await t[door]({ opensWindows: false });
      client.write(h2Window(0, 1 << 30));
      const opening = openH2(client);
      const slow = await t.backend.upgrade();
      const { id } = await opening;
      const second = openH2(client);
      const good = await t.backend.upgrade();
      const tunnel = await second;
      const frame = fromBackend.frame(Opcode.BINARY, new Uint8Array(64 * 1024));
      for (let i = 0; i < 100; i++) slow.write(frame);
      await until("the record", () => t.seen.closed.length > 0);
      const { by, reason } = t.seen.closed[0];
      assert.deepEqual([by, reason], ["proxy:slow", "client reads too slowly"]);
      const stream = await client.over(id);
      assert.notEqual(stream.reset, null, "nothing says that it is whole");
      tunnel.send(fromClient.text("still"));
      assert.equal(new TextDecoder().decode((await good.frame())!.payload), "still");
      good.write(fromBackend.text("here"));
      assert.equal(new TextDecoder().decode((await tunnel.inbox.frame())!.payload), "here");
      assert.deepEqual(client.goaways, []);
      tunnel.fin();
      await good.inbox.rest();
      good.fin();
      await until("all ends", () => t.proxy.sessions === 0);
    });
  });
}

/** Whose window it is that stays at 0, once what it begins with is used up. */
const CLOSED_WINDOWS: Record<string, { options: Partial<RawH2Options>; first: Uint8Array[] }> = {
  "each stream's": {
    options: { settings: [[SettingId.INITIAL_WINDOW_SIZE, 0]], opensWindows: false },
    first: [h2Window(0, 1 << 30)],
  },
  "the connection's": {
    options: { settings: [[SettingId.INITIAL_WINDOW_SIZE, 1 << 30]], opensWindows: false },
    first: [],
  },
};

for (const door of ["h2c", "h2"] as const) {
  for (const [whose, { options, first }] of Object.entries(CLOSED_WINDOWS)) {
    Deno.test(`doors: slow: RFC 9113 §6.9: ${whose} window of 0 for ever over ${door}, with a session and an answer that wait`, async () => {
      await withDoors({ ...SOON, readTimeoutMs: 20_000, writeTimeoutMs: 2_000 }, async (t) => {
        const client = await t[door](options);
        if (first.length > 0) client.write(...first);
        const opening = openH2(client);
        const peer = await t.backend.upgrade();
        const { id, send } = await opening;
        const answered = client.request(h2Get("/x"));
        const conn = await t.backend.accept();
        await conn.request();
        // What needs a window waits, once nothing is left of it; what needs none goes on.
        const frame = fromBackend.frame(Opcode.BINARY, new Uint8Array(64 * 1024));
        for (let i = 0; i < 100; i++) peer.write(frame);
        conn.write(LARGE + "x".repeat(8 << 20));
        assert.equal((await client.head(answered)).status, 200);
        send(fromClient.text("up"));
        assert.equal(new TextDecoder().decode((await peer.frame())!.payload), "up");
        assert.equal((await client.head(client.request(h2Get("/healthz")))).status, 200);
        assert.deepEqual([t.seen.closed, t.seen.requests], [[], []], "both still wait");
        // In time both are given up, and their backends let go.
        const { by, reason } = await t.seen.end();
        assert.deepEqual([by, reason], ["proxy:slow", "client reads too slowly"]);
        await until("the record", () => t.seen.requests.length > 0);
        assert.match(t.seen.requests[0].broken, /^client: /);
        for (const backend of [peer, conn]) await backend.inbox.rest().catch(() => {});
        for (const stream of [id, answered]) {
          assert.notEqual((await client.over(stream)).reset, null, "nothing says that it is whole");
        }
        await client.roundTrip();
        assert.deepEqual(client.goaways, []);
        assert.equal((await (await t[door]()).get("/healthz")).status, 200);
      });
    });
  }
}

for (const [door, open] of Object.entries(TUNNELS)) {
  Deno.test(`doors: slow: a tunnel over ${door} of which both sides are silent ends as idle`, async () => {
    await withDoors({ readTimeoutMs: 400, pingIntervalMs: 0 }, async (t) => {
      const opening = open(t);
      const backend = await t.backend.upgrade();
      const client = await opening;
      const { by } = await t.seen.end();
      assert.equal(by, "proxy:idle");
      await backend.inbox.rest();
      backend.fin();
      client.fin();
    });
  });
}
