// Issue 4, "Bad input": each gets a clear status or code, is told of once, and hurts nobody else.
import assert from "node:assert/strict";
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { TUNNELS } from "../support/door_clients.ts";
import { answerAt, type Doors, RawH1, withDoors } from "../support/doors.ts";
import { closeAndFin, fromBackend, fromClient, readClose } from "../support/frames.ts";
import { Flag, FrameType, h2Frame, h2Get, h2Ws, type RawH2 } from "../support/raw_h2.ts";
import { connectFields, headersFrame } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";

/** Another client, of the door in clear text. */
async function isServed(t: Doors): Promise<void> {
  const client = await RawH1.connect(t.proxy.plainPort!);
  client.send("GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n");
  await until("another client's answer", () => answerAt(client.got) !== null || client.isOver);
  assert.equal(answerAt(client.got)?.status, 200);
  await client.close();
}

const FAULTS: [name: string, frame: Uint8Array][] = [
  ["RFC 6455 §5.1: an unmasked client frame", fromBackend.text("hi")],
  [
    "RFC 6455 §5.2: RSV without an extension",
    fromClient.frame(Opcode.TEXT, "hi", { rsv: 4 }),
  ],
];

for (const [door, open] of Object.entries(TUNNELS)) {
  for (const [name, frame] of FAULTS) {
    Deno.test(`doors: hostile: ${name} over ${door} is 1002, and one record`, async () => {
      await withDoors({}, async (t) => {
        const opening = open(t);
        const backend = await t.backend.upgrade();
        const client = await opening;
        client.send(frame);
        assert.equal(readClose(await client.inbox.frame()).code, 1002);
        assert.equal((await closeAndFin(backend.inbox, true)).code, 1002);
        backend.fin();
        client.fin();
        const { by, code } = await t.seen.end();
        assert.deepEqual({ by, code }, { by: "proxy:error", code: 1002 });
        assert.deepEqual([t.seen.failures, t.seen.rejections], [[], []]);
        await isServed(t);
      });
    });
  }
}

interface BadHead {
  name: string;
  section: Field[];
  want: "reset" | number;
}

const MANY: Field[] = Array.from({ length: 10_000 }, (_, i): Field => [`x-${i}`, "y"]);

const BAD_HEADS: BadHead[] = [
  {
    name: "RFC 8441 §4: :protocol without CONNECT",
    section: [[":protocol", "websocket"], ...h2Get("/ws")],
    want: "reset",
  },
  {
    name: "RFC 9110 §9.3.6: an extended CONNECT with a content-length",
    section: h2Ws("/ws", [["content-length", "5"]]),
    want: 400,
  },
  {
    name: "RFC 9110 §9.3.6: a plain CONNECT with a content-length",
    section: [[":method", "CONNECT"], [":authority", "a.example:80"], ["content-length", "5"]],
    want: 501,
  },
  {
    name: "RFC 9113 §8.2.1: a header name in capitals",
    section: h2Get("/x", [["X-Big", "y"]]),
    want: "reset",
  },
  { name: "RFC 9113 §8.2.1: NUL in a value", section: h2Get("/x", [["x", "a\0b"]]), want: "reset" },
  {
    name: "a header section over the limit",
    section: h2Get("/x", [["x", "y".repeat(40_000)]]),
    want: 431,
  },
  { name: "2,000 header lines", section: h2Get("/x", MANY.slice(0, 2_000)), want: 431 },
  { name: "a path of 60,000 bytes", section: h2Get(`/${"x".repeat(60_000)}`), want: 431 },
];

/** A field section in as many frames as it needs. */
function inFrames(client: RawH2, id: number, section: readonly Field[]): Uint8Array {
  const block = client.block(section);
  const frames: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < block.length; at += 16384) {
    const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    const flags = (at === 0 ? Flag.END_STREAM : 0) |
      (at + 16384 >= block.length ? Flag.END_HEADERS : 0);
    frames.push(h2Frame([type, flags], id, block.subarray(at, at + 16384)));
  }
  return concat(frames);
}

for (const door of ["h2c", "h2"] as const) {
  Deno.test(`doors: hostile: heads that are none over ${door} end their stream alone`, async () => {
    for (const { name, section, want } of BAD_HEADS) {
      await withDoors({}, async (t) => {
        const client = await t[door]();
        const id = client.nextId();
        client.write(inFrames(client, id, section));
        const stream = await client.over(id);
        if (want === "reset") assert.equal(stream.reset, H2Code.PROTOCOL_ERROR, name);
        else assert.equal(stream.status, want, name);
        assert.equal((await client.get("/healthz")).status, 200, name);
        assert.deepEqual(client.goaways, [], name);
        assert.deepEqual([t.seen.rejections.length, t.seen.failures], [1, []], name);
        assert.notEqual(t.seen.rejectedFor[0], "", name);
        assert.equal(t.backend.connections.length, 0, name);
      });
    }
  });
}

for (const door of ["h2c", "h2"] as const) {
  Deno.test(`doors: hostile: RFC 9113 §10.5.1: 10,000 header lines over ${door} are ENHANCE_YOUR_CALM`, async () => {
    await withDoors({}, async (t) => {
      const [client, other] = [await t[door](), await t[door]()];
      client.write(inFrames(client, client.nextId(), h2Get("/x", MANY)));
      assert.equal(await client.end(), H2Code.ENHANCE_YOUR_CALM);
      assert.deepEqual([t.seen.failures.length, t.seen.rejections], [1, []]);
      assert.equal((await other.get("/healthz")).status, 200);
    });
  });
}

const BAD_REQUESTS: [name: string, bytes: string, status: number][] = [
  ["a request line of 1 MiB", `GET /${"x".repeat(1 << 20)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  [
    "10,000 header lines",
    `GET /x HTTP/1.1\r\nHost: a\r\n${MANY.map(([name]) => `${name}: y\r\n`).join("")}\r\n`,
    431,
  ],
  [
    "a header section over the limit",
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(40_000)}\r\n\r\n`,
    431,
  ],
  ["NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400],
  [
    "CONNECT with content",
    "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello",
    400,
  ],
];

for (const door of ["h1", "h1s"] as const) {
  for (const [name, bytes, status] of BAD_REQUESTS) {
    Deno.test(`doors: hostile: ${name} over ${door} is ${status}, and the end`, async () => {
      await withDoors({}, async (t) => {
        const client = await t[door]();
        client.send(bytes);
        await client.ended();
        assert.equal(answerAt(client.got)?.status, status);
        assert.equal(answerAt(client.got)?.end, client.got.length);
        assert.deepEqual([t.seen.rejections.length, t.seen.failures], [1, []]);
        assert.notEqual(t.seen.rejectedFor[0], "");
        await isServed(t);
      });
    });
  }
}

Deno.test("doors: hostile: RFC 9110 §9.3.6: an extended CONNECT with a content-length over h3 is 400", async () => {
  await withDoors({}, async (t) => {
    const quic = await t.connect();
    const stream = await quic.connectWs({}, [["content-length", "5"]]);
    assert.equal((await stream.response()).status, 400);
    await quic.roundTrip();
    assert.deepEqual(t.seen.rejections.map(({ status }) => status), [400]);
    await stream.fin();
  });
});

Deno.test("doors: hostile: 2,000 half-open connections keep no client from being served", async () => {
  await withDoors({ handshakeTimeoutMs: 3_000, maxConnections: 10_000 }, async (t) => {
    const held: RawH1[] = [];
    const { port, plainPort } = t.proxy;
    try {
      for (let i = 0; i < 500; i++) {
        held.push(
          ...await Promise.all([
            RawH1.connect(port),
            RawH1.connect(plainPort!),
            RawH1.connect(plainPort!),
            RawH1.connect(plainPort!),
          ]),
        );
        const [, slow, preface, body] = held.slice(-4);
        slow.send("GET / HTTP/1.1\r\nHost: a.exam");
        preface.send("PRI * HTTP/2.0\r\n\r\nSM\r\n");
        body.send("POST /healthz HTTP/1.1\r\nHost: a.example\r\nX: ");
        if (i % 100 === 0) await isServed(t);
      }
      assert.equal(held.length, 2_000);
      await isServed(t);
      assert.equal((await (await t.h2()).get("/healthz")).status, 200);
      const tls = await t.h1s();
      tls.send("GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n");
      await tls.has("\r\n\r\nok");
      await (await t.connect()).roundTrip();
      // In time they are all sent away.
      await until("their end", () => held.every(({ isOver }) => isOver));
    } finally {
      await Promise.all(held.map((client) => client.close()));
    }
    // RFC 9112 §9.6: an answer, here a 408, lingers for a while.
    await until("their end at the proxy", () => t.proxy.connections < 5);
  });
});

Deno.test("doors: hostile: 10,000 fields over h3 are 431", async () => {
  await withDoors({}, async (t) => {
    const quic = await t.connect();
    const section = connectFields({ method: "GET", protocol: null, path: "/x" }, MANY);
    const stream = await quic.openStream();
    await stream.write(headersFrame(section)).catch(() => {});
    assert.equal((await stream.response()).status, 431);
    await quic.roundTrip();
    assert.deepEqual(t.seen.rejections.map(({ status }) => status), [431]);
  });
});

// Each door limits connections that said nothing yet, that in clear text too.
Deno.test("doors: hostile: silent connections in clear text give way, as handshakes of TLS and QUIC do, and keep nobody out", async () => {
  await withDoors({ handshakeTimeoutMs: 20_000, maxConnections: 100 }, async (t) => {
    const held: RawH1[] = [];
    while (held.length < 100) held.push(await RawH1.connect(t.proxy.plainPort!));
    await until("all of them", () => t.proxy.connections === 100);
    // So long none of net/handshakes.ts has to give way.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await isServed(t);
    assert.equal((await (await t.h2()).get("/healthz")).status, 200);
    await (await t.connect()).roundTrip();
    await Promise.all(held.map((client) => client.close()));
  });
});
