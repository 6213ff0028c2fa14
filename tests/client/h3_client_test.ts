// The HTTP/3 client against a server that sends frames one by one.
import assert from "node:assert/strict";
import { H3Client } from "../../src/client/h3_client.ts";
import { NoExtendedConnect } from "../../src/client/http_client.ts";
import { NetError } from "../../src/net/error.ts";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { encodeFrame, FrameType } from "../../src/protocol/http3/frame.ts";
import { testCertificates } from "../support/proxy.ts";
import { dataFrame, headersFrame } from "../support/raw_h3.ts";
import { connectSettings, goaway, type RawH3Peer, RawH3Server } from "../support/raw_h3_server.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const HEAD = {
  ...{ method: "CONNECT", protocol: "websocket", scheme: "https" },
  ...{ authority: "a.example", path: "/", fields: [] },
};
const GET = { ...HEAD, method: "GET", protocol: null };

interface Talk {
  peer: RawH3Peer;
  client: H3Client;
}

function test(name: string, body: (talk: Talk) => Promise<void>, maxStreams?: number): void {
  Deno.test(`h3 client: ${name}`, async () => {
    const { caPem } = await testCertificates();
    await using server = await RawH3Server.listen(maxStreams);
    const { port } = server;
    const connecting = H3Client.connect({ hostname: "localhost", port, caCerts: [caPem] });
    const [peer, client] = await Promise.all([server.accept(), connecting]);
    await body({ peer, client });
    client.close();
    await within("the end of the connection", client.closed);
  });
}

/** It may be over before a test looks. */
function ask(client: H3Client) {
  const asking = client.connect(HEAD);
  asking.catch(() => {});
  return asking;
}

/** A tunnel, and the server's end of it. */
async function opened({ peer, client }: Talk) {
  const asking = ask(client);
  const request = await peer.request();
  await request.answer(200);
  return { request, tunnel: (await asking).tunnel! };
}

test("RFC 9220 §3: nothing is asked before the server's SETTINGS", async ({ peer, client }) => {
  const asking = ask(client);
  // An ordinary request needs none: it is the first that comes.
  const fetching = client.fetch(GET);
  const first = await peer.request();
  assert.equal(first.get(":method"), "GET");
  await first.answer(204);
  await first.fin();
  assert.equal((await fetching).status, 204);
  await peer.welcome();
  const request = await peer.request();
  assert.equal(request.get(":protocol"), "websocket");
  await request.answer(200);
  assert.equal((await asking).head.status, 200);
});

for (
  const [name, frame] of [["no such setting", Uint8Array.of(4, 0)], ["a 0", connectSettings(0)]]
) {
  test(`RFC 9220 §3: SETTINGS with ${name}: nothing is asked`, async ({ peer, client }) => {
    const asking = ask(client);
    await peer.control(frame as Uint8Array);
    await assert.rejects(asking, NoExtendedConnect);
    const fetching = client.fetch(GET);
    const only = await peer.request();
    assert.equal(only.get(":method"), "GET");
    await only.answer(204);
    await only.fin();
    await fetching;
  });
}

const FAULTS: Record<string, [(peer: RawH3Peer) => Promise<void>, number]> = {
  "RFC 8441 §3: ENABLE_CONNECT_PROTOCOL of 2": [
    (peer) => peer.control(connectSettings(2)),
    H3Code.H3_SETTINGS_ERROR,
  ],
  "RFC 9114 §7.2.4: a second SETTINGS": [
    (peer) => peer.control(connectSettings(1), connectSettings(1)),
    H3Code.H3_FRAME_UNEXPECTED,
  ],
  "RFC 9114 §6.2.1: no SETTINGS first": [
    (peer) => peer.control(goaway(0)),
    H3Code.H3_MISSING_SETTINGS,
  ],
  "RFC 9114 §5.2: a GOAWAY that goes up": [
    (peer) => peer.control(connectSettings(1), goaway(4), goaway(8)),
    H3Code.H3_ID_ERROR,
  ],
};

for (const [name, [send, code]] of Object.entries(FAULTS)) {
  test(`${name} ends the connection, and who waits is told`, async ({ peer, client }) => {
    const fetching = client.fetch(GET);
    fetching.catch(() => {});
    await peer.request();
    await send(peer).catch(() => {});
    assert.equal((await within("the end", peer.quic.closed)).code, code);
    await assert.rejects(fetching);
    await assert.rejects(client.connect(HEAD));
    assert.equal(client.goingAway, true);
  });
}

test("RFC 9110 §15.2: 1xx come before the answer", async (talk) => {
  await talk.peer.welcome();
  const asking = ask(talk.client);
  const request = await talk.peer.request();
  await request.answer(103, [["link", "</a>"]]);
  await request.answer(100);
  await request.answer(200, [["x-a", "1"]]);
  const { head } = await asking;
  assert.deepEqual([head.status, head.fields], [200, [["x-a", "1"]]]);
});

test("what comes in one write with the answer, and in any DATA frames, is the tunnel's", async (talk) => {
  const { peer, client } = talk;
  await peer.welcome();
  const asking = ask(client);
  const request = await peer.request();
  const unknown = encodeFrame(0x21 as FrameType, new Uint8Array(100));
  await request.answer(
    200,
    [],
    dataFrame(Uint8Array.of(1, 2)),
    unknown,
    dataFrame(new Uint8Array(0)),
  );
  await request.write(dataFrame(Uint8Array.of(3)), dataFrame(Uint8Array.of(4, 5)).subarray(0, 3));
  await request.write(Uint8Array.of(5));
  await request.fin();
  const tunnel = (await asking).tunnel!;
  const got: number[] = [];
  for (let part = await tunnel.read(); part !== null; part = await tunnel.read()) got.push(...part);
  assert.deepEqual(got, [1, 2, 3, 4, 5]);
});

test("RFC 9114 §5.2: behind GOAWAY nothing is asked, and what is open goes on", async (talk) => {
  const { peer, client } = talk;
  await peer.welcome();
  const { request, tunnel } = await opened(talk);
  await peer.control(goaway(4));
  await until("GOAWAY", () => client.goingAway);
  await assert.rejects(client.connect(HEAD), { name: "Unprocessed", message: /GOAWAY/ });
  await tunnel.write(Uint8Array.of(7));
  assert.deepEqual(await request.inbox.take(1), Uint8Array.of(7));
  await request.send(Uint8Array.of(8));
  assert.deepEqual((await tunnel.read())!.slice(), Uint8Array.of(8));
  tunnel.abort();
});

test("RFC 9114 §5.2: what GOAWAY names was not served: it may be asked for elsewhere, what is before it not", async (talk) => {
  const { peer, client } = talk;
  await peer.welcome();
  const askings = [ask(client), ask(client)];
  const requests = [await peer.request(), await peer.request()];
  await peer.control(goaway(4));
  // At once: the server need not say more of it.
  await assert.rejects(within("its end", askings[1]), { name: "Unprocessed" });
  for (const request of requests) await request.fin();
  await assert.rejects(askings[0], ({ name }: Error) => name !== "Unprocessed");
});

test("RFC 9114 §8: what broke one stream is not told of the connection", async (talk) => {
  const { peer, client } = talk;
  await peer.welcome();
  const asking = ask(client);
  const request = await peer.request();
  await request.write(headersFrame([["x-a", "no status"]]));
  await assert.rejects(asking, { name: "H3Error", scope: "stream" });
  assert.equal(client.goingAway, false);
  peer.quic.close(H3Code.H3_NO_ERROR, "");
  await client.closed;
  await assert.rejects(client.extendedConnect(), { name: "NetError", message: /H3_NO_ERROR/ });
});

test("RFC 9000 §4.6: a stream above the server's limit waits, or is told", async (talk) => {
  await talk.peer.welcome();
  const { request, tunnel } = await opened(talk);
  const { client, peer } = talk;
  await assert.rejects(client.connect(HEAD, { wait: false }), { name: "NoRoom" });
  const waiting = ask(client);
  tunnel.abort();
  await request.inbox.rest();
  await request.fin();
  const second = await peer.request();
  await second.answer(200);
  assert.equal((await waiting).head.status, 200);
}, 1);

test("a stream that ends before an answer, and one that breaks in its head, are no answer", async (talk) => {
  const { peer, client } = talk;
  await peer.welcome();
  for (const bytes of [new Uint8Array(0), headersFrame([[":status", "200"]]).subarray(0, 3)]) {
    const asking = ask(client);
    const request = await peer.request();
    await request.write(bytes);
    await request.fin();
    await assert.rejects(within("the answer", asking));
    if (bytes.length === 0) assert.equal(client.goingAway, false, "the connection lives");
  }
});

const BAD_HEADS: Record<string, Uint8Array> = {
  "RFC 9114 §4.3.2: no :status": headersFrame([["x", "1"]]),
  "RFC 9114 §4.3.2: a :status of two digits": headersFrame([[":status", "20"]]),
  "RFC 9114 §4.2: a name in capitals": headersFrame([[":status", "200"], ["X", "1"]]),
  "RFC 9114 §4.2: Connection": headersFrame([[":status", "200"], ["connection", "close"]]),
  "RFC 9114 §10.3: CR LF in a value": headersFrame([[":status", "200"], ["x", "a\r\nb: c"]]),
};

for (const [name, bytes] of Object.entries(BAD_HEADS)) {
  test(`${name}: the answer is none, and the connection lives`, async (talk) => {
    const { peer, client } = talk;
    await peer.welcome();
    const asking = ask(client);
    await (await peer.request()).write(bytes);
    await assert.rejects(within("the answer", asking), { name: "H3Error" });
    await opened(talk);
    assert.equal(client.goingAway, false);
  });
}

test("RFC 9114 §4.1: DATA before HEADERS ends the connection, and all that is open on it", async (talk) => {
  const { peer, client } = talk;
  await peer.welcome();
  const { tunnel } = await opened(talk);
  const asking = ask(client);
  await (await peer.request()).write(dataFrame(Uint8Array.of(1)));
  await assert.rejects(asking);
  assert.equal((await within("the end", peer.quic.closed)).code, H3Code.H3_FRAME_UNEXPECTED);
  await assert.rejects(tunnel.read(), NetError);
});

test("a request that is given up leaves the connection to the others", async (talk) => {
  const { peer, client } = talk;
  await peer.welcome();
  const { request, tunnel } = await opened(talk);
  const controller = new AbortController();
  const asking = client.connect(HEAD, { signal: controller.signal });
  const given = await peer.request();
  controller.abort();
  await assert.rejects(asking, { name: "NetError", kind: "aborted" });
  await given.inbox.rest();
  await request.send(Uint8Array.of(1));
  assert.deepEqual((await tunnel.read())!.slice(), Uint8Array.of(1));
});
