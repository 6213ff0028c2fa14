// quiche, Cloudflare's HTTP/3 in Rust, over real UDP through the proxy.
import assert from "node:assert/strict";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { encodeClosePayload, parseClosePayload } from "../../src/protocol/websocket/close.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { startForeignBackend } from "../support/foreign_backend.ts";
import { latin1 } from "../support/inbox.ts";
import { startProxyProcess } from "../support/process.ts";
import { testCertificates, type TestProxy, withProxy } from "../support/proxy.ts";
import { connectFields } from "../support/raw_h3.ts";
import { within } from "../support/within.ts";
import { flowTests } from "./flows.ts";
import { peerTests } from "./peers.ts";
import { Quiche, type QuicheStream } from "./quiche.ts";

const test = peerTests("H3WS_QUICHE");
const CONNECT = connectFields({}, [["sec-websocket-version", "13"]]);
const bytes = (text: string) => new TextEncoder().encode(text);

async function connect(folder: string, t: TestProxy): Promise<Quiche> {
  const { caPem } = await testCertificates();
  return await Quiche.connect(folder, t.proxy.port, caPem);
}

async function echoes(stream: QuicheStream, opcode: Opcode, payload: Uint8Array): Promise<void> {
  stream.send({ opcode, payload });
  const frame = await stream.frame();
  assert.equal(frame?.opcode, opcode === Opcode.PING ? Opcode.PONG : opcode);
  assert.deepEqual(frame!.payload, payload);
}

test("quiche through the process `h3ws proxy` to a backend that is not ours", async (folder) => {
  await using backend = startForeignBackend();
  await using proxy = await startProxyProcess({ backendPort: backend.port });
  await using client = await Quiche.connect(folder, proxy.port, proxy.caCerts[0]);
  assert.equal(client.alpn, "h3");
  const stream = await client.request(
    connectFields({}, [["sec-websocket-version", "13"], ["sec-websocket-protocol", "chat"]]),
  );
  const response = await stream.response();
  assert.equal(response[":status"], "200");
  assert.equal(response["sec-websocket-protocol"], "chat");
  await echoes(stream, Opcode.TEXT, bytes("grüße über HTTP/3"));
  for (const length of [0, 125, 126, 65_535, 65_536, 1_048_576]) {
    await echoes(stream, Opcode.BINARY, Uint8Array.from({ length }, (_, i) => i * 31 + (i >> 8)));
  }
  await echoes(stream, Opcode.PING, bytes("are you there"));
  stream.send({ opcode: Opcode.CLOSE, payload: encodeClosePayload(4001, "done") });
  const close = await stream.frame();
  assert.equal(close?.opcode, Opcode.CLOSE);
  assert.equal(parseClosePayload(close!.payload).code, 4001);
  assert.equal(await stream.frame(), null);
  stream.fin();
  const opened = await proxy.logged("ws.open");
  assert.deepEqual([opened.http, opened.subprotocol], ["3", "chat"]);
  const closed = await proxy.logged("ws.close");
  assert.deepEqual([closed.by, closed.code, closed.reason], ["client", 4001, "done"]);
  assert.deepEqual(backend.closes, [{ code: 4001, reason: "done" }]);
  assert.equal(await proxy.metric(`h3ws_proxy_connections_total{http="3"}`), 1);
  assert.equal(await proxy.metric("h3ws_proxy_active_sessions"), 0);
});

test("quiche: GET /healthz is 200 with its body", async (folder) => {
  await withProxy({}, async (t) => {
    await using client = await connect(folder, t);
    const fields = connectFields({ method: "GET", protocol: null, path: "/healthz" });
    const stream = await client.request(fields, true);
    assert.equal((await stream.response())[":status"], "200");
    assert.equal(latin1(await stream.inbox.rest()), "ok\n");
  });
});

flowTests({ name: "quiche", test, connect });

test("quiche: the backend's refusal, 401 with its fields and body", async (folder) => {
  await withProxy({}, async (t) => {
    await using client = await connect(folder, t);
    const stream = await client.request(CONNECT);
    const backend = await t.backend.accept();
    await backend.request();
    backend.write(
      'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\n' +
        "Content-Length: 6\r\n\r\nsorry\n",
    );
    const response = await stream.response();
    assert.equal(response[":status"], "401");
    assert.equal(response["www-authenticate"], 'Basic realm="x"');
    assert.equal(latin1(await stream.inbox.rest()), "sorry\n");
    stream.fin();
  });
});

test("quiche: GOAWAY at drain, Close 1001, then H3_NO_ERROR", async (folder) => {
  await withProxy({}, async (t) => {
    await using client = await connect(folder, t);
    const stream = await client.request(CONNECT);
    const backend = await t.backend.upgrade();
    assert.equal((await stream.response())[":status"], "200");
    const drained = t.proxy.drain(4_000);
    assert.ok(await within("GOAWAY at quiche", client.goaway) > 0);
    const close = await stream.frame();
    assert.equal(parseClosePayload(close!.payload).code, 1001);
    assert.equal(parseClosePayload((await backend.frame())!.payload).code, 1001);
    stream.fin();
    backend.fin();
    assert.equal(await within("the end at quiche", client.closed), H3Code.H3_NO_ERROR);
    await drained;
    assert.equal((await t.seen.end()).by, "proxy:drain");
  });
});
