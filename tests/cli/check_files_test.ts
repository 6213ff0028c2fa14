import assert from "node:assert/strict";
import { run } from "../../src/cli/args.ts";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { within } from "../support/within.ts";
import { TestIo, withFolder } from "./support.ts";

const [own, other] = [
  await makeCertificates({ hosts: ["a.example"], days: 1 }),
  await makeCertificates({ hosts: ["b.example"], days: 1 }),
];
const BROKEN = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

const FILES: Record<string, string> = {
  "cert.pem": own.certPem,
  "key.pem": own.keyPem,
  "other.pem": other.certPem,
  "other-key.pem": other.keyPem,
  "ca.pem": `${own.caPem}\n${other.caPem}`,
  "broken.pem": BROKEN,
  "half.pem": `${own.caPem}\n${BROKEN}`,
  "broken-key.pem": own.keyPem.replace(/\n.{8}/, "\n"),
  "locked.pem": own.keyPem.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
  "empty.pem": "",
  "ports.json": '{ "web.8080": 32768 }',
  "ports.bad": '{ "web": 80 }',
  "ports.none": "[]",
  "ports.text": "no JSON",
};

const CERT = "; allowed: a file with certificates in PEM, the server's own first";
const KEY = "; allowed: a file with the certificate's private key in PEM, not encrypted";
const CA = "; allowed: a file with certificates in PEM";
const PORTS = '; allowed: a file with a table of ports in JSON ({ "web.8080": 32768 })';
const NO_CERT = "can't be used: no certificate in PEM is in it";

const ROWS: [text: string, ...want: string[]][] = [
  [""],
  ["cert: cert.pem\nkey: key.pem\nclient-ca: ca.pem\nbackend-ca: ca.pem\n"],
  ["cert: cert.pem\n"],
  ["key: other-key.pem\n"],
  ['client-ca: ""\n'],
  ["certificates: [{ cert: cert.pem, key: key.pem }, { cert: other.pem, key: other-key.pem }]\n"],
  ["cmux: { map-file: ports.json }\n"],
  ["cmux: { map-file: none.json, enabled: false }\n"],
  [
    "cert: none.pem\nkey: ${DIR}\n",
    `1:7: cert: "none.pem" can't be read: FOLDER/none.pem: no such file${CERT}`,
    `2:6: key: "FOLDER" can't be read: it is a directory${KEY}`,
  ],
  [
    "cert: key.pem\nkey: cert.pem\n",
    `1:7: cert: "key.pem" ${NO_CERT}${CERT}`,
    `2:6: key: "cert.pem" can't be used: no private key in PEM is in it${KEY}`,
  ],
  [
    "cert: broken.pem\nkey: broken-key.pem\n",
    `1:7: cert: "broken.pem" can't be used: the certificate in it can't be read${CERT}`,
    `2:6: key: "broken-key.pem" can't be used: the private key in it can't be read${KEY}`,
  ],
  [
    "key: locked.pem\n",
    `1:6: key: "locked.pem" can't be used: the private key in it is encrypted${KEY}`,
  ],
  [
    "key: other-key.pem\ncert: cert.pem\n",
    `1:6: key: "other-key.pem" does not fit the certificate in cert.pem${KEY}`,
  ],
  [
    "certificates:\n  - { cert: cert.pem, key: key.pem }\n  - { cert: other.pem, key: key.pem }\n",
    `3:29: certificates[1].key: "key.pem" does not fit the certificate in other.pem${KEY}`,
  ],
  [
    "backend: ws://a\nclient-ca: half.pem\ndefaults: { backend-ca: empty.pem }\nroutes:\n" +
    "  - { match: { path: /a } }\n  - { match: { path: /b }, backend-ca: key.pem }\n",
    `2:12: client-ca: "half.pem" can't be used: of the 2 certificates in it number 2 can't be read${CA}`,
    `3:25: defaults.backend-ca: "empty.pem" ${NO_CERT}${CA}`,
    `6:40: routes[1].backend-ca: "key.pem" ${NO_CERT}${CA}`,
  ],
  [
    "cmux: { map-file: none.json }\n",
    `1:19: cmux.map-file: "none.json" can't be read: FOLDER/none.json: no such file${PORTS}`,
  ],
  [
    "cmux: { map-file: ports.bad }\n",
    `1:19: cmux.map-file: "ports.bad" has "web": 80, which can't be used; allowed: the name of a ` +
    "container or a workspace, a dot, and its port (web.8080)",
  ],
  [
    "cmux: { map-file: ports.none }\n",
    `1:19: cmux.map-file: "ports.none" has [], which can't be used; allowed: ` +
    '{ "<container or workspace>.<port>": <port> or "host:port", ... }',
  ],
];

async function check(file: string, ...flags: string[]) {
  const io = new TestIo({ DIR: file.replace(/\/[^/]*$/, "") });
  const code = await run(["check", file, ...flags], {}, io);
  return { code, out: io.stdout, err: io.stderr };
}

Deno.test("check: what the files hold that it names is told where it names them, exit code 1", () =>
  withFolder(async (folder) => {
    for (const [name, text] of Object.entries(FILES)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    const file = `${folder}/h3ws.yaml`;
    for (const [text, ...want] of ROWS) {
      await Deno.writeTextFile(file, text);
      const { code, out, err } = await check(file);
      const lines = want.map((line) => `${file}:${line.replace("FOLDER", folder)}\n`);
      assert.equal(err, lines.join(""), text);
      assert.equal(code, want.length === 0 ? 0 : 1, text);
      assert.match(out, want.length === 0 ? /^\S+ is right: .*\n$/ : /^$/);
      // For another machine.
      const elsewhere = await check(file, "--files", "off");
      assert.deepEqual([elsewhere.code, elsewhere.err], [0, ""], text);
    }
    await Deno.writeTextFile(file, "cmux: { map-file: ports.text }\n");
    const { code, err } = await check(file);
    assert.equal(code, 1);
    assert.match(err, /:1:19: cmux\.map-file: "ports\.text" can't be used: .*JSON.*; allowed: /);
  }));

Deno.test("check: what is wrong in the file itself goes before what it names, exit code 2", () =>
  withFolder(async (folder) => {
    const file = `${folder}/h3ws.yaml`;
    await Deno.writeTextFile(file, "cert: none.pem\nlisen: x\n");
    assert.deepEqual(await check(file), {
      code: 2,
      out: "",
      err: `${file}:2:1: lisen: is not known; did you mean listen?\n`,
    });
  }));

Deno.test("check: what has no end, or nobody writes, is refused at once where it is named", {
  ignore: Deno.build.os !== "linux",
}, () =>
  withFolder(async (folder) => {
    const file = `${folder}/h3ws.yaml`;
    await Deno.symlink("/dev/zero", `${folder}/zero`);
    await Deno.writeFile(`${folder}/large`, new Uint8Array(1024 * 1024 + 1));
    await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
    await Deno.writeTextFile(
      file,
      "cert: zero\nkey: pipe\nclient-ca: large\nbackend-ca: pipe\ncmux: { map-file: pipe }\n",
    );
    const notRegular = (name: string) => `${folder}/${name}: it is not a regular file`;
    const { code, err } = await within("its answer", check(file));
    assert.equal(code, 1);
    assert.deepEqual(err.trimEnd().split("\n"), [
      `${file}:1:7: cert: "zero" can't be read: ${notRegular("zero")}${CERT}`,
      `${file}:2:6: key: "pipe" can't be read: ${notRegular("pipe")}${KEY}`,
      `${file}:3:12: client-ca: "large" can't be read: ${folder}/large: it is larger than 1 MiB${CA}`,
      `${file}:4:13: backend-ca: "pipe" can't be read: ${notRegular("pipe")}${CA}`,
      `${file}:5:19: cmux.map-file: "pipe" can't be read: ${notRegular("pipe")}${PORTS}`,
    ]);
    await Deno.writeTextFile(file, "cmux: { map-file: large }\n");
    assert.match((await check(file)).err, /"large" can't be read: .*it is larger than 1 MiB; /);
    const large = await check(`${folder}/large`);
    assert.deepEqual([large.code, large.out], [1, ""]);
    assert.match(large.err, /Cannot read \S+large: it is larger than 1 MiB/);
  }));
