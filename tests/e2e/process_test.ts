// `h3ws proxy` as a process of its own: exit codes, signals, flags, and what its log says.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { runCli } from "../support/cli.ts";
import { closeAndFin, fromBackend, fromClient, readClose } from "../support/frames.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { withProcess } from "./process_support.ts";

/** A folder with a certificate and its key, and one with a key of another. */
async function withFiles(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const [own, other] = [
      await testCertificates(),
      await makeCertificates({ hosts: ["localhost"], days: 1 }),
    ];
    const files = {
      "cert.pem": own.certPem,
      "key.pem": own.keyPem,
      "other-key.pem": other.keyPem,
      "ca.pem": own.caPem,
      "other-ca.pem": other.caPem,
      "garbage.pem": "not a certificate\n",
      "empty.pem": "",
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const BAD_VALUES: [flag: string, value: string][] = [
  ["--listen", "localhost"],
  ["--backend", "ftp://127.0.0.1"],
  ["--path", "^(["],
  ["--path", "^/(a)\\1$"],
  ["--backend-proxy-protocol", "3"],
  ["--max-frame", "1 MB"],
  ["--max-conns", "-1"],
  ["--read-timeout", "soon"],
  ["--log-level", "loud"],
];

for (const [flag, value] of BAD_VALUES) {
  Deno.test(`process: ${flag} ${value}: one line with flag, value and what is allowed, exit 2`, async () => {
    const { code, stdout, stderr } = await runCli(["proxy", flag, value]);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^[^\n]+\n$/, "one line");
    for (const part of [`${flag}: `, `"${value}"`, "allowed: "]) {
      assert.ok(stderr.includes(part), `${JSON.stringify(stderr)} has ${part}`);
    }
  });
}

interface CannotStart {
  name: string;
  flags: (folder: string) => string[];
  stderr: RegExp;
}

const pair = (folder: string, cert = "cert.pem", key = "key.pem") => [
  ...["--listen", "127.0.0.1:0", "--metrics", "off"],
  ...["--cert", `${folder}/${cert}`, "--key", `${folder}/${key}`],
];

const CANNOT_START: CannotStart[] = [
  {
    name: "a certificate that is not there",
    flags: (folder) => pair(folder, "missing.pem"),
    stderr: /missing\.pem: no such file/,
  },
  {
    name: "a key that is not there",
    flags: (folder) => pair(folder, "cert.pem", "missing.pem"),
    stderr: /missing\.pem: no such file/,
  },
  { name: "a folder as the certificate", flags: (folder) => pair(folder, "."), stderr: /Cannot/ },
  {
    name: "a key that does not fit",
    flags: (folder) => pair(folder, "cert.pem", "other-key.pem"),
    stderr: /Cannot use .*cert\.pem with .*other-key\.pem: /,
  },
  {
    name: "a certificate that is none",
    flags: (folder) => pair(folder, "garbage.pem"),
    stderr: /Cannot use .*garbage\.pem with /,
  },
  {
    name: "an empty key",
    flags: (folder) => pair(folder, "cert.pem", "empty.pem"),
    stderr: /Cannot use .* with .*empty\.pem/,
  },
  {
    name: "a --backend-ca that is none",
    flags: (folder) => [...pair(folder), "--backend-ca", `${folder}/garbage.pem`],
    stderr: /garbage\.pem/,
  },
];

for (const { name, flags, stderr } of CANNOT_START) {
  Deno.test(`process: ${name}: one line, exit 1`, async () => {
    await withFiles(async (folder) => {
      const result = await runCli(["proxy", ...flags(folder)]);
      assert.equal(result.code, 1, result.stderr);
      assert.equal(result.stdout, "");
      assert.match(result.stderr, /^h3ws: [^\n]+\n$/, "one line");
      assert.match(result.stderr, stderr);
    });
  });
}

Deno.test("process: a UDP port in use, a TCP port of the metrics in use: one line, exit 1", async () => {
  await withFiles(async (folder) => {
    const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      for (const [flag, { addr }] of [["--listen", udp], ["--metrics", tcp]] as const) {
        const address = `127.0.0.1:${(addr as Deno.NetAddr).port}`;
        const { code, stderr } = await runCli(["proxy", ...pair(folder), flag, address]);
        assert.equal(code, 1, stderr);
        assert.match(stderr, /^h3ws: [^\n]+\n$/, "one line");
        assert.ok(stderr.includes(address), stderr);
      }
    } finally {
      udp.close();
      tcp.close();
    }
  });
});

Deno.test("process: SIGTERM: Close 1001 to both sides of a session, then exit 0", async () => {
  await withProcess(["--drain", "2s"], async ({ proxy, backend, connect }) => {
    const quic = await connect();
    const client = await quic.connectWs();
    const conn = await backend.upgrade();
    await client.response();
    assert.equal(await proxy.metric("h3ws_proxy_active_sessions"), 1);
    proxy.kill("SIGTERM");
    assert.equal((await closeAndFin(client.inbox, false)).code, 1001);
    assert.equal((await closeAndFin(conn.inbox, true)).code, 1001);
    await client.send(fromClient.close(1001));
    await client.fin();
    conn.fin();
    const { code } = await within("the end of the process", proxy.status);
    assert.equal(code, 0);
    const end = await proxy.logged("ws.close");
    assert.deepEqual([end.by, end.code], ["proxy:drain", 1001]);
    await proxy.logged("proxy.stopped");
  });
});

Deno.test("process: a second signal exits at once, in the midst of a drain", async () => {
  await withProcess(["--drain", "1h"], async ({ proxy, backend, connect }) => {
    const quic = await connect();
    const conns = [];
    for (let i = 0; i < 10; i++) {
      const client = await quic.connectWs();
      conns.push(await backend.upgrade());
      await client.response();
    }
    proxy.kill("SIGTERM");
    await proxy.logged("proxy.draining");
    // Not the one signal twice, as a terminal and `deno task` send it.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    proxy.kill("SIGTERM");
    const { code } = await within("the end of the process", proxy.status);
    assert.notEqual(code, 0);
    for (const conn of conns) await conn.inbox.rest();
  });
});

Deno.test("process: one line when a session opens, one when it ends, with who ended it and why", async () => {
  await withProcess([], async ({ proxy, backend, connect }) => {
    const quic = await connect();
    const client = await quic.connectWs({ path: "/ws?token=secret" });
    const conn = await backend.upgrade();
    await client.response();
    await client.send(fromClient.text("hello"));
    await client.send(fromClient.close(4001, "bye"));
    assert.equal((await conn.frame())!.payload.length, 5);
    assert.equal(readClose(await conn.frame()).code, 4001);
    conn.write(fromBackend.close(4001));
    conn.fin();
    await client.fin();
    const opened = await proxy.logged("ws.open");
    const closed = await proxy.logged("ws.close");
    assert.equal(opened.id, closed.id);
    assert.deepEqual([closed.by, closed.code, closed.reason], ["client", 4001, "bye"]);
    await until("no session", async () => await proxy.metric("h3ws_proxy_active_sessions") === 0);
    await until("no backend socket", () => proxy.socketsTo(backend.port) === 0);
    const lines = proxy.log.filter(({ event }) => event.startsWith("ws."));
    assert.equal(lines.length, 2);
    assert.ok(!JSON.stringify(proxy.log).includes("secret"), "a query is in no log");
  });
});

Deno.test("process: its flags reach what they are about", async () => {
  const flags = ["--max-conns", "1", "--max-frame", "1000", "--max-header-bytes", "2KiB"];
  const more = ["-path", "^/rooms/", "--read-timeout=1500ms", "--handshake-timeout", "500ms"];
  await withProcess([...flags, ...more], async ({ backend, connect }) => {
    const quic = await connect();
    const status = async (path: string, big = 0) => {
      const stream = await quic.connectWs({ path }, [["x", "~".repeat(big)]]);
      return (await stream.answer()).status;
    };
    assert.equal(await status("/ws"), 404);
    assert.equal(await status("/rooms/1", 3000), 431);
    assert.equal(await status("/rooms/1"), 504);
    await backend.accept();

    const client = await quic.connectWs({ path: "/rooms/1" });
    const conn = await backend.upgrade();
    await client.response();
    assert.equal(await status("/rooms/2"), 503);
    await client.send(fromClient.text("x".repeat(1001)));
    assert.equal((await closeAndFin(client.inbox, false)).code, 1009);
    await client.fin();
    conn.fin();
    await conn.inbox.rest();

    const idle = await quic.connectWs({ path: "/rooms/1" });
    const idleConn = await backend.upgrade();
    assert.equal((await idle.response()).status, 200);
    assert.equal((await closeAndFin(idle.inbox, false)).code, 1001);
    await idle.fin();
    idleConn.fin();
  });
});
