// The HTTP/2 client against a server that sends frames one by one.
import assert from "node:assert/strict";
import { H2Client } from "../../src/client/h2_client.ts";
import { NoExtendedConnect } from "../../src/client/http_client.ts";
import { NetError } from "../../src/net/error.ts";
import { Flag, FrameType } from "../../src/protocol/http2/frame.ts";
import { SettingId } from "../../src/protocol/http2/settings.ts";
import { h2Data, h2Frame, h2Reset, h2Settings } from "../support/h2_frames.ts";
import { RawH2Server } from "../support/raw_h2_server.ts";
import { within } from "../support/within.ts";

interface Talk {
  server: RawH2Server;
  client: H2Client;
}

function test(
  name: string,
  body: (talk: Talk) => Promise<void>,
  options?: { keepaliveMs: number },
): void {
  Deno.test(`h2 client: ${name}`, async () => {
    const server = await RawH2Server.make();
    const client = H2Client.over(server.stream, options);
    try {
      await server.preface();
      await body({ server, client });
    } finally {
      client.close();
      server.close();
      await within("the end of the connection", client.closed);
    }
  });
}

const HEAD = {
  method: "CONNECT",
  protocol: "websocket",
  scheme: "http",
  authority: "a.example",
  path: "/",
  fields: [],
};

/** It may be over before a test looks. */
function ask(client: H2Client) {
  const asking = client.connect(HEAD);
  asking.catch(() => {});
  return asking;
}

const text = (bytes: Uint8Array | null) => bytes === null ? null : new TextDecoder().decode(bytes);

test("RFC 8441 §3: nothing is asked before the server's SETTINGS", async ({ server, client }) => {
  const settings = await server.until("SETTINGS");
  assert.equal(settings.flags, 0);
  const asking = ask(client);
  await server.until("WINDOW_UPDATE");
  // PING is answered, and no HEADERS come before.
  await server.send(h2Settings([]), h2Frame([FrameType.PING], 0, new Uint8Array(8)));
  const types = [await server.next(), await server.next()].map(({ type }) => type);
  assert.deepEqual(types, ["SETTINGS", "PING"]);
  await assert.rejects(asking, NoExtendedConnect);
  // RFC 8441 §3: it may be announced later.
  await server.welcome();
  await server.until("SETTINGS");
  const later = ask(client);
  const request = await server.until("HEADERS");
  assert.deepEqual(server.fields(request), [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", "http"],
    [":authority", "a.example"],
    [":path", "/"],
  ]);
  await server.send(server.head(1, [[":status", "200"]]));
  assert.ok((await later).tunnel);
});

test("RFC 9110 §15.2: 1xx come before the answer", async ({ server, client }) => {
  await server.welcome();
  const asking = ask(client);
  await server.until("HEADERS");
  await server.send(server.head(1, [[":status", "103"]]), server.head(1, [[":status", "200"]]));
  assert.equal((await asking).head.status, 200);
});

for (const code of [0, 8]) {
  test(`RFC 9113 §8.1: a reset with ${code} behind a whole message takes nothing from it`, async (t) => {
    const { server, client } = t;
    await server.welcome();
    const asking = ask(client);
    await server.until("HEADERS");
    const last = [h2Data(1, "last words"), h2Data(1, "", true), h2Reset(1, code)];
    await server.send(server.head(1, [[":status", "200"]]), ...last);
    const { tunnel } = await asking;
    assert.equal(text(await tunnel!.read()), "last words");
    assert.equal(await tunnel!.read(), null);
    await assert.rejects(tunnel!.write(new Uint8Array(1)), NetError);
    tunnel!.abort();
    const refusing = ask(client);
    await server.until("HEADERS");
    const body = [h2Data(3, "no", true), h2Reset(3, code)];
    await server.send(server.head(3, [[":status", "403"]]), ...body);
    assert.equal(text((await refusing).body), "no");
  });
}

test("what came before a reset, or before the connection's end, is read first", async (t) => {
  const { server, client } = t;
  await server.welcome();
  const open = async (id: number, ...rest: Uint8Array[]) => {
    const asking = ask(client);
    await server.until("HEADERS");
    const head = server.head(id, [[":status", "200"]]);
    await server.send(head, h2Data(id, "last words"), ...rest);
    return (await asking).tunnel!;
  };
  const reset = await open(1, h2Reset(1, 0));
  assert.equal(text(await reset.read()), "last words");
  await assert.rejects(reset.read(), { name: "NetError", kind: "reset" });
  const lost = await open(3);
  const ended = await open(5, h2Data(5, "", true));
  await server.fin();
  await client.closed;
  for (const tunnel of [lost, ended]) assert.equal(text(await tunnel.read()), "last words");
  await assert.rejects(lost.read(), { name: "NetError", kind: "lost" });
  assert.equal(await ended.read(), null);
});

test("a body that breaks off is no answer", async ({ server, client }) => {
  await server.welcome();
  const asking = ask(client);
  await server.until("HEADERS");
  const half = [server.head(1, [[":status", "403"]]), h2Data(1, "half"), h2Reset(1, 2)];
  await server.send(...half);
  await assert.rejects(asking, { name: "NetError", kind: "reset" });
});

test("RFC 9113 §10.5.1: a head that is too large is no answer", async ({ server, client }) => {
  await server.welcome();
  const asking = ask(client);
  await server.until("HEADERS");
  const block = Array.from({ length: 70 }, (): [string, string] => ["x", "y".repeat(1000)]);
  const head = server.head(1, [[":status", "200"], ...block]).subarray(9);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < head.length; at += 16_384) {
    const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    const flags = at + 16_384 >= head.length ? Flag.END_HEADERS : 0;
    frames.push(h2Frame([type, flags], 1, head.slice(at, at + 16_384)));
  }
  await server.send(...frames);
  await assert.rejects(asking, { message: "the answer's head is too big" });
  assert.equal((await server.until("RST_STREAM")).streamId, 1);
});

test("RFC 9113 §5.4.1: a fault of the server's ends all with its GOAWAY", async (t) => {
  const { server, client } = t;
  await server.welcome();
  const asking = ask(client);
  await server.until("HEADERS");
  await server.send(h2Data(0, "on no stream"));
  await assert.rejects(asking, { name: "H2Error" });
  const goaway = await server.until("GOAWAY");
  assert.equal(goaway.payload[7], 1, "PROTOCOL_ERROR");
  assert.equal((await client.closed).code, 1);
});

test("a server that ends before its SETTINGS is not waited for", async ({ server, client }) => {
  await server.fin();
  await assert.rejects(client.extendedConnect(), { name: "NetError", kind: "lost" });
  await assert.rejects(client.connect(HEAD), { name: "NetError", kind: "lost" });
});

test("RFC 9113 §6.7: a server that answers no PING is gone", async ({ server, client }) => {
  await server.welcome();
  const asking = ask(client);
  await server.until("PING");
  await assert.rejects(within("the end", asking), { name: "NetError", kind: "timeout" });
  const end = await client.closed;
  assert.deepEqual([end.code, end.reason], [-1, "no answer to PING within 50 ms"]);
}, { keepaliveMs: 50 });

test("RFC 9113 §6.7: one that answers them is not", async ({ server, client }) => {
  await server.welcome();
  const asking = ask(client);
  for (let i = 0; i < 5; i++) {
    const { payload } = await server.until("PING");
    await server.send(h2Frame([FrameType.PING, Flag.ACK], 0, payload));
  }
  await server.send(server.head(1, [[":status", "200"]]));
  assert.ok((await asking).tunnel);
}, { keepaliveMs: 50 });

test("RFC 9113 §5.1.2: a limit that rises lets those go on that wait", async ({ server, client }) => {
  await server.welcome([[SettingId.MAX_CONCURRENT_STREAMS, 0]]);
  assert.equal(await client.extendedConnect(), true);
  const asking = ask(client);
  await server.send(h2Settings([[SettingId.MAX_CONCURRENT_STREAMS, 1]]));
  await server.until("HEADERS");
  await server.send(server.head(1, [[":status", "200"]]));
  assert.ok((await asking).tunnel);
});

test("RFC 9113 §6.9: sockets that are not read hold back no others", async ({ server, client }) => {
  await server.welcome();
  const FULL = 128 * 1024;
  for (let i = 0; i < 20; i++) {
    const id = 1 + 2 * i;
    const asking = ask(client);
    await server.until("HEADERS");
    await server.send(server.head(id, [[":status", "200"]]));
    for (let at = 0; at < FULL; at += 16_384) {
      await server.send(h2Data(id, new Uint8Array(16_384)));
    }
    assert.ok((await asking).tunnel);
  }
  const asking = ask(client);
  await server.until("HEADERS");
  await server.send(server.head(41, [[":status", "200"]]), h2Data(41, "through"));
  assert.equal(text(await (await asking).tunnel!.read()), "through");
});
