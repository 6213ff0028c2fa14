// wss:// and ws+unix: backends: who is trusted, what is told in TLS, and that a session over them
// ends as one over TCP does.
import assert from "node:assert/strict";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import type { TlsClientOptions } from "../../src/net/dial.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { closeAndFin, fromBackend, fromClient, readClose } from "../support/frames.ts";
import { testCertificates, type TestProxyOptions, withProxy } from "../support/proxy.ts";

const ALPN = ["http/1.1"];

/** A wss backend with the test's leaf, reached as `localhost`. */
async function wss(
  change: Partial<TlsClientOptions> = {},
  rest: TestProxyOptions = {},
): Promise<TestProxyOptions> {
  const { caPem, certPem, keyPem } = await testCertificates();
  return {
    dialTls: {
      serverName: "localhost",
      caCerts: [caPem],
      alpnProtocols: ALPN,
      insecure: false,
      ...change,
    },
    backendListen: { tls: { cert: certPem, key: keyPem, ALPNProtocols: ALPN } },
    ...rest,
  };
}

/** Everything passes, both ways, and Close ends it. */
async function roundTrip(options: TestProxyOptions): Promise<void> {
  await withProxy(options, async (t) => {
    const { client, backend } = await t.open();
    const up = concat([fromClient.text("up"), fromClient.frame(Opcode.BINARY, big(300_000))]);
    const down = concat([fromBackend.text("down"), fromBackend.frame(Opcode.BINARY, big(300_000))]);
    backend.write(down);
    await client.send(up);
    assert.deepEqual(await backend.inbox.take(up.length), up);
    assert.deepEqual(await client.inbox.take(down.length), down);
    await client.send(fromClient.close(4001, "bye"));
    assert.deepEqual(readClose(await backend.frame()), { code: 4001, reason: "bye" });
    backend.write(fromBackend.close(4001));
    backend.fin();
    assert.equal((await closeAndFin(client.inbox, false)).code, 4001);
    await client.fin();
    assert.deepEqual(await backend.inbox.rest(), new Uint8Array(0));
    assert.deepEqual(await t.seen.end(), { by: "client", code: 4001, reason: "bye" });
  });
}

function big(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => i % 251);
}

Deno.test("backend tls: wss with an own CA (--backend-ca)", async () => {
  await roundTrip(await wss());
});

Deno.test("backend tls: wss with --backend-insecure", async () => {
  await roundTrip(await wss({ caCerts: undefined, insecure: true }));
});

Deno.test("backend tls: --backend-insecure takes a certificate of another name, too", async () => {
  await roundTrip(await wss({ serverName: "other.example", caCerts: undefined, insecure: true }));
});

Deno.test("backend tls: ws+unix:", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await roundTrip({ backendListen: { unixPath: `${folder}/backend.sock` } });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("backend tls: 502 for a unix socket that is not there", async () => {
  const dial = { unixPath: "/no/such/socket", hostname: "localhost", port: 0 };
  await withProxy({ backend: { dial, url: "ws+unix:/no/such/socket" } }, async (t) => {
    const quic = await t.connect();
    assert.equal((await (await quic.connectWs()).answer()).status, 502);
    assert.match(t.seen.failures[0].message, /^Cannot dial ws\+unix:\/no\/such\/socket: /);
  });
});

interface Untrusted {
  name: string;
  options: () => Promise<TestProxyOptions>;
  log: RegExp;
}

const UNTRUSTED: Untrusted[] = [
  {
    name: "a CA that is not known",
    options: () => wss({ caCerts: undefined }),
    log: /certificate|issuer/i,
  },
  {
    name: "a wrong CA",
    options: async () => {
      const { caPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
      return await wss({ caCerts: [caPem] });
    },
    log: /certificate|issuer/i,
  },
  {
    name: "a certificate of another name",
    options: () => wss({ serverName: "other.example" }),
    log: /certificate/i,
  },
  {
    name: "a backend that does not speak TLS",
    options: async () => ({ ...await wss(), backendListen: {} }),
    log: /./,
  },
];

for (const { name, options, log } of UNTRUSTED) {
  Deno.test(`backend tls: 502 for ${name}, with a log that says so`, async () => {
    await withProxy(await options(), async (t) => {
      const quic = await t.connect();
      const client = await quic.connectWs();
      if (name.includes("not speak")) {
        const conn = await t.backend.accept();
        await conn.inbox.has(1);
        conn.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        conn.fin();
      }
      const { status, body } = await client.answer();
      assert.deepEqual([status, body], [502, "backend unreachable\n"]);
      const [{ stage, message }] = t.seen.failures;
      assert.equal(stage, "backend_dial");
      assert.match(message, /^Cannot dial /);
      assert.match(message, log);
      assert.ok(!message.includes("\n"), "one line");
    });
  });
}

for (const insecure of [false, true]) {
  const how = insecure ? " with --backend-insecure" : "";

  Deno.test(`backend tls: SNI, and ALPN http/1.1 only${how} (RFC 9113 §3.2)`, async () => {
    const offered: string[][] = [];
    const names: string[] = [];
    const options = await wss({ insecure });
    const { cert, key } = options.backendListen!.tls!;
    options.backendListen = {
      tls: {
        cert,
        key,
        ALPNCallback: ({ protocols, servername }) => {
          offered.push(protocols);
          names.push(servername);
          return "http/1.1";
        },
      },
    };
    await withProxy(options, async (t) => {
      const { client, backend } = await t.open();
      assert.deepEqual(offered, [ALPN]);
      assert.deepEqual(names, ["localhost"]);
      assert.equal((backend.socket as tls.TLSSocket).alpnProtocol, "http/1.1");
      await client.fin();
      backend.fin();
    });
  });

  Deno.test(`backend tls: a backend's FIN and RST between frames: Close 1011${how}`, async () => {
    await withProxy(await wss({ insecure }), async (t) => {
      for (const drop of ["fin", "reset"] as const) {
        const { client, backend } = await t.open();
        backend[drop]();
        assert.equal((await closeAndFin(client.inbox, false)).code, 1011, drop);
        await client.fin();
      }
      assert.deepEqual(t.seen.closed.map(({ by }) => by), ["backend", "backend"]);
    });
  });

  Deno.test(`backend tls: a client that is gone ends the backend leg at once${how}`, async () => {
    await withProxy(await wss({ insecure }), async (t) => {
      const { quic, backend } = await t.open();
      quic.close();
      await backend.inbox.rest();
      assert.equal((await t.seen.end()).by, "client");
    });
  });

  Deno.test(`backend tls: a client's FIN becomes close_notify, the rest arrives${how}`, async () => {
    await withProxy(await wss({ insecure }), async (t) => {
      const { client, backend } = await t.open();
      await client.fin();
      assert.deepEqual(await backend.inbox.rest(), new Uint8Array(0));
      assert.equal(backend.inbox.ending, "fin");
      const last = fromBackend.text("last words");
      backend.write(last);
      backend.fin();
      assert.deepEqual(await client.inbox.rest(), last);
    });
  });

  Deno.test(`backend tls: proxy:slow frees the socket of a backend that does not read${how}`, async () => {
    await withProxy(await wss({ insecure }, { writeTimeoutMs: 500 }), async (t) => {
      const { client, backend } = await t.open();
      backend.stopReading();
      const frame = fromClient.frame(Opcode.BINARY, big(64 * 1024));
      const pushing = (async () => {
        for (let i = 0; i < 16_384 && t.seen.closed.length === 0; i++) await client.send(frame);
      })().catch(() => {});
      assert.equal((await t.seen.end()).by, "proxy:slow");
      client.abort();
      await pushing;
      await t.idle();
    });
  });
}
