// Clients that mean harm, at a server: floods, and heads that never end. Each is answered in the words
// of its version, and nobody else notices.
import assert from "node:assert/strict";
import type { FetchHandler } from "../../src/server/fetch.ts";
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { DOOR_IDS, isOpen, say } from "../support/door_peers.ts";
import { answerAt } from "../support/doors.ts";
import { flood, FLOODS } from "../support/h2_floods.ts";
import { RawH2 } from "../support/raw_h2.ts";
import { connectFields, headersFrame, RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, type TestServer, withServer } from "./support.ts";

const fetch: FetchHandler = () => new Response("fine");

function rawH2(t: TestServer, door: "h2c" | "h2"): Promise<RawH2> {
  const { port, plainPort, caPem } = t;
  return RawH2.connect(door === "h2c" ? { port: plainPort } : { port, caCerts: [caPem] });
}

for (const door of ["h2c", "h2"] as const) {
  for (const row of FLOODS) {
    Deno.test(`hostile: ${door}: RFC 9113 §10.5: ${row.name}: ENHANCE_YOUR_CALM, and hurts no other`, async () => {
      await withServer({ fetch }, echo, async (t) => {
        const other = await t.peers.open(door);
        const client = await rawH2(t, door);
        await flood(client, row);
        assert.equal(await client.end(), H2Code.ENHANCE_YOUR_CALM);
        assert.equal(await say(other, "still"), "still");
        assert.deepEqual(t.errors(), []);
        await until("its end", () => t.server.connections === 1);
      });
    });
  }
}

Deno.test("hostile: h3: streams that are asked for and given up at once, 5,000 of them, leave nothing", async () => {
  let [open, most] = [0, 0];
  await withServer({ fetch, maxStreams: 20 }, async (request) => {
    const socket = await request.accept();
    most = Math.max(most, ++open);
    await socket.closed;
    open--;
  }, async (t) => {
    const client = await RawClient.connect({ port: t.port, caCerts: [t.caPem] });
    for (let i = 0; i < 5_000; i++) (await client.connectWs()).abort();
    assert.equal((await t.peers.ask("h3")).body, "fine");
    client.close();
    await client.quic.closed;
    await until("the end of all sockets", () => t.server.sockets.size === 0);
    assert.ok(most <= 20, `${most} at once, where one connection may have 20`);
    assert.deepEqual(t.errors(), []);
  });
});

/** RFC 9114 §6.2.1: the type of a control stream, then a SETTINGS frame without a setting. */
const CONTROL = Uint8Array.of(0x00, 0x04, 0x00);
const SETTINGS = Uint8Array.of(0x04, 0x00);

Deno.test("hostile: h3: RFC 9114 §7.2.4: a second SETTINGS ends the connection alone", async () => {
  await withServer({ fetch }, echo, async (t) => {
    const other = await t.peers.open("h3");
    const client = await RawClient.connect({ port: t.port, caCerts: [t.caPem], settings: false });
    const control = await client.quic.openUniStream();
    await control.write(CONTROL);
    await client.roundTrip();
    await control.write(SETTINGS);
    const { code } = await within("the end", client.quic.closed);
    assert.equal(code, H3Code.H3_FRAME_UNEXPECTED);
    assert.equal(await say(other, "still"), "still");
    assert.deepEqual(t.errors(), []);
  });
});

/** Trickles a byte for as long as it is let, so that no silence is ever long. */
const SLOW: Record<string, (t: TestServer) => Promise<void>> = {
  "a request line": async ({ peers }) => {
    const client = await peers.h1("h1");
    await trickle(() => client.send("G"), () => client.isOver);
    assert.match(client.got, /^HTTP\/1\.1 408 /);
  },
  "field lines over TLS": async ({ peers }) => {
    const client = await peers.h1("h1s");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    await trickle(() => client.send("X: y\r\n"), () => client.isOver);
    assert.match(client.got, /^HTTP\/1\.1 408 /);
  },
  "the preface of HTTP/2": async ({ peers }) => {
    const client = await peers.h1("h1");
    const bytes = [..."PRI * HTTP/2.0\r\n\r\n"];
    await trickle(() => client.send(bytes.shift() ?? ""), () => client.isOver);
  },
  "a field block of HTTP/2": async (t) => {
    const client = await rawH2(t, "h2");
    const head = client.headers(client.nextId(), connectFields({}, [["x", "y".repeat(300)]]));
    client.write(head.subarray(0, 12));
    let at = 12;
    await trickle(() => client.write(head.subarray(at, ++at)), () => client.isClosed);
    assert.equal(await client.end(), H2Code.ENHANCE_YOUR_CALM);
  },
  "a field section of HTTP/3": async ({ port, caPem }) => {
    const client = await RawClient.connect({ port, caCerts: [caPem] });
    const stream = await client.openStream();
    const head = headersFrame(connectFields({}, [["x", "y".repeat(300)]]));
    let [at, over] = [0, false];
    void stream.response().catch(() => {}).then(() => over = true);
    await trickle(() => void stream.write(head.subarray(at, ++at)).catch(() => {}), () => over);
    client.close();
    await client.quic.closed;
  },
};

async function trickle(send: () => void, isOver: () => boolean): Promise<void> {
  const startedMs = performance.now();
  while (!isOver()) {
    send();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(performance.now() - startedMs < 15_000, "it goes on for ever");
  }
}

for (const [name, run] of Object.entries(SLOW)) {
  Deno.test(`hostile: slowloris: ${name} that comes a byte at a time is ended in handshakeTimeoutMs, and reaches no handler`, async () => {
    let calls = 0;
    await withServer({ fetch, handshakeTimeoutMs: 300 }, () => void calls++, async (t) => {
      await run(t);
      assert.equal(calls, 0);
      assert.equal((await t.peers.ask("h2")).body, "fine");
      assert.deepEqual(t.errors(), []);
    });
  });
}

Deno.test("hostile: slowloris: 300 that hold a connection by each door of TCP keep nobody out, and are gone in time", async () => {
  const options = { fetch, handshakeTimeoutMs: 2_000, maxConnections: 1_000 };
  await withServer(options, echo, async (t) => {
    const clients = await Promise.all(
      Array.from({ length: 300 }, (_, i) => t.peers.h1(i % 2 === 0 ? "h1" : "h1s")),
    );
    for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: a");
    for (const door of DOOR_IDS) {
      const tunnel = await t.peers.open(door);
      assert.ok(isOpen(tunnel));
      assert.equal(await say(tunnel, door), door);
    }
    await until("their ends", () => clients.every(({ isOver }) => isOver));
    for (const { got } of clients) assert.equal(answerAt(got)?.status, 408);
  });
});

/** Half of a content, and no more. */
const HALF = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc";

for (const door of ["h1", "h1s"] as const) {
  Deno.test(`hostile: ${door}: content that stops for readTimeoutMs ends its request, and is no fault of the handler's`, async () => {
    const seen = Promise.withResolvers<unknown>();
    const read: FetchHandler = async (request) => {
      await request.text().catch(seen.resolve);
      return new Response("too late");
    };
    await withServer({ fetch: read, readTimeoutMs: 200 }, null, async ({ peers, errors }) => {
      const client = await peers.h1(door);
      client.send(HALF);
      assert.match(await client.ended(), /^HTTP\/1\.1 408 /);
      assert.ok(await within("the handler's error", seen.promise) instanceof Error);
      assert.deepEqual(errors(), []);
    });
  });
}
