// What a peer that does not read, or does not go on, can hold of the proxy. The same at full size
// is in tests/soak.
import assert from "node:assert/strict";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { floodBackend, floodClient, stalled } from "../support/flood.ts";
import { fromClient } from "../support/frames.ts";
import { type TestProxy, withProxy } from "../support/proxy.ts";
import type { RawStream } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const MIB = 2 ** 20;

// Kernel buffers and the windows of QUIC; beyond them is what the proxy would hold.
const WINDOWS = 16 * MIB;

async function echoes(t: TestProxy): Promise<void> {
  const { client, backend } = await t.open();
  const frame = fromClient.text("still served");
  await client.send(frame);
  assert.deepEqual(await backend.inbox.take(frame.length), frame);
  await client.fin();
  backend.fin();
  await client.inbox.rest();
}

Deno.test("flow: a backend that never reads stops the client, then ends proxy:slow", async () => {
  await withProxy({ writeTimeoutMs: 1500 }, async (t) => {
    const { client } = await t.open();
    const flood = floodBackend((bytes) => client.send(bytes), 64 * MIB);
    await stalled(flood);
    assert.ok(flood.taken < WINDOWS, `${flood.taken} bytes were taken`);
    const { by, reason } = await t.seen.end();
    assert.deepEqual({ by, reason }, { by: "proxy:slow", reason: "backend reads too slowly" });
    await t.idle();
    client.abort();
    await within("the end of the flood", flood.ended);
    await echoes(t);
  });
});

Deno.test("flow: a client that never reads stops the backend, then ends proxy:slow", async () => {
  await withProxy({ writeTimeoutMs: 1500 }, async (t) => {
    const { backend } = await t.open();
    const flood = floodClient(backend, 64 * MIB);
    await stalled(flood);
    assert.ok(flood.taken < WINDOWS, `${flood.taken} bytes were taken`);
    const { by, reason } = await t.seen.end();
    assert.deepEqual({ by, reason }, { by: "proxy:slow", reason: "client reads too slowly" });
    // The stream can't be freed alone; the session, its backend and its place are.
    await t.idle();
    await within("the end of the flood", flood.ended);
    assert.equal(t.proxy.sessions, 0);
    await echoes(t);
  });
});

/** Opens sessions whose clients do not read, until each is given up. */
async function stick(t: TestProxy, count: number): Promise<RawStream[]> {
  const opened = [];
  for (let i = 0; i < count; i++) opened.push(await t.open());
  const floods = opened.map(({ backend }) => floodClient(backend, 8 * MIB));
  await within("the end of the floods", Promise.all(floods.map(({ ended }) => ended)));
  assert.ok(floods.every(({ taken }) => taken < 8 * MIB), "none was taken whole");
  await t.idle();
  return opened.map(({ client }) => client);
}

Deno.test("flow: RFC 9114 §8.1 H3_EXCESSIVE_LOAD for more than 8 streams given up unread", async () => {
  await withProxy({ writeTimeoutMs: 200 }, async (t) => {
    const { quic } = await t.connect();
    await stick(t, 8);
    await echoes(t);
    await stick(t, 1);
    const { code, byPeer } = await within("the connection's close", quic.closed);
    assert.deepEqual({ code, byPeer }, { code: H3Code.H3_EXCESSIVE_LOAD, byPeer: true });
    await until("no connection", () => t.proxy.connections === 0);
    assert.deepEqual(t.seen.failures.map(({ stage }) => stage), ["h3_framing"]);
    assert.equal(t.seen.closed.filter(({ by }) => by === "proxy:slow").length, 9);
  });
});

Deno.test("flow: a stream that was given up unread counts no more once it is read on", async () => {
  await withProxy({ writeTimeoutMs: 200 }, async (t) => {
    const clients = await stick(t, 8);
    await clients[0].inbox.rest();
    await stick(t, 1);
    await echoes(t);
  });
});
