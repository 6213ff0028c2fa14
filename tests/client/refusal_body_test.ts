// A refusal whose body has no end, in the smallest pieces that its protocol has.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { H2Client } from "../../src/client/h2_client.ts";
import { UpgradeRefused } from "../../src/client/refused.ts";
import { readUpTo } from "../../src/ingress/content.ts";
import { FrameType } from "../../src/protocol/http2/frame.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { h2Frame } from "../support/h2_frames.ts";
import { testCertificates } from "../support/proxy.ts";
import { RawH2Server } from "../support/raw_h2_server.ts";
import { dataFrame } from "../support/raw_h3.ts";
import { RawH3Server } from "../support/raw_h3_server.ts";
import { within } from "../support/within.ts";

const utf8 = new TextEncoder();
const MAX_BYTES = 64 * 1024;

const CONNECT = {
  ...{ method: "CONNECT", protocol: "websocket", scheme: "http", authority: "a", path: "/" },
  fields: [],
};

function flood(piece: Uint8Array): Uint8Array {
  return concat(Array<Uint8Array>(2_000).fill(piece));
}

async function everMore(conn: Deno.Conn, before: Uint8Array, piece: Uint8Array): Promise<void> {
  using _ = conn;
  const pieces = flood(piece);
  await conn.read(new Uint8Array(10_000));
  for (let bytes = before;; bytes = pieces) {
    for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
  }
}

/** The url of a server that takes one connection, and resolves when the client has ended that. */
function overTcp(before: Uint8Array, piece: Uint8Array) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async () => {
    const conn = await listener.accept();
    listener.close();
    await everMore(conn, before, piece).catch(() => {});
  };
  return { url: `ws://127.0.0.1:${listener.addr.port}/`, ended: serve() };
}

async function assertCut(opening: Promise<unknown>): Promise<void> {
  await assert.rejects(within("the refusal", opening, 10_000), (error) => {
    assert.ok(error instanceof UpgradeRefused, `${error}`);
    assert.deepEqual([error.status, error.body.length, error.isBodyCut], [403, MAX_BYTES, true]);
    assert.equal(new TextDecoder().decode(error.body.subarray(0, 3)), "xxx");
    return true;
  });
}

Deno.test("client: a refusal over HTTP/1.1 in chunks of a byte, without end: its first 64 KiB", async () => {
  const head = utf8.encode("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n");
  const { url, ended } = overTcp(head, utf8.encode("1\r\nx\r\n"));
  await assertCut(connectWebSocket(url, { httpVersion: "1.1" }));
  await within("the connection's end", ended);
});

Deno.test("client: a refusal over HTTP/2 in DATA frames of a byte, without end: its first 64 KiB", async () => {
  const server = await RawH2Server.make();
  const client = H2Client.over(server.stream);
  const serve = async () => {
    await server.preface();
    await server.welcome();
    const { streamId } = await server.until("HEADERS");
    await server.send(server.head(streamId, [[":status", "403"]]));
    // RFC 9113 §6.9.1: no more than the client has room for.
    const pieces = flood(h2Frame([FrameType.DATA, 0], streamId, utf8.encode("x")));
    for (let i = 0; i < 40; i++) await server.send(pieces);
    await server.until("RST_STREAM");
  };
  const serving = serve();
  const { head, tunnel, body, isBodyCut } = await within("the refusal", client.connect(CONNECT));
  assert.deepEqual([head.status, tunnel, body.length, isBodyCut], [403, null, MAX_BYTES, true]);
  await within("RST_STREAM", serving);
  client.close();
  server.close();
});

Deno.test("client: a refusal over HTTP/3 in DATA frames of a byte, without end: its first 64 KiB", async () => {
  await using server = await RawH3Server.listen();
  const { caPem } = await testCertificates();
  const serve = async () => {
    const peer = await server.accept();
    await peer.welcome();
    const request = await peer.request();
    await request.answer(403);
    const pieces = flood(dataFrame(utf8.encode("x")));
    for (;;) await request.write(pieces);
  };
  const serving = assert.rejects(serve());
  const url = `wss://localhost:${server.port}/`;
  await assertCut(connectWebSocket(url, { httpVersion: "3", caCerts: [caPem] }));
  await within("STOP_SENDING", serving);
});

Deno.test("client: a body in pieces of a byte takes no more room than one in large pieces", async () => {
  const before = held();
  let most = 0;
  let left = 4 * 1024 * 1024;
  const piece = utf8.encode("x");
  const { bytes, isCut } = await readUpTo(() => {
    if (left % 100_000 === 0) most = Math.max(most, held() - before);
    return Promise.resolve(left-- === 0 ? null : piece);
  }, 16 * 1024 * 1024);
  assert.deepEqual([bytes.length, isCut], [4 * 1024 * 1024, false]);
  assert.ok(most < 100 * 1024 * 1024, `${most} bytes`);
});

function held(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

for (
  const { name, parts, want, isCut } of [
    { name: "as much as the limit", parts: ["abc", "de"], want: "abcde", isCut: false },
    { name: "more by a part", parts: ["abcde", "f"], want: "abcde", isCut: true },
    { name: "more within a part", parts: ["ab", "cdefg", "h"], want: "abcde", isCut: true },
    { name: "nothing", parts: [], want: "", isCut: false },
  ]
) {
  Deno.test(`client: of a body's beginning, ${name}`, async () => {
    const left: Uint8Array[] = parts.map((part) => utf8.encode(part));
    const read = await readUpTo(() => Promise.resolve(left.shift() ?? null), 5);
    assert.deepEqual([new TextDecoder().decode(read.bytes), read.isCut], [want, isCut]);
  });
}
