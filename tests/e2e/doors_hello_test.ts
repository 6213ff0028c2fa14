// TLS client hellos that are cut off: each is one failed handshake, told of once, and hurts nobody else.
import assert from "node:assert/strict";
import * as net from "node:net";
import type { RefusalKind } from "../../src/net/accepted.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { RawH1, withDoors } from "../support/doors.ts";
import { until } from "../support/until.ts";

/** RFC 8446 §4.1.2: a hello as a client sends it. */
async function clientHello(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const server = net.createServer((socket) => {
    socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new RawH1((server.address() as net.AddressInfo).port, []);
  await until("a hello", () => chunks.length > 0);
  await client.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return concat(chunks);
}

const HELLOS: [name: string, bytes: (hello: Uint8Array) => Uint8Array, how: "fin" | "wait"][] = [
  ["nothing, and FIN", () => new Uint8Array(0), "fin"],
  ["a hello cut off by FIN", (hello) => hello.subarray(0, 60), "fin"],
  ["a hello cut off by silence", (hello) => hello.subarray(0, 60), "wait"],
  ["no hello at all", () => new Uint8Array(0), "wait"],
  ["what is no hello", () => new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), "wait"],
];

for (const [name, bytes, how] of HELLOS) {
  Deno.test(`doors: hostile: TLS: ${name} is one failed handshake`, async () => {
    const hello = await clientHello();
    await withDoors({ handshakeTimeoutMs: 300 }, async (t) => {
      const client = await RawH1.connect(t.proxy.port);
      client.send(bytes(hello));
      if (how === "fin") client.fin();
      await client.ended();
      await until("the record", () => t.seen.handshakeFailures.length > 0);
      assert.equal(t.seen.handshakeFailures.length, 1);
      assert.deepEqual([t.seen.failures, t.seen.rejections], [[], []]);
      assert.equal((await (await t.h2()).get("/healthz")).status, 200);
      await client.close();
    });
  });
}

/** RFC 8446 §5.1, §4.1.2: the record's header, the message's, the version, the random, and what follows. */
function placesIn(hello: Uint8Array): number[] {
  const heads = Array.from({ length: 48 }, (_, i) => i);
  const others = Array.from({ length: Math.ceil(hello.length / 29) }, (_, i) => 48 + 29 * i);
  return [...heads, ...others.filter((at) => at < hello.length - 1), hello.length - 1];
}

/** How the client goes on behind what it has said, and what is told of it. */
const CUTS: Record<string, { cut(client: RawH1): void; kind: RefusalKind }> = {
  FIN: { cut: (client) => client.fin(), kind: "lost" },
  RST: { cut: (client) => client.reset(), kind: "lost" },
  silence: { cut: () => {}, kind: "timeout" },
};

for (const [name, { cut, kind }] of Object.entries(CUTS)) {
  Deno.test(`doors: hostile: TLS: RFC 8446 §4.1.2: a hello cut off anywhere by ${name} is one failed handshake`, async () => {
    const hello = await clientHello();
    const places = placesIn(hello);
    await withDoors({ handshakeTimeoutMs: 1_500 }, async (t) => {
      const other = await t.h2();
      const clients = await Promise.all(places.map(async (at) => {
        const client = await RawH1.connect(t.proxy.port);
        client.send(hello.subarray(0, at));
        return client;
      }));
      // Who comes later is accepted later: those before it are all there.
      assert.equal((await (await t.h2()).get("/healthz")).status, 200);
      clients.forEach(cut);
      await until("their records", () => t.seen.handshakeFailures.length >= places.length);
      assert.equal((await (await t.h2()).get("/healthz")).status, 200);
      assert.equal((await other.get("/healthz")).status, 200);
      const told = t.seen.handshakeFailures.map(({ kind }) => kind);
      assert.deepEqual(told, places.map(() => kind));
      assert.deepEqual([t.seen.failures, t.seen.rejections], [[], []]);
      await Promise.all(clients.map((client) => client.close()));
    });
  });
}

Deno.test("doors: TLS: RFC 8446 §5.1: a hello in two packets, cut anywhere, is a hello", async () => {
  const hello = await clientHello();
  await withDoors({}, async (t) => {
    await Promise.all(
      placesIn(hello).filter((at) => at > 0).map(async (at) => {
        const client = await RawH1.connect(t.proxy.port);
        client.send(hello.subarray(0, at));
        await new Promise((resolve) => setTimeout(resolve, 20));
        assert.equal(client.got, "", `an answer to ${at} bytes`);
        client.send(hello.subarray(at));
        await until(
          `a ServerHello behind a cut at ${at}`,
          () => client.got !== "" || client.isOver,
        );
        // RFC 8446 §5.1, §4: a handshake record with a server_hello.
        assert.deepEqual([client.got.charCodeAt(0), client.got.charCodeAt(5)], [22, 2], `${at}`);
        await client.close();
      }),
    );
  });
});
