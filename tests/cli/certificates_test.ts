import assert from "node:assert/strict";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";

const HOSTS = ["localhost", "127.0.0.1", "::1", "*.ws.test"];

/** Serves QUIC with these for one connection, and says what the client came to. */
async function connect(
  { certPem, keyPem }: Certificates,
  client: { serverName: string; caCerts?: string[] },
): Promise<"accepted" | "refused"> {
  const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
  const listener = endpoint.listen({ cert: certPem, key: keyPem, alpnProtocols: ["h3"] });
  const served = listener.accept().then((conn) => conn.closed, () => {}).catch(() => {});
  let result: "accepted" | "refused";
  try {
    const { port } = endpoint.addr;
    const conn = await Deno.connectQuic({
      hostname: "127.0.0.1",
      port,
      alpnProtocols: ["h3"],
      ...client,
    });
    conn.closed.catch(() => {});
    conn.close({ closeCode: 0, reason: "" });
    result = "accepted";
  } catch {
    result = "refused";
  }
  await served;
  endpoint.close();
  return result;
}

Deno.test("certificates: QUIC takes the leaf by its CA, for each of its hosts", async () => {
  const made = await makeCertificates({ hosts: HOSTS, days: 7 });
  const caCerts = [made.caPem];
  for (const serverName of ["localhost", "127.0.0.1", "::1", "a.ws.test"]) {
    assert.equal(await connect(made, { serverName, caCerts }), "accepted", serverName);
  }
  assert.equal(await connect(made, { serverName: "other.test", caCerts }), "refused");
  assert.equal(await connect(made, { serverName: "localhost" }), "refused");
  const other = await makeCertificates({ hosts: HOSTS, days: 7 });
  assert.equal(
    await connect(made, { serverName: "localhost", caCerts: [other.caPem] }),
    "refused",
  );
});

Deno.test("certificates: a CA and a leaf, ECDSA on P-256, that fit", async () => {
  const made = await makeCertificates({ hosts: HOSTS, days: 7 });
  const ca = new X509Certificate(made.caPem);
  const leaf = new X509Certificate(made.certPem);
  assert.equal(ca.ca, true);
  assert.equal(leaf.ca, false);
  assert.ok(leaf.checkIssued(ca));
  assert.ok(leaf.verify(ca.publicKey));
  assert.ok(leaf.checkPrivateKey(createPrivateKey(made.keyPem)));
  assert.equal(leaf.publicKey.asymmetricKeyType, "ec");
  assert.match(
    leaf.subjectAltName!,
    /^DNS:localhost, IP Address:127\.0\.0\.1, IP Address:[0:]+:1, DNS:\*\.ws\.test$/,
  );
  const days = (Date.parse(leaf.validTo) - Date.now()) / 86_400_000;
  assert.ok(days > 6.9 && days <= 7, leaf.validTo);
  assert.ok(Date.parse(leaf.validFrom) < Date.now());
  assert.match(made.keyPem, /^-----BEGIN PRIVATE KEY-----\n/);
  for (const pem of [made.caPem, made.certPem, made.keyPem]) assert.match(pem, /-----\n$/);
});

Deno.test("certificates: the hash is that of the leaf's SubjectPublicKeyInfo", async () => {
  const made = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const spki = new X509Certificate(made.certPem).publicKey.export({ type: "spki", format: "der" });
  assert.equal(made.spkiHash, createHash("sha256").update(spki).digest("base64"));
});

Deno.test("certificates: those that hold for a century are still certificates", async () => {
  const { certPem, notAfter } = await makeCertificates({ hosts: ["localhost"], days: 36_500 });
  assert.equal(Date.parse(new X509Certificate(certPem).validTo), notAfter.getTime());
});

Deno.test("certificates: none without a host", async () => {
  await assert.rejects(makeCertificates({ hosts: [], days: 1 }), TypeError);
});
