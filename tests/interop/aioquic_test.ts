// aioquic, an HTTP/3 of its own in Python, over real UDP through the proxy.
import assert from "node:assert/strict";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { encodeClosePayload, parseClosePayload } from "../../src/protocol/websocket/close.ts";
import { encodeFrame } from "../../src/protocol/websocket/encoder.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import { latin1 } from "../support/inbox.ts";
import { type TestProxy, withProxy } from "../support/proxy.ts";
import { connectFields } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { connectAioquic } from "./aioquic.ts";
import { flowTests } from "./flows.ts";
import { peerTests } from "./peers.ts";

const test = peerTests("H3WS_PYTHON");
const CONNECT = connectFields({}, [["sec-websocket-version", "13"]]);
const GET_HEALTHZ = connectFields({ method: "GET", protocol: null, path: "/healthz" });
const bytes = (text: string) => new TextEncoder().encode(text);

/** An open session before the scripted backend. */
async function open(python: string, t: TestProxy) {
  const client = await connectAioquic(python, t);
  const stream = await client.request(CONNECT);
  const backend = await t.backend.upgrade();
  assert.equal(await client.status(stream), 200);
  return { client, stream, backend };
}

/** A proxy before npm:ws, which echoes. */
async function withEcho(body: (t: TestProxy) => Promise<void>): Promise<void> {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const dial = { hostname: "127.0.0.1", port: echo.port };
  try {
    await withProxy({ backend: { dial, url: `ws://127.0.0.1:${echo.port}` } }, body);
  } finally {
    await echo.close();
  }
}

test("aioquic: SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 (RFC 9220 §3)", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t);
    assert.equal((await client.event("settings")).values!["8"], 1);
  });
});

test("aioquic: GET /healthz is 200 with its body", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t);
    const stream = await client.request(GET_HEALTHZ, true);
    assert.equal(await client.status(stream), 200);
    const { hex } = await client.event("data", stream);
    assert.equal(hex, "6f6b0a");
    await client.event("end", stream);
  });
});

test("aioquic: extended CONNECT, text, binary, Ping and Close through npm:ws", async (python) => {
  await withEcho(async (t) => {
    await using client = await connectAioquic(python, t);
    const stream = await client.request(
      connectFields({}, [["sec-websocket-version", "13"], ["sec-websocket-protocol", "chat"]]),
    );
    const { fields } = await client.event("headers", stream);
    assert.equal(fields![":status"], "200");
    assert.equal(fields!["sec-websocket-protocol"], "chat");
    const text = bytes("grüße über HTTP/3");
    await client.sendFrame(stream, Opcode.TEXT, text);
    assert.deepEqual(await client.frame(stream), { opcode: Opcode.TEXT, payload: text });
    // The three lengths of a length (RFC 6455 §5.2), the last in many DATA frames.
    for (const length of [0, 125, 126, 65_535, 65_536, 1_048_576]) {
      const payload = Uint8Array.from({ length }, (_, i) => i * 31 + (i >> 8));
      await client.sendFrame(stream, Opcode.BINARY, payload);
      assert.deepEqual(await client.frame(stream), { opcode: Opcode.BINARY, payload });
    }
    const ping = bytes("are you there");
    await client.sendFrame(stream, Opcode.PING, ping);
    assert.deepEqual(await client.frame(stream), { opcode: Opcode.PONG, payload: ping });
    await client.sendFrame(stream, Opcode.CLOSE, encodeClosePayload(4001, "done"));
    const close = await client.frame(stream);
    assert.equal(close.opcode, Opcode.CLOSE);
    assert.deepEqual(parseClosePayload(close.payload), { code: 4001, reason: "done" });
    await client.event("end", stream);
    assert.deepEqual(await t.seen.end(), { by: "client", code: 4001, reason: "done" });
    assert.equal(t.seen.opened[0].http, "3");
  });
});

flowTests({ name: "aioquic", test, connect: connectAioquic });

test("aioquic: a CONNECT that arrives before the client has our SETTINGS is served", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t, { early: CONNECT });
    const { stream, settings } = await client.event("requested");
    assert.equal(settings, false, "the request went out first");
    const backend = await t.backend.upgrade();
    assert.equal(await client.status(stream!), 200);
    await client.event("settings");
    backend.write(encodeFrame({ opcode: Opcode.TEXT, payload: bytes("hi") }));
    assert.equal(latin1((await client.frame(stream!)).payload), "hi");
  });
});

test("aioquic: RESET_STREAM by the client ends the backend leg at once", async (python) => {
  await withProxy({}, async (t) => {
    const { client, stream, backend } = await open(python, t);
    await using _ = client;
    await client.do("reset", { stream, code: H3Code.H3_REQUEST_CANCELLED });
    await backend.inbox.rest();
    const { by, code } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "client", code: 1006 });
    // The connection lives, and so do its other streams.
    const next = await client.request(CONNECT);
    await t.backend.upgrade();
    assert.equal(await client.status(next), 200);
  });
});

test("aioquic: RESET_STREAM before the answer ends the dial", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t);
    const stream = await client.request(CONNECT);
    const backend = await t.backend.accept();
    await backend.request();
    await client.do("reset", { stream, code: H3Code.H3_REQUEST_CANCELLED });
    await backend.inbox.rest();
    assert.deepEqual(t.seen.failures, [], "it is not the backend's failure");
  });
});

test("aioquic: STOP_SENDING by the client ends the backend leg", async (python) => {
  await withProxy({}, async (t) => {
    const { client, stream, backend } = await open(python, t);
    await using _ = client;
    await client.do("stop", { stream, code: H3Code.H3_REQUEST_CANCELLED });
    // A round trip on the same connection: the proxy has it by then, and meets it when it writes.
    await client.event("end", await client.request(GET_HEALTHZ, true));
    backend.write(encodeFrame({ opcode: Opcode.TEXT, payload: bytes("nobody reads this") }));
    await backend.inbox.rest();
    const { by, code } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "client", code: 1006 });
  });
});

test("aioquic: FIN without Close is FIN to the backend, and what it sends arrives", async (python) => {
  await withProxy({}, async (t) => {
    const { client, stream, backend } = await open(python, t);
    await using _ = client;
    await client.sendFrame(stream, Opcode.TEXT, bytes("last words"));
    await client.do("end", { stream });
    assert.equal(latin1((await backend.frame())!.payload), "last words");
    assert.equal(await backend.frame(), null);
    assert.equal(backend.inbox.ending, "fin");
    for (let i = 0; i < 3; i++) {
      backend.write(encodeFrame({ opcode: Opcode.TEXT, payload: bytes(`still ${i}`) }));
      assert.equal(latin1((await client.frame(stream)).payload), `still ${i}`);
    }
    backend.fin();
    await client.event("end", stream);
    assert.equal((await t.seen.end()).by, "client");
  });
});

test("aioquic: GOAWAY at drain, 503 for a new session, Close 1001, then H3_NO_ERROR", async (python) => {
  await withProxy({}, async (t) => {
    const { client, stream, backend } = await open(python, t);
    await using _ = client;
    const drained = t.proxy.drain(6_000);
    // RFC 9114 §5.2: first all streams there can be, then the one behind the last that was taken.
    const first = (await client.event("goaway")).id!;
    assert.ok(first >= 2 ** 53 - 8 && first % 4 === 0, `first ID ${first}`);
    assert.equal((await client.event("goaway")).id, stream + 4);
    const late = await client.request(CONNECT);
    const { fields } = await client.event("headers", late);
    assert.equal(fields![":status"], "503");
    assert.ok(fields!["retry-after"]);
    const close = await client.frame(stream);
    assert.equal(parseClosePayload(close.payload).code, 1001);
    assert.equal(parseClosePayload((await backend.frame())!.payload).code, 1001);
    await client.sendFrame(stream, Opcode.CLOSE, encodeClosePayload(1001, ""));
    await client.do("end", { stream });
    backend.fin();
    const { by, application, code } = await client.event("closed");
    assert.deepEqual({ by, application, code }, {
      by: "server",
      application: true,
      code: H3Code.H3_NO_ERROR,
    });
    await drained;
    assert.equal((await t.seen.end()).by, "proxy:drain");
    await until("the end of the connection", () => t.seen.connectionEnds.length === 1);
  });
});
