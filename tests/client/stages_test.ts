// A server that falls silent, at whatever stage of an opening WebSocket: the attempt ends in time or
// when it is given up, and nothing of it is left at the server.
import assert from "node:assert/strict";
import { type ConnectOptions, connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { NetError } from "../../src/net/error.ts";
import type { QuicConnection } from "../../src/net/quic.ts";
import { QuicServer } from "../../src/net/quic_server.ts";
import { encodeFrame, FrameType } from "../../src/protocol/http3/frame.ts";
import { encodeSettings } from "../../src/protocol/http3/settings.ts";
import { h2Settings } from "../support/h2_frames.ts";
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";

/** Long enough for every handshake to come to its silence. */
const TIMEOUT_MS = 700;
const utf8 = new TextEncoder();

/** A server of one connection that says so much, and no more. */
interface Silent extends Disposable {
  readonly port: number;
  /** Resolves when it has said what it says, and when the client has ended the connection. */
  readonly silent: Promise<void>;
  readonly ended: Promise<void>;
}

function overTcp(listener: Deno.Listener, says: Uint8Array): Silent {
  const silent = Promise.withResolvers<void>();
  const serve = async () => {
    using conn = await listener.accept();
    if (says.length > 0) {
      await conn.read(new Uint8Array(10_000));
      await conn.write(says);
    }
    silent.resolve();
    while (await conn.read(new Uint8Array(10_000)).catch(() => null) !== null);
  };
  const { port } = listener.addr as Deno.NetAddr;
  return {
    ...{ port, silent: silent.promise, ended: serve() },
    [Symbol.dispose]: () => listener.close(),
  };
}

const tcp = (says: Uint8Array = new Uint8Array(0)) => () =>
  Promise.resolve(overTcp(Deno.listen({ hostname: "127.0.0.1", port: 0 }), says));

const tls = (alpn: string, says: Uint8Array = new Uint8Array(0)) => async () => {
  const { certPem: cert, keyPem: key } = await testCertificates();
  const at = { hostname: "127.0.0.1", port: 0, cert, key, alpnProtocols: [alpn] };
  return overTcp(Deno.listenTls(at), says);
};

/** A UDP port that answers nothing: of what ends there nobody is told. */
function udp(): Promise<Silent> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  const silent = socket.receive().then(() => {});
  return Promise.resolve({
    ...{ port, silent, ended: Promise.resolve() },
    [Symbol.dispose]: () => socket.close(),
  });
}

const quic = (says: (quic: QuicConnection) => Promise<void>) => async (): Promise<Silent> => {
  const { certPem, keyPem } = await testCertificates();
  const server = new QuicServer({
    ...{ hostname: "127.0.0.1", port: 0, certPem, keyPem, alpnProtocols: ["h3"] },
    ...{ maxStreams: 10, idleTimeoutMs: 60_000, keepaliveMs: 0 },
  });
  const silent = Promise.withResolvers<void>();
  const serve = async () => {
    const connection = (await server.incoming())!.accept();
    await connection.handshake();
    await says(connection);
    silent.resolve();
    await connection.closed;
  };
  return {
    ...{ port: server.port, silent: silent.promise, ended: serve() },
    [Symbol.dispose]: () => server.close(),
  };
};

/** RFC 9000 §4.6: it gives no credit for the client's control stream. */
async function quicWithoutCredit(): Promise<Silent> {
  const { certPem: cert, keyPem: key } = await testCertificates();
  const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
  const options = { maxConcurrentUnidirectionalStreams: 0, maxIdleTimeout: 60_000 };
  const listener = endpoint.listen({ cert, key, alpnProtocols: ["h3"], ...options });
  const silent = Promise.withResolvers<void>();
  const serve = async () => {
    const connection = await (await listener.incoming()).accept();
    silent.resolve();
    await connection.closed.catch(() => {});
  };
  return {
    ...{ port: endpoint.addr.port, silent: silent.promise, ended: serve() },
    [Symbol.dispose]: () => endpoint.close(),
  };
}

/** Streams that are collected are closed, and connections with them. */
const held: unknown[] = [];

const h3Settings = async (connection: QuicConnection) => {
  const control = await connection.openUniStream();
  held.push(control);
  const settings = encodeSettings({ enableConnectProtocol: true });
  const frame = encodeFrame(FrameType.SETTINGS, settings);
  await control.write(Uint8Array.of(0x00, ...frame));
};

const H2_SETTINGS = h2Settings([[8, 1]]);
const CUT_HEAD = utf8.encode("HTTP/1.1 101 Switching Protocols\r\nUpgrade: web");
const CUT_BODY = utf8.encode("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nno");

type Versions = readonly NonNullable<ConnectOptions["httpVersion"]>[];
const STAGES: { name: string; scheme: "ws" | "wss"; by: Versions; make: () => Promise<Silent> }[] =
  [
    { name: "a TCP connection", scheme: "ws", by: ["1.1", "2", "auto"], make: tcp() },
    { name: "a part of the answer", scheme: "ws", by: ["1.1"], make: tcp(CUT_HEAD) },
    { name: "a part of a refusal", scheme: "ws", by: ["1.1"], make: tcp(CUT_BODY) },
    { name: "TLS's first flight", scheme: "wss", by: ["1.1", "2", "auto"], make: tcp() },
    { name: "TLS, h2", scheme: "wss", by: ["2", "auto"], make: tls("h2") },
    { name: "TLS, http/1.1", scheme: "wss", by: ["1.1", "auto"], make: tls("http/1.1") },
    { name: "SETTINGS of h2", scheme: "wss", by: ["2", "auto"], make: tls("h2", H2_SETTINGS) },
    { name: "UDP", scheme: "wss", by: ["3"], make: udp },
    { name: "the handshake of QUIC", scheme: "wss", by: ["3"], make: quic(async () => {}) },
    { name: "QUIC without credit", scheme: "wss", by: ["3"], make: quicWithoutCredit },
    { name: "SETTINGS of h3", scheme: "wss", by: ["3"], make: quic(h3Settings) },
  ];

for (const { name, scheme, by, make } of STAGES) {
  for (const httpVersion of by) {
    for (const kind of ["timeout", "aborted"] as const) {
      Deno.test(`stages, ${scheme}, HTTP/${httpVersion}: silent behind ${name}: ${kind}, and nothing is left`, async () => {
        using server = await make();
        using connections = new Connections();
        const { caPem } = await testCertificates();
        const controller = new AbortController();
        const attempt = connectWebSocket(`${scheme}://127.0.0.1:${server.port}/`, {
          ...{ httpVersion, connections, caCerts: [caPem], signal: controller.signal },
          timeoutMs: kind === "timeout" ? TIMEOUT_MS : 60_000,
        });
        if (kind === "aborted") {
          await within("its silence", server.silent);
          controller.abort();
        }
        const error = await within("the error", attempt.then(() => null, (error) => error), 5_000);
        assert.ok(error instanceof NetError, String(error));
        assert.equal(error.kind, kind, error.message);
        // A connection that would carry others is kept for them.
        if (connections.size > 0) connections.close();
        await within("the connection's end", server.ended, 5_000);
      });
    }
  }
}
