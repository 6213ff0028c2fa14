// Whom TlsServer serves: client certificates, and programs of others.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { subjectText } from "../../src/net/tls_certificates.ts";
import { TlsServer } from "../../src/net/tls_server.ts";
import { within } from "../support/within.ts";
import {
  bytesOf,
  certificates,
  connectTls,
  ended,
  optionsFor,
  readText,
  Seen,
  withTlsServer,
} from "./accept_support.ts";
import { makeClientCertificate } from "./client_certificates.ts";

const good = await makeClientCertificate([{ C: ["DE"] }, { O: ["A, B"] }, { CN: ["Zoë"] }]);
const other = await makeCertificates({ hosts: ["b.example"], days: 1 });
const wrong = await makeClientCertificate([{ CN: ["Zoë"] }]);

Deno.test("TlsServer: one of two client CAs is enough", async () => {
  await withTlsServer({ clientCaPem: `${wrong.caPem}\n${good.caPem}` }, async (server, seen) => {
    for (const { certPem: cert, keyPem: key } of [good, wrong]) {
      const client = await connectTls(server.port, { cert, key });
      assert.notEqual((await seen.next()).clientCertificate, null);
      client.destroy();
    }
  });
});

const LISTS = [
  { what: "one certificate", list: [certificates] },
  { what: "two certificates", list: [certificates, other] },
];
const REFUSED = [
  { name: "missing", cert: undefined, key: undefined },
  { name: "of another CA", cert: wrong.certPem, key: wrong.keyPem },
];

for (const { what, list } of LISTS) {
  for (const { name, cert, key } of REFUSED) {
    Deno.test(`TlsServer: with ${what}, a client certificate that is ${name} is refused, and nothing is read`, async () => {
      await withTlsServer({ clientCaPem: good.caPem, certificates: list }, async (server, seen) => {
        for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
          // In TLS 1.3 the client learns of it after its own handshake.
          const client = await connectTls(server.port, { cert, key, maxVersion }).catch(() => null);
          client?.on("error", () => {}).write("GET / HTTP/1.1\r\n\r\n");
          const refusal = await seen.refusal();
          assert.equal(refusal.kind, "tls", refusal.message);
          if (client !== null) await ended(client);
          assert.deepEqual([server.handshakes, server.connections], [0, 0]);
        }
        assert.equal(seen.accepted.length, 0);
      });
    });
  }

  Deno.test(`TlsServer: with ${what}, a client certificate of the CA is taken, and its subject told`, async () => {
    await withTlsServer({ clientCaPem: good.caPem, certificates: list }, async (server, seen) => {
      for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
        const { certPem: cert, keyPem: key } = good;
        const client = await connectTls(server.port, { cert, key, maxVersion });
        const { clientCertificate, stream } = await seen.next();
        assert.equal(clientCertificate, "CN=Zo\\c3\\ab,O=A\\, B,C=DE");
        client.end("a");
        assert.equal(await readText(stream), "a");
        stream.abort();
      }
    });
  });
}

Deno.test("TlsServer: a client CA that is no certificate is told as tls", async () => {
  const options = optionsFor(new Seen(), new Sweeper(20));
  const broken = good.caPem.replace(/\n[^-]{8}/, "\nAAAAAAAA");
  for (const clientCaPem of ["", "garbage", broken, `${good.caPem}\n${broken}`]) {
    const listening = TlsServer.listen({ ...options, certificates: [certificates], clientCaPem });
    await assert.rejects(listening, { name: "NetError", kind: "tls" });
  }
});

const SUBJECTS = [
  { subject: { CN: "a" }, want: "CN=a" },
  { subject: { C: "DE", OU: ["1", "2"], CN: "a" }, want: "CN=a,OU=2,OU=1,C=DE" },
  { subject: { CN: ' #a"+,;<>\\ ' }, want: 'CN=\\ #a\\"\\+\\,\\;\\<\\>\\\\\\ ' },
  { subject: { CN: "#a" }, want: "CN=\\#a" },
  { subject: { CN: "a\r\nX: b\0" }, want: "CN=a\\0d\\0aX: b\\00" },
  { subject: { CN: "ü€😀" }, want: "CN=\\c3\\bc\\e2\\82\\ac\\f0\\9f\\98\\80" },
  { subject: {}, want: "" },
];

Deno.test("subjectText: RFC 4514 §2.4: what is special or not ASCII is escaped; the last comes first", () => {
  for (const { subject, want } of SUBJECTS) {
    assert.equal(subjectText(subject as Record<string, string>), want);
  }
});

async function has(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["version"], stderr: "null" }).output()).code >=
      0;
  } catch {
    return false;
  }
}

const hasOpenssl = await has("openssl");
const hasCurl = await has("curl");

/** What openssl's client says; it sends `input` and FIN. */
async function openssl(port: number, args: string[], input = ""): Promise<string> {
  const child = new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "localhost", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytesOf(input)).catch(() => {});
  const timer = setTimeout(() => void writer.close().catch(() => {}), 1_000);
  const { stdout, stderr } = await within("openssl", child.output());
  clearTimeout(timer);
  await writer.close().catch(() => {});
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test({
  name: "TlsServer: openssl: TLS 1.2 and 1.3 are taken; below them, and renegotiation, refused",
  ignore: !hasOpenssl,
  async fn() {
    await withTlsServer({}, async (server, seen) => {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const said = openssl(server.port, [version, "-alpn", "h2,http/1.1"], "hi\n");
        const { stream, alpn } = await seen.next();
        assert.equal(alpn, "h2");
        await stream.read();
        await stream.write(bytesOf("BYE"));
        await stream.closeWrite();
        assert.match(await said, /BYE/);
        stream.abort();
      }
      for (const version of ["-tls1_1", "-tls1"]) {
        const said = await openssl(server.port, [version, "-cipher", "ALL:@SECLEVEL=0"]);
        assert.match(said, /Cipher is \(NONE\)|no protocols available/);
      }
      assert.equal(seen.accepted.length, 0);
      // A line "R" asks for a renegotiation.
      const said = openssl(server.port, ["-tls1_2"], "R\n");
      const { stream } = await seen.next();
      await readText(stream).catch(() => {});
      stream.abort();
      assert.match(await said, /no renegotiation|NO_RENEGOTIATION|alert|reset|error/i);
    });
  },
});

Deno.test({
  name: "TlsServer: curl: GET by HTTP/1.1 over TLS, and h2 where it offers that",
  ignore: !hasCurl,
  async fn() {
    await withTlsServer({}, async (server, seen) => {
      for (const version of ["--http1.1", "--http2"]) {
        const { port } = server;
        const child = new Deno.Command("curl", {
          args: [
            "-sk",
            "-m",
            "10",
            version,
            `https://localhost:${port}/`,
            "--resolve",
            `localhost:${port}:127.0.0.1`,
          ],
          stdout: "piped",
        }).spawn();
        const { stream, alpn, serverName } = await seen.next();
        assert.equal(serverName, "localhost");
        assert.equal(alpn, version === "--http2" ? "h2" : "http/1.1");
        const head = new TextDecoder().decode((await stream.read())!);
        assert.match(head, version === "--http2" ? /^PRI \* HTTP\/2\.0/ : /^GET \/ HTTP\/1\.1/);
        await stream.write(bytesOf("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        await stream.closeWrite();
        const { stdout } = await within("curl", child.output());
        if (version === "--http1.1") assert.equal(new TextDecoder().decode(stdout), "ok");
        stream.abort();
      }
    });
  },
});
