// What the tools that make a handshake take alike: fields, subprotocols, Origin, user, certificate.
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { run } from "../../src/cli/args.ts";
import { benchCommand } from "../../src/cli/bench.ts";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { connectCommand } from "../../src/cli/connect.ts";
import { doctorCommand } from "../../src/cli/doctor.ts";
import * as kinds from "../../src/cli/handshake_kinds.ts";
import type { Kind } from "../../src/config/kinds.ts";
import { TestIo, withFolder } from "./support.ts";

const COMMANDS = [benchCommand, connectCommand, doctorCommand];
const URL_WSS = "wss://a.example/";

const USAGE: [args: string[], err: string][] = [
  [
    ["-H", "Cookie"],
    '--header: "Cookie" is not a header field; allowed: a name, a colon and a value (Cookie: a=b)',
  ],
  [["-H", ": a"], '--header: ": a" is not a header field; allowed: a name, a colon and a value'],
  [["-H", "a: b\nc: d"], '--header: "a: b\\u000ac: d" is not a header field; '],
  [["-H", "a: b", "-H", "host: x"], '--header: "host: x" can\'t be given; .*; --host sets it'],
  [["-H", "Origin: x"], '--header: "Origin: x" can\'t be given; .*; --origin sets it'],
  [["-H", "Upgrade: x"], '--header: "Upgrade: x" can\'t be given; .*; the client sets it'],
  [["-s", "a b"], '--subprotocol: "a b" is not a subprotocol; allowed: a name of letters, digits'],
  [["-s", "a", "-s", "b", "-s", "a"], '--subprotocol: "a" is offered twice; allowed: each of them'],
  [["-o", "a.example"], '--origin: "a.example" is not an origin; allowed: scheme://host or '],
  [["-o", "https://a.example/x"], '--origin: "https://a.example/x" is not an origin; '],
  [["-o", "https://me@a.example"], '--origin: "https://me@a.example" is not an origin; '],
  [["--host", "a b"], '--host: "a b" is not a host; allowed: host or host:port'],
  [["--auth", "me"], '--auth: "me" is not a user and a password; allowed: user:password'],
];

for (const command of COMMANDS) {
  Deno.test(`${command.name}: what no handshake can say is one line, exit code 2`, async () => {
    for (const [args, want] of USAGE) {
      const io = new TestIo();
      const code = await run([command.name, URL_WSS, ...args], { commands: [command] }, io);
      assert.deepEqual([code, io.stdout], [2, ""], `${args}`);
      const [before, behind = ""] = want.split(".*");
      assert.ok(io.stderr.startsWith(`h3ws: ${before}`), io.stderr);
      assert.ok(io.stderr.includes(behind), io.stderr);
      assert.match(io.stderr, /^[^\n]+\n$/);
    }
  });

  Deno.test(`${command.name}: what the flags and the URL say is what the server is asked`, async () => {
    const heads: IncomingHttpHeaders[] = [];
    const server = createServer();
    server.on("upgrade", ({ headers }, socket) => {
      heads.push(headers);
      socket.on("error", () => {}).end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const url = `ws://me:100%25%41%25%@127.0.0.1:${port}/x`;
      const flags = ["-s", "chat", "-s", "b", "-H", "X-Room: a: b ", "-H", "constructor:x"];
      const more = ["-o", "https://a.example:443/", "--host", "b.example:1"];
      for (const args of [[], ["--auth", "you:x"]]) {
        const io = new TestIo();
        const line = [command.name, url, ...flags, ...more, ...args];
        assert.equal(await run(line, { commands: [command] }, io), 1);
        assert.ok(!`${io.stdout}${io.stderr}`.includes("100"), "a password on the screen");
        const { host, origin, authorization, ...head } = heads.at(-1)!;
        assert.deepEqual([host, origin], ["b.example:1", "https://a.example"]);
        assert.deepEqual([head["x-room"], String(head.constructor)], ["a: b", "x"]);
        assert.equal(head["sec-websocket-protocol"], "chat, b");
        const user = args.length > 0 ? "you:x" : "me:100%A%%";
        assert.equal(authorization, `Basic ${btoa(user)}`);
      }
    } finally {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  });
}

for (const command of COMMANDS) {
  Deno.test(`${command.name}: a client's certificate or key that can't be used is told before all else`, async () => {
    const one = (await makeCertificates({ hosts: ["localhost"], days: 1, client: "alice" }))
      .client!;
    const other = (await makeCertificates({ hosts: ["localhost"], days: 1, client: "bob" }))
      .client!;
    const locked = String(
      createPrivateKey(one.keyPem).export({
        ...{ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" },
      }),
    );
    await withFolder(async (folder) => {
      const files = { "c.pem": one.certPem, "k.pem": one.keyPem, "other.pem": other.keyPem };
      const all = { ...files, "locked.pem": locked, "bad.pem": "nothing\n" };
      for (const [name, pem] of Object.entries(all)) {
        await Deno.writeTextFile(`${folder}/${name}`, pem);
      }
      const rows: [cert: string, key: string, more: string[], err: string][] = [
        ["bad.pem", "k.pem", [], "bad.pem for --cert: no certificate in PEM is in it"],
        ["c.pem", "bad.pem", [], "bad.pem for --key: no private key in PEM is in it"],
        ["c.pem", "other.pem", [], "other.pem for --key: it is not that of the certificate in "],
        [
          ...["c.pem", "locked.pem"] as const,
          [],
          "locked.pem for --key: the private key in it is encrypted; --passphrase opens it",
        ],
        [
          ...["c.pem", "locked.pem"] as const,
          ["--passphrase", "wrong"],
          "locked.pem for --key: the passphrase does not open the private key in it",
        ],
      ];
      const tell = async (cert: string, key: string, more: string[]) => {
        const io = new TestIo();
        const flags = ["--cert", `${folder}/${cert}`, "--key", `${folder}/${key}`, ...more];
        const line = [command.name, "wss://nosuch.invalid/", ...flags];
        assert.equal(await run(line, { commands: [command] }, io), 1);
        return `${io.stderr}${io.stdout}`;
      };
      for (const [cert, key, more, want] of rows) {
        const err = await tell(cert, key, more);
        assert.ok(err.startsWith(`h3ws: Cannot use ${folder}/${want}`), err);
        assert.match(err, /^[^\n]+\n$/);
      }
      assert.match(
        await tell("c.pem", "locked.pem", ["--passphrase", "secret"]),
        /no (?:such )?host/,
      );
    });
  });
}

const KINDS: [kind: Kind<unknown>, text: string, want: unknown][] = [
  [kinds.header, "Cookie: a=b; c=d ", ["cookie", "a=b; c=d"]],
  [kinds.header, "X-Empty:", ["x-empty", ""]],
  [kinds.header, "X-Url: http://a:1", ["x-url", "http://a:1"]],
  [kinds.optionalOrigin, "", null],
  [kinds.optionalOrigin, "null", "null"],
  [kinds.optionalOrigin, "https://A.example:443/", "https://a.example"],
  [kinds.optionalOrigin, "http://a.example:8080", "http://a.example:8080"],
  [kinds.optionalOrigin, "chrome-extension://abc", "chrome-extension://abc"],
  // RFC 7617 §2 and §2.1.
  [kinds.basicAuth, "Aladdin:open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
  [kinds.basicAuth, "test:123£", "Basic dGVzdDoxMjPCow=="],
  [kinds.basicAuth, "a:b:c", "Basic YTpiOmM="],
];

Deno.test("handshake: what the values of flags are", () => {
  for (const [kind, text, want] of KINDS) assert.deepEqual(kind.parse(text), want, text);
});

Deno.test("handshake: a user in the URL is no part of where it goes", () => {
  assert.deepEqual(kinds.splitUser("wss://me:s%3Acret@a.example/x?y"), {
    url: "wss://a.example/x?y",
    authorization: `Basic ${btoa("me:s:cret")}`,
  });
  assert.deepEqual(kinds.splitUser(URL_WSS), { url: URL_WSS, authorization: null });
});
