import assert from "node:assert/strict";
import type * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { TlsServer } from "../../src/net/tls_server.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import {
  bytesOf,
  certificates,
  connectTls,
  ended,
  optionsFor,
  Seen,
  withTlsServer,
} from "./accept_support.ts";

const other = await makeCertificates({ hosts: ["b.example", "*.c.example"], days: 1 });

function nameOf(socket: tls.TLSSocket): string {
  return socket.getPeerCertificate().subjectaltname ?? "";
}

Deno.test("TlsServer: a connection is handed over with its remote address, ALPN and SNI", async () => {
  await withTlsServer({}, async (server, seen) => {
    const client = await connectTls(server.port, { ALPNProtocols: ["http/1.1", "h2"] });
    const { stream, ...rest } = await seen.next();
    assert.deepEqual(rest, {
      remote: `127.0.0.1:${client.localPort}`,
      local: `127.0.0.1:${server.port}`,
      secure: true,
      // RFC 7301 §3.2: the server's preference counts.
      alpn: "h2",
      serverName: "localhost",
      clientCertificate: null,
    });
    assert.deepEqual([server.handshakes, server.connections], [0, 1]);
    client.write("hello");
    assert.deepEqual(new Uint8Array((await stream.read())!), bytesOf("hello"));
    stream.abort();
    await ended(client);
    await until("no connection", () => server.connections === 0);
  });
});

Deno.test("TlsServer: _parent of a server's TLSSocket is the TCP socket below it", async () => {
  // Internal API: by it the server knows whose handshake is over.
  await withTlsServer({}, async (server, seen) => {
    const client = await connectTls(server.port);
    await seen.next();
    assert.equal(server.handshakes, 0);
    assert.equal(seen.refusals.length, 0);
    client.destroy();
  });
});

const ALPN = [
  { name: "none offered", offered: undefined, of: undefined, want: null },
  { name: "http/1.1 alone", offered: ["http/1.1"], of: undefined, want: "http/1.1" },
  { name: "of the server's own list", offered: ["x", "h2"], of: ["x"], want: "x" },
];

for (const { name, offered, of, want } of ALPN) {
  Deno.test(`TlsServer: ALPN: ${name}`, async () => {
    for (const list of [[certificates], [certificates, other]]) {
      const options = { certificates: list, ...(of && { alpnProtocols: of }) };
      await withTlsServer(options, async (server, seen) => {
        const client = await connectTls(server.port, {
          ...(offered && { ALPNProtocols: offered }),
        });
        assert.equal((await seen.next()).alpn, want);
        client.destroy();
      });
    }
  });
}

Deno.test("TlsServer: RFC 7301 §3.2: without a common protocol the handshake ends with no_application_protocol", async () => {
  await withTlsServer({}, async (server, seen) => {
    await assert.rejects(
      connectTls(server.port, { ALPNProtocols: ["spdy/3"] }),
      /NO_APPLICATION_PROTOCOL|NoApplicationProtocol/,
    );
    assert.equal((await seen.refusal()).kind, "tls");
    assert.equal(server.handshakes, 0);
  });
});

const NAMES = [
  { name: "localhost", want: certificates },
  { name: "b.example", want: other },
  { name: "B.Example", want: other },
  { name: "x.c.example", want: other },
  { name: "c.example", want: certificates },
  { name: "x.y.c.example", want: certificates },
  { name: "unknown.example", want: certificates },
];

Deno.test("TlsServer: SNI chooses among certificates: exact, wildcard of one label, else the first", async () => {
  await withTlsServer({ certificates: [certificates, other] }, async (server, seen) => {
    for (const { name, want } of NAMES) {
      const client = await connectTls(server.port, { servername: name, rejectUnauthorized: false });
      const expected = want === other ? "DNS:b.example, DNS:*.c.example" : "DNS:localhost";
      assert.equal(nameOf(client), expected, name);
      assert.equal((await seen.next()).serverName, name.toLowerCase());
      client.destroy();
    }
    const client = await connectTls(server.port, { servername: "", rejectUnauthorized: false });
    assert.equal(nameOf(client), "DNS:localhost");
    assert.equal((await seen.next()).serverName, null);
    client.destroy();
  });
});

Deno.test("TlsServer: reload: new connections get the new certificate, old ones live on", async () => {
  await withTlsServer({}, async (server, seen) => {
    const old = await connectTls(server.port);
    const { stream } = await seen.next();
    server.reload([other]);
    const client = await connectTls(server.port, { rejectUnauthorized: false });
    assert.equal(nameOf(client), "DNS:b.example, DNS:*.c.example");
    await stream.write(bytesOf("a"));
    await within("a", new Promise((resolve) => old.once("data", resolve)));
    // And from one to several.
    server.reload([other, certificates]);
    const third = await connectTls(server.port);
    assert.equal(nameOf(third), "DNS:localhost");
    for (const socket of [old, client, third]) socket.destroy();
  });
});

const UNUSABLE = [
  { name: "a key of another", pair: { ...certificates, keyPem: other.keyPem } },
  { name: "no certificate", pair: { ...certificates, certPem: "not a certificate" } },
  { name: "no key", pair: { ...certificates, keyPem: "not a key" } },
];

for (const { name, pair } of UNUSABLE) {
  Deno.test(`TlsServer: ${name}: told as tls when it starts and when it reloads, and the old one stays`, async () => {
    const tls = { name: "NetError", kind: "tls" };
    const options = optionsFor(new Seen(), new Sweeper(20));
    await assert.rejects(
      TlsServer.listen({ ...options, certificates: [pair], clientCaPem: null }),
      tls,
    );
    await withTlsServer({}, async (server) => {
      assert.throws(() => server.reload([pair]), tls);
      assert.throws(() => server.reload([other, pair]), tls);
      assert.throws(() => server.reload([]), tls);
      (await connectTls(server.port)).destroy();
    });
  });
}

Deno.test("TlsServer: a certificate that can't be used is told in the words of the QUIC server", async () => {
  using endpoint = new DisposableEndpoint();
  for (const { pair } of UNUSABLE) {
    const options = optionsFor(new Seen(), new Sweeper(20));
    const message = endpoint.messageFor(pair.certPem, pair.keyPem);
    await assert.rejects(
      TlsServer.listen({ ...options, certificates: [pair], clientCaPem: null }),
      { message },
    );
  }
});

class DisposableEndpoint {
  readonly #endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });

  messageFor(cert: string, key: string): string {
    try {
      this.#endpoint.listen({ cert, key, alpnProtocols: ["h3"] });
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error("it was taken");
  }

  [Symbol.dispose](): void {
    this.#endpoint.close();
  }
}

Deno.test("TlsServer: a port in use is told as in_use, an address of others as unreachable", async () => {
  await withTlsServer({}, async (server) => {
    const options = {
      ...optionsFor(new Seen(), new Sweeper(20)),
      certificates: [certificates],
      clientCaPem: null,
    };
    await assert.rejects(TlsServer.listen({ ...options, port: server.port }), {
      name: "NetError",
      kind: "in_use",
    });
    await assert.rejects(TlsServer.listen({ ...options, hostname: "192.0.2.1" }), {
      name: "NetError",
      kind: "unreachable",
    });
  });
});
