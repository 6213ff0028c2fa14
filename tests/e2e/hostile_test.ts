// What is meant to hurt: it must cost no more than its own stream or connection.
import assert from "node:assert/strict";
import { openBackend } from "../../src/proxy/backend.ts";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { encodeFrame, FrameType } from "../../src/protocol/http3/frame.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { NetError } from "../../src/net/error.ts";
import { RawBackend } from "../support/backend.ts";
import { readClose } from "../support/frames.ts";
import { startProxyProcess } from "../support/process.ts";
import { withProxy } from "../support/proxy.ts";
import { connectFields, headersFrame, RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const COOKIES: [name: string, values: string[], want: string][] = [
  ["the last one empty", ["a=1", ""], "a=1"],
  ["the first one empty", ["", "a=1"], "a=1"],
  ["all empty", ["", "", ""], ""],
];

for (const [name, values, want] of COOKIES) {
  Deno.test(`hostile: RFC 9114 §4.2.1: Cookie fields, ${name}, make a field that can be sent on`, async () => {
    await withProxy({}, async (t) => {
      const quic = await t.connect();
      const client = await quic.connectWs({}, values.map((value): Field => ["cookie", value]));
      const backend = await t.backend.upgrade();
      assert.equal((await backend.request()).get("cookie"), want);
      assert.equal((await client.response()).status, 200);
      await client.fin();
      backend.fin();
    });
  });
}

const TRAILERS: [name: string, bytes: Uint8Array][] = [
  ["whole", headersFrame([["x", "y"]])],
  ["begun", headersFrame([["x", "y".repeat(100)]]).subarray(0, 6)],
  ["too long", encodeFrame(FrameType.HEADERS, new Uint8Array(20_000)).subarray(0, 100)],
];

for (const [name, bytes] of TRAILERS) {
  Deno.test(`hostile: RFC 9114 §4.4: trailers in one write with a CONNECT end the connection: ${name}`, async () => {
    await withProxy({}, async (t) => {
      const quic = await t.connect();
      await quic.request(connectFields(), bytes);
      await t.backend.upgrade();
      const { code, byPeer } = await within("its end", quic.quic.closed);
      assert.deepEqual({ code, byPeer }, { code: H3Code.H3_FRAME_UNEXPECTED, byPeer: true });
    });
  });
}

Deno.test("hostile: what is still open at the end of a drain is ended by the proxy, with 1001", async () => {
  await withProxy({}, async (t) => {
    const { backend } = await t.open();
    await t.open();
    await t.proxy.drain(0);
    await until("two records", () => t.seen.closed.length === 2);
    for (const { by, code } of t.seen.closed) {
      assert.deepEqual({ by, code }, { by: "proxy:drain", code: CloseCode.GOING_AWAY });
    }
    assert.equal(readClose(await backend.frame()).code, CloseCode.GOING_AWAY);
  });
});

/** RFC 9000 §17.2.2: an Initial of version 1 with connection IDs of 8 bytes and no token. */
function forgedInitial(): Uint8Array {
  const packet = crypto.getRandomValues(new Uint8Array(1200));
  packet.set([0xc3, 0, 0, 0, 1, 8]);
  packet.set([8], 14);
  // Token length 0, then the length of the rest as a varint of two bytes.
  const rest = packet.length - 26;
  packet.set([0, 0x40 | rest >> 8, rest & 0xff], 23);
  return packet;
}

Deno.test("hostile: RFC 9001 §5.2: forged Initial packets are no bugs of ours", async () => {
  await withProxy({}, async (t) => {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const to = { transport: "udp", hostname: "127.0.0.1", port: t.proxy.port } as const;
    for (let i = 0; i < 50; i++) await socket.send(forgedInitial(), to);
    await (await t.connect()).roundTrip();
    socket.close();
    assert.equal(t.proxy.connections, 1);
  });
});

Deno.test("hostile: a client that goes in the turn in which the backend is reached frees it", async () => {
  const folder = await Deno.makeTempDir();
  const unixPath = `${folder}/backend.sock`;
  const backend = await RawBackend.listen({ unixPath });
  // Not aborted when dial() looks for the last time, aborted right behind.
  let looks = 0;
  const signal = {
    get aborted() {
      return ++looks > 1;
    },
    reason: new NetError("aborted", "client is gone"),
    addEventListener() {},
    removeEventListener() {},
  } as unknown as AbortSignal;
  const request = { target: "/ws", host: "localhost", fields: [] };
  const target = {
    dial: { unixPath, hostname: "", port: 0 },
    url: "ws+unix:",
    host: null,
    path: null,
    maxHeaderBytes: 16384,
  };
  try {
    await assert.rejects(
      within("the end of the dial", openBackend(target, request, { signal, dialed: () => {} })),
      { name: "BackendError", message: /client is gone/ },
    );
  } finally {
    await backend.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "hostile: metrics connections that take all descriptors do not end the process",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const backend = await RawBackend.listen();
    await using proxy = await startProxyProcess({ backendPort: backend.port });
    const used = [...Deno.readDirSync(`/proc/${proxy.pid}/fd`)].length;
    // prlimit(1): from now on the process may have a few more than it has.
    const { success } = await new Deno.Command("prlimit", {
      args: [`--pid=${proxy.pid}`, `--nofile=${used + 8}`],
    }).output();
    assert.ok(success);
    const { hostname, port } = new URL(proxy.admin);
    const held: Deno.Conn[] = [];
    for (let i = 0; i < 30; i++) {
      const conn = await Deno.connect({ hostname, port: Number(port) }).catch(() => null);
      if (conn !== null) held.push(conn);
    }
    await proxy.logged("metrics.error");
    const client = await RawClient.connect(proxy);
    await client.roundTrip();
    for (const conn of held) conn.close();
    const isBack = () => fetch(`${proxy.admin}/healthz`).then((response) => response.text());
    await until("the metrics", async () => (await isBack().catch(() => "")) === "ok\n");
    await client.roundTrip();
    client.close();
    await backend.close();
  },
});
