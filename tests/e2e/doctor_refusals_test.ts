import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { run } from "../../src/cli/args.ts";
import { doctorCommand } from "../../src/cli/doctor.ts";
import { sha1 } from "../../src/net/sha1.ts";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
import { diagnose, doctor } from "../support/doctor.ts";
import { alpnValue, svcData } from "../support/dns_message.ts";
import { testCertificates } from "../support/proxy.ts";
import { withResolver } from "../support/resolver.ts";
import { TestIo } from "../cli/support.ts";

const QUICK = ["--timeout", "1s"];

/** A server whose upgrades a test answers by hand. */
async function withUpgrades(
  answer: (socket: Duplex, request: IncomingMessage) => void,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer();
  const sockets: Duplex[] = [];
  server.on("upgrade", (request, socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    answer(socket, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

function accept(socket: Duplex, request: IncomingMessage): void {
  const key = acceptFor(request.headers["sec-websocket-key"]!, sha1);
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      `Sec-WebSocket-Accept: ${key}\r\n\r\n`,
  );
}

function refuseWith(status: string, body: string, field = "x-why: test") {
  return (socket: Duplex) => {
    const length = new TextEncoder().encode(body).length;
    socket.end(`HTTP/1.1 ${status}\r\n${field}\r\nContent-Length: ${length}\r\n\r\n${body}`);
  };
}

const REFUSALS = [
  { status: "403 Forbidden", body: "not you", want: '403 Forbidden, "not you"', advice: /-o/ },
  { status: "401 Unauthorized", body: "<html>", want: "401 Unauthorized", advice: /-H/ },
  { status: "404 Not Found", body: "", want: "404 Not Found", advice: /path/ },
  { status: "302 Found", body: "", want: "302 Found", advice: /not redirected/ },
  { status: "200 OK", body: "hi\nthere", want: '200 OK, "hi"', advice: /Upgrade/ },
  { status: "418 Teapot", body: "", want: /^418/, advice: /log/ },
];

Deno.test("doctor: a refusal is told with its status, its fields and how its body begins", async () => {
  for (const { status, body, want, advice } of REFUSALS) {
    await withUpgrades(refuseWith(status, body), async (url) => {
      const { code, at, finding } = await diagnose([url]);
      assert.equal(code, 1);
      const { level, value, details } = finding("ws_h1");
      assert.equal(level, "fail");
      if (typeof want === "string") assert.equal(value, want);
      else assert.match(value, want);
      assert.match(finding("ws_h1").advice, advice);
      assert.ok(details.includes("x-why: test"));
      assert.deepEqual(at("rtt_h1"), ["skip", "WebSocket, HTTP/1.1 failed"]);
    });
  }
});

Deno.test("doctor: what a server sends can't talk to the terminal", async () => {
  await withUpgrades(refuseWith("403 Forbidden", "\x1b[2Jgone"), async (url) => {
    const { out } = await doctor([url]);
    assert.match(out, /"\\u001b\[2Jgone"/);
    assert.ok(!out.includes("\x1b"));
  });
});

Deno.test("doctor: header fields, the origin and subprotocols go with the handshake", async () => {
  const seen: IncomingMessage["headers"][] = [];
  const answer = (socket: Duplex, request: IncomingMessage) => {
    seen.push(request.headers);
    accept(socket, request);
  };
  await withUpgrades(answer, async (url) => {
    const { at } = await diagnose([
      ...[url, "-H", "Authorization: Basic eA==", "-H", "x-b: 1", "-o", "https://a.example"],
      ...["-s", "chat", "-s", "v2", ...QUICK],
    ]);
    const [{ authorization, origin, "x-b": b, "sec-websocket-protocol": protocol }] = seen;
    assert.deepEqual([authorization, b], ["Basic eA==", "1"]);
    assert.deepEqual([origin, protocol], ["https://a.example", "chat, v2"]);
    assert.deepEqual(at("subprotocol"), ["warn", "none of chat, v2 was chosen"]);
    assert.deepEqual(at("extensions"), ["ok", "none; permessage-deflate was offered"]);
  });
});

Deno.test("doctor: Pings and a Close that nobody answers", async () => {
  await withUpgrades(accept, async (url) => {
    const { code, at } = await diagnose([url, ...QUICK]);
    assert.equal(code, 0);
    assert.deepEqual(at("rtt_h1"), ["warn", "no Pong in 1s"]);
    assert.deepEqual(at("close_h1"), ["warn", "not answered in 1s"]);
    const echo = await diagnose([url, "--echo", ...QUICK]);
    assert.deepEqual(echo.at("rtt_h1"), ["warn", "no Pong or echo in 1s"]);
  });
});

/** Close, 1008, "no". */
const CLOSE = Uint8Array.of(0x88, 4, 0x03, 0xf0, 0x6e, 0x6f);

Deno.test("doctor: a socket that is ended at once, with its code, and by whom", async () => {
  for (const endsStream of [true, false]) {
    const answer = (socket: Duplex, request: IncomingMessage) => {
      accept(socket, request);
      if (endsStream) socket.end(CLOSE);
      else socket.write(CLOSE);
    };
    await withUpgrades(answer, async (url) => {
      const { code, at } = await diagnose([url, ...QUICK]);
      assert.equal(code, 1);
      const how = 'closed by the server with 1008 "no"';
      const leftOpen = endsStream ? "" : ", without ending its stream";
      assert.deepEqual(at("rtt_h1"), ["fail", `the server ended it at once: ${how}${leftOpen}`]);
      assert.deepEqual(at("close_h1"), ["skip", `it had ended before: ${how}`]);
    });
  }
});

Deno.test("doctor: an answer that was not offered, and one that breaks a rule", async () => {
  const rows = [
    { field: "Sec-WebSocket-Protocol: chat", want: /subprotocol "chat", not offered/ },
    { field: "Sec-WebSocket-Extensions: x-y", want: /extension "x-y", not offered/ },
  ];
  for (const { field, want } of rows) {
    const answer = (socket: Duplex, request: IncomingMessage) => {
      const key = acceptFor(request.headers["sec-websocket-key"]!, sha1);
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          `${field}\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
      );
    };
    await withUpgrades(answer, async (url) => {
      const { code, at } = await diagnose([url, ...QUICK]);
      assert.equal(code, 1);
      assert.match(at("ws_h1")[1], want);
    });
  }
  await withUpgrades((socket) => socket.end("SSH-2.0-x\r\n"), async (url) => {
    assert.match((await diagnose([url, ...QUICK])).at("ws_h1")[1], /^it breaks a rule: /);
  });
});

/** A server that takes connections and says nothing; `body` gets its port, and when one has come. */
async function withSilence(body: (port: number, came: Promise<void>) => Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const came = Promise.withResolvers<void>();
  const serving = (async () => {
    for await (const conn of listener) {
      conns.push(conn);
      came.resolve();
    }
  })();
  try {
    await body(listener.addr.port, came.promise);
  } finally {
    for (const conn of conns) conn.close();
    listener.close();
    await serving;
  }
}

Deno.test("doctor: a server that takes connections and is silent", async () => {
  await withSilence(async (port) => {
    for (const [scheme, id] of [["ws", "ws_h1"], ["wss", "tls"]]) {
      const { code, at, report } = await diagnose([`${scheme}://127.0.0.1:${port}/`, ...QUICK]);
      assert.equal(code, 1);
      assert.deepEqual(at(id), ["fail", "no answer in 1s"]);
      assert.ok(report.tookMs < 10_000, `${report.tookMs}`);
    }
  });
});

Deno.test("doctor: who ends it gets what is known by then, and 1", async () => {
  await withSilence(async (port, came) => {
    const io = new TestIo({ NO_COLOR: "1" });
    void came.then(() => io.stop());
    const args = ["doctor", `ws://127.0.0.1:${port}/`, "--timeout", "5m"];
    assert.equal(await run(args, { commands: [doctorCommand] }, io), 1);
    assert.match(io.stdout, /\nok {4}DNS /);
    assert.match(io.stdout, /\nskip {2}Close, HTTP\/1\.1 +it was ended before\n/);
  });
});

Deno.test("doctor: no such host, a refused port, and TLS where none is spoken", async () => {
  const unknown = await diagnose(["wss://nowhere.invalid/", ...QUICK, "--resolver", "127.0.0.1:9"]);
  assert.equal(unknown.code, 1);
  assert.equal(unknown.at("dns")[0], "fail");
  assert.deepEqual(unknown.at("tcp"), ["skip", "DNS failed"]);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const refused = await diagnose([`ws://127.0.0.1:${port}/`]);
  assert.deepEqual(refused.at("tcp"), ["fail", `port ${port}: nothing listens there`]);
  await withUpgrades(accept, async (url) => {
    const { code, finding } = await diagnose([url.replace("ws:", "wss:"), ...QUICK]);
    assert.equal(code, 1);
    assert.equal(finding("tls").level, "fail");
    assert.match(finding("tls").advice, /ws:\/\//);
  });
});

Deno.test("doctor: the HTTPS record, asked of --resolver", async () => {
  const data = svcData(1, ".", [[1, alpnValue("h3", "h2")]]);
  const rows = [
    { options: { records: [{ data }] }, want: ["ok", "alpn h3, h2"], details: ["1 . alpn=h3,h2"] },
    {
      options: { records: [{ data: svcData(0, "b.example") }] },
      want: ["ok", "an alias of b.example"],
    },
    { options: { rcode: 3 }, want: ["ok", "none"] },
    { options: { rcode: 2 }, want: ["skip", "the resolver answered SERVFAIL"] },
    { options: { silent: true }, want: ["skip", "the resolver did not answer in 1s"] },
    {
      options: { records: [{ data: svcData(1, ".", [[3, Uint8Array.of(1)]]) }] },
      want: ["warn", "the answer can't be read: port is not of 2 bytes"],
    },
    {
      options: { records: [{ data: svcData(1, ".", [[3, Uint8Array.of(0x20, 0xfb)]]) }] },
      want: ["warn", "alpn http/1.1, port 8443"],
    },
  ];
  for (const { options, want, details } of rows) {
    await withResolver(options, async ({ address, port }) => {
      const resolver = ["--resolver", `${address}:${port}`];
      const { at, finding } = await diagnose(["wss://nowhere.invalid/", ...resolver, ...QUICK]);
      assert.deepEqual(at("dns_https"), want);
      if (details !== undefined) assert.deepEqual(finding("dns_https").details, details);
    });
  }
});

Deno.test("doctor: HTTP/2 that announces WebSockets and refuses them breaks browsers", async () => {
  const { certPem: cert, keyPem: key } = await testCertificates();
  const server = createSecureServer({
    ...{ cert, key, allowHTTP1: true, settings: { enableConnectProtocol: true } },
  });
  const refuse = (_: unknown, response: unknown) => {
    (response as ServerResponse).writeHead(405).end();
  };
  server.on("request", refuse);
  // An extended CONNECT comes by this one.
  server.on("connect", refuse);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const { code, at, finding } = await diagnose([`wss://localhost:${port}/`, "--timeout", "1s"]);
    assert.equal(code, 1);
    assert.deepEqual(at("h2_settings"), ["ok", "extended CONNECT, for WebSockets"]);
    assert.deepEqual(at("ws_h2"), ["fail", "405 Method Not Allowed"]);
    assert.match(finding("ws_h2").advice, /extended CONNECT/);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});

Deno.test("doctor: a proxy of the environment is told, and not taken", async () => {
  await withUpgrades(accept, async (url) => {
    const { out } = await doctor([url, ...QUICK], { HTTPS_PROXY: "http://127.0.0.1:1" });
    assert.match(out, /\nok {4}WebSocket, HTTP\/1\.1 /);
    assert.match(out, /\nwarn {2}HTTP proxy here +HTTPS_PROXY is set\n +-> The probes go directly/);
  });
});
