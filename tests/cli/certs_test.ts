import "../../src/cli/reflect_metadata.ts";
import assert from "node:assert/strict";
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  X509Certificate as Certificate,
} from "@peculiar/x509";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { run } from "../../src/cli/args.ts";
import { TestIo, withFolder } from "./support.ts";

async function certs(...args: string[]) {
  const io = new TestIo();
  const code = await run(["certs", ...args], {}, io);
  return { code, out: io.stdout, err: io.stderr };
}

function modeOf(file: string): number {
  return (Deno.statSync(file).mode ?? 0) & 0o777;
}

Deno.test("certs: writes a CA, a certificate and its key, and tells the hash", async () => {
  await withFolder(async (folder) => {
    const dir = `${folder}/new/deep`;
    const { code, out, err } = await certs("--dir", dir, "--host", "ws.test, 127.0.0.1");
    assert.deepEqual([code, err], [0, ""]);
    const ca = new X509Certificate(await Deno.readTextFile(`${dir}/ca.pem`));
    const leaf = new X509Certificate(await Deno.readTextFile(`${dir}/cert.pem`));
    const key = createPrivateKey(await Deno.readTextFile(`${dir}/key.pem`));
    assert.ok(leaf.verify(ca.publicKey) && leaf.checkPrivateKey(key));
    assert.equal(leaf.subjectAltName, "DNS:ws.test, IP Address:127.0.0.1");
    assert.match(out, /^SPKI hash: [A-Za-z0-9+/]{43}=$/m);
    assert.match(out, /--ignore-certificate-errors-spki-list=[A-Za-z0-9+/]{43}=$/m);
    assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name).sort(), [
      "ca.pem",
      "cert.pem",
      "key.pem",
    ]);
  });
});

Deno.test("certs: --client makes a client's certificate of the same CA, and is told with its files", () =>
  withFolder(async (folder) => {
    const { code, out, err } = await certs("--dir", folder, "--client", "Zoë, of O=A+B");
    assert.deepEqual([code, err], [0, ""]);
    const read = (name: string) => Deno.readTextFile(`${folder}/${name}`);
    const ca = new X509Certificate(await read("ca.pem"));
    const leaf = new X509Certificate(await read("client.pem"));
    const key = createPrivateKey(await read("client-key.pem"));
    assert.ok(leaf.verify(ca.publicKey) && leaf.checkPrivateKey(key) && leaf.checkIssued(ca));
    assert.equal(leaf.toLegacyObject().subject.CN, "Zoë, of O=A+B");
    // RFC 5280 §4.2.1.12: id-kp-clientAuth, so that nobody takes it for a server's.
    const usage = new Certificate(leaf.raw).getExtension(ExtendedKeyUsageExtension);
    assert.deepEqual([leaf.ca, [...usage?.usages ?? []]], [false, [ExtendedKeyUsage.clientAuth]]);
    assert.match(
      out,
      /client\.pem +the certificate of the client Zoë, .* for --client-ca \S+ca\.pem$/m,
    );
    assert.match(out, /client-key\.pem +its private key$/m);
    if (Deno.build.os !== "windows") assert.equal(modeOf(`${folder}/client-key.pem`), 0o600);
  }));

Deno.test("certs: a client's files that are there stand in the way of --client alone", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/client.pem`, "mine");
    const { code, err } = await certs("--dir", folder, "--client", "alice");
    assert.equal(code, 1);
    assert.equal(err, `h3ws: ${folder}/client.pem is already there; --force writes over\n`);
    assert.equal((await certs("--dir", folder)).code, 0);
    assert.equal(await Deno.readTextFile(`${folder}/client.pem`), "mine");
    for (const name of [" ", "a\tb", "a".repeat(65), " a"]) {
      const { code, err } = await certs("--dir", folder, "--client", name);
      assert.equal(code, 2, name);
      assert.match(err, /^h3ws: --client: ".*" is not a name; allowed: /);
    }
  }));

Deno.test("certs: no file that is there is written over without --force", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/key.pem`, "mine", { mode: 0o644 });
    assert.deepEqual(await certs("--dir", folder), {
      code: 1,
      out: "",
      err: `h3ws: ${folder}/key.pem is already there; --force writes over\n`,
    });
    assert.equal(await Deno.readTextFile(`${folder}/key.pem`), "mine");
    assert.equal([...Deno.readDirSync(folder)].length, 1);
    assert.equal((await certs("--dir", folder, "--force")).code, 0);
    assert.match(await Deno.readTextFile(`${folder}/key.pem`), /PRIVATE KEY/);
  });
});

Deno.test({
  name: "certs: nobody else can read the key, even where a file stood that all could read",
  ignore: Deno.build.os === "windows",
  async fn() {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/key.pem`, "mine", { mode: 0o644 });
      await certs("--dir", folder, "--force");
      assert.equal(modeOf(`${folder}/key.pem`), 0o600);
    });
  },
});

Deno.test("certs: a folder that can't be made is told", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const { code, err } = await certs("--dir", `${folder}/file/x`);
    assert.equal(code, 1);
    const wanted = "a file stands where a directory must be";
    assert.equal(err, `h3ws: Cannot make the directory ${folder}/file/x: ${wanted}\n`);
    const other = await certs("--dir", `${folder}/file`);
    assert.match(
      other.err,
      /^h3ws: Cannot make the directory \S+: a file of that name is there\n$/,
    );
  });
});

Deno.test("certs: hosts that can be none are told", async () => {
  for (const hosts of ["", "a,,b", "a b", "https://a", "a:443", "*.com", "*", "a.*.com"]) {
    const { code, err } = await certs("--host", hosts);
    assert.equal(code, 2, hosts);
    assert.match(err, /^h3ws: --host: ".*" is no list of hosts; allowed: /);
  }
});
