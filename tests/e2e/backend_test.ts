// The backend's handshake when it fails: 502 and 504, with a log that says why.
import assert from "node:assert/strict";
import { listenFull } from "../net/full_listener.ts";
import type { BackendConn } from "../support/backend.ts";
import { withProxy } from "../support/proxy.ts";
import { CLIENT_ACCEPT } from "../support/raw_h3.ts";

interface WrongAnswer {
  name: string;
  answer: (conn: BackendConn) => void | Promise<void>;
  /** What the log says of it. */
  log: RegExp;
}

const head101 = (accept: string, lines: string[] = []) =>
  ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    .concat(accept === "" ? [] : `Sec-WebSocket-Accept: ${accept}`, lines, "", "").join("\r\n");

const WRONG_ANSWERS: WrongAnswer[] = [
  {
    name: "RFC 6455 §4.1: a wrong Sec-WebSocket-Accept",
    answer: (conn) => conn.write(head101(CLIENT_ACCEPT)),
    log: /Sec-WebSocket-Accept/,
  },
  {
    name: "RFC 6455 §4.1: no Sec-WebSocket-Accept",
    answer: (conn) => conn.write(head101("")),
    log: /Sec-WebSocket-Accept/,
  },
  {
    name: "RFC 6455 §4.1: a 101 without Upgrade",
    answer: (conn) => conn.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"),
    log: /Upgrade/,
  },
  {
    name: "RFC 6455 §4.1: a 101 to another protocol",
    answer: (conn) => conn.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    log: /Upgrade "h2c"/,
  },
  {
    name: "RFC 6455 §4.1: a subprotocol that was not offered",
    answer: (conn) => conn.upgrade(["Sec-WebSocket-Protocol: invented"]),
    log: /subprotocol "invented"/,
  },
  {
    name: "RFC 6455 §4.1: an extension that was not offered",
    answer: (conn) => conn.upgrade(["Sec-WebSocket-Extensions: x-invented"]),
    log: /extension "x-invented"/,
  },
  {
    name: "an answer that is not HTTP",
    answer: (conn) => conn.write("SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    log: /did not upgrade/,
  },
  {
    name: "binary garbage",
    answer: (conn) => conn.write(Uint8Array.from({ length: 512 }, (_, i) => i * 7)),
    log: /did not upgrade/,
  },
  {
    name: "RFC 9112 §5.1: a space before a colon",
    answer: (conn) => conn.write("HTTP/1.1 403 No\r\nContent-Length : 0\r\n\r\n"),
    log: /did not upgrade/,
  },
  {
    name: "RFC 9112 §6.3: Content-Length together with Transfer-Encoding",
    answer: (conn) =>
      conn.write(
        "HTTP/1.1 403 No\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ),
    log: /Transfer-Encoding/,
  },
  {
    name: "a head above --max-header-bytes",
    answer: (conn) => conn.write(`HTTP/1.1 403 No\r\nX: ${"y".repeat(20_000)}\r\n\r\n`),
    log: /did not upgrade/,
  },
  {
    name: "half an answer, then FIN",
    answer: (conn) => {
      conn.write("HTTP/1.1 101 Switching Proto");
      conn.fin();
    },
    log: /connection closed before an answer/,
  },
  {
    name: "half an answer, then RST",
    answer: async (conn) => {
      conn.write("HTTP/1.1 101 Switching Proto");
      await new Promise((resolve) => conn.socket.write("", resolve));
      conn.reset();
    },
    log: /did not upgrade/,
  },
  {
    name: "FIN without an answer",
    answer: (conn) => conn.fin(),
    log: /connection closed before an answer/,
  },
  {
    name: "RFC 9114 §4.4: a 200, which to a CONNECT would mean that the tunnel is open",
    answer: (conn) => conn.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    log: /answered 200/,
  },
];

for (const { name, answer, log } of WRONG_ANSWERS) {
  Deno.test(`backend: 502 for ${name}`, async () => {
    await withProxy({}, async (t) => {
      const quic = await t.connect();
      const client = await quic.connectWs({}, [["sec-websocket-protocol", "chat"]]);
      const conn = await t.backend.accept();
      await conn.request();
      await answer(conn);
      const { status, body } = await client.answer();
      assert.equal(status, 502);
      assert.equal(body, "backend unreachable\n");
      assert.equal(t.seen.failures.length, 1);
      assert.equal(t.seen.failures[0].stage, "backend_handshake");
      assert.match(t.seen.failures[0].message, log);
      assert.match(t.seen.failures[0].message, /ws:\/\/127\.0\.0\.1:/, "it names the backend");
      assert.equal(t.seen.opened.length, 0);
      (await t.open()).quic.close();
    });
  });
}

Deno.test("backend: 502 when nobody listens there", async () => {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr as Deno.NetAddr;
  free.close();
  const backend = { dial: { hostname: "127.0.0.1", port }, url: `ws://127.0.0.1:${port}` };
  await withProxy({ backend }, async (t) => {
    const quic = await t.connect();
    const { status } = await (await quic.connectWs()).answer();
    assert.equal(status, 502);
    const [{ stage, message }] = t.seen.failures;
    assert.equal(stage, "backend_dial");
    assert.match(message, new RegExp(`^Cannot dial ws://127.0.0.1:${port}: .*refused`, "i"));
  });
});

Deno.test("backend: 502 for a name that does not resolve", async () => {
  const backend = { dial: { hostname: "no-such-host.invalid", port: 80 }, url: "ws://x.invalid" };
  await withProxy({ backend }, async (t) => {
    const quic = await t.connect();
    const { status } = await (await quic.connectWs()).answer();
    assert.equal(status, 502);
    assert.equal(t.seen.failures[0].stage, "backend_dial");
  });
});

Deno.test("backend: 504 when it does not answer within --handshake-timeout", async () => {
  await withProxy({ handshakeTimeoutMs: 300 }, async (t) => {
    const quic = await t.connect();
    const client = await quic.connectWs();
    const conn = await t.backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 101 Swi");
    const { status, body } = await client.answer();
    assert.deepEqual([status, body], [504, "backend too slow\n"]);
    assert.equal(t.seen.failures[0].stage, "backend_handshake");
    assert.match(t.seen.failures[0].message, /handshake took longer than 300 ms/);
    await conn.inbox.rest();
  });
});

for (const insecure of [false, true]) {
  const how = insecure ? ", with --backend-insecure" : "";
  Deno.test(`backend: 504 when TLS is not over within --dial-timeout${how}`, async () => {
    // A TCP server that never says a word of TLS.
    const dialTls = { serverName: "localhost", alpnProtocols: ["http/1.1"], insecure };
    await withProxy({ dialTimeoutMs: 300, dialTls }, async (t) => {
      const quic = await t.connect();
      const client = await quic.connectWs();
      const conn = await t.backend.accept();
      const { status, body } = await client.answer();
      assert.deepEqual([status, body], [504, "backend too slow\n"]);
      assert.equal(t.seen.failures[0].stage, "backend_dial");
      assert.match(t.seen.failures[0].message, /dial took longer than 300 ms/);
      await conn.inbox.rest();
    });
  });
}

const ignore = Deno.build.os !== "linux";

Deno.test("backend: 504 when TCP does not connect within --dial-timeout", { ignore }, async () => {
  using full = await listenFull();
  const backend = { dial: full, url: `ws://127.0.0.1:${full.port}` };
  await withProxy({ dialTimeoutMs: 300, handshakeTimeoutMs: 60_000, backend }, async (t) => {
    const quic = await t.connect();
    const { status, body } = await (await quic.connectWs()).answer();
    assert.deepEqual([status, body], [504, "backend too slow\n"]);
    const { stage, message } = t.seen.failures[0];
    assert.equal(stage, "backend_dial");
    assert.equal(message, `Cannot dial ${backend.url}: dial took longer than 300 ms`);
  });
});
