// Issue 4: all doors of `h3ws proxy` as a process of its own, told by flags.
import assert from "node:assert/strict";
import * as tls from "node:tls";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";
import type { Stats } from "../../src/observe/counters.ts";
import { runCli } from "../support/cli.ts";
import { DOOR_IDS, type DoorId, DoorPeers, isOpen, say } from "../support/door_peers.ts";
import { fromClient } from "../support/frames.ts";
import { NamedBackend } from "../support/named_backend.ts";
import { type ProxyProcess, startProxyProcess } from "../support/process.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";

/** The port in clear text, as the log tells it. */
function plainPortOf({ log }: ProxyProcess): number | null {
  const listening = log.find(({ event }) => event === "proxy.listening");
  const address = listening?.plainListen;
  return typeof address === "string" ? Number(address.split(":").at(-1)) : null;
}

async function withDoorsProcess(
  flags: readonly string[],
  body: (running: { proxy: ProxyProcess; peers: DoorPeers; main: NamedBackend }) => Promise<void>,
): Promise<void> {
  await using main = await NamedBackend.listen("main");
  await using proxy = await startProxyProcess({
    backendPort: main.port,
    flags: ["--plain-listen", "127.0.0.1:0", "--path", "^/", "--requests", ...flags],
  });
  const { port, caCerts: [caPem] } = proxy;
  await using peers = new DoorPeers({ port, plainPort: plainPortOf(proxy), caPem });
  await body({ proxy, peers, main });
}

async function statsOf({ admin }: ProxyProcess): Promise<Stats> {
  const response = await fetch(`${admin}/stats`, { headers: { connection: "close" } });
  assert.equal(response.headers.get("content-type"), "application/json");
  return await response.json();
}

Deno.test("process: /stats has the right numbers at once after known traffic by every door", async () => {
  await withDoorsProcess([], async ({ proxy, peers, main }) => {
    const none: Stats = {
      ...{ totalRequests: 0, activeConnections: 0, websocketConnections: 0 },
      ...{ http2Connections: 0, http3Connections: 0, bytesTransferred: 0 },
    };
    assert.deepEqual(await statsOf(proxy), none);
    // 5 sessions, of which each carries a frame of 4 + 6 bytes, and back one of 2 + 9.
    const tunnels = new Map<DoorId, Awaited<ReturnType<DoorPeers["open"]>>>();
    for (const door of DOOR_IDS) {
      const tunnel = await peers.open(door, { path: "/ws" });
      assert.equal(await say(tunnel, "hiya"), "main hiya");
      tunnels.set(door, tunnel);
    }
    const frames = fromClient.text("hiya").length + 2 + "main hiya".length;
    const open = {
      totalRequests: 5,
      activeConnections: 5,
      websocketConnections: 5,
      http2Connections: 2,
      http3Connections: 1,
      bytesTransferred: 5 * frames,
    };
    assert.deepEqual(await statsOf(proxy), open);
    // 5 requests with 5 bytes of content, and what is answered; by h1 on connections of their own.
    let answered = 0;
    for (const door of DOOR_IDS) {
      const { status, body } = await peers.ask(door, { method: "POST", body: "hello" });
      assert.equal(status, 200);
      answered += body.length;
    }
    const bytesTransferred = open.bytesTransferred + 25 + answered;
    await until("the records of the requests", async () => {
      return (await statsOf(proxy)).totalRequests === 10;
    });
    assert.deepEqual(await statsOf(proxy), {
      ...open,
      ...{ totalRequests: 10, activeConnections: 7, bytesTransferred },
    });
    // One that is refused is a request, a health check is none.
    assert.equal(
      (await peers.open("h2", { path: "/ws", protocol: null, authority: "a:1" })).status,
      501,
    );
    assert.equal((await peers.ask("h2", { path: "/health/tcp" })).status, 200);
    assert.equal((await statsOf(proxy)).totalRequests, 11);
    for (const tunnel of tunnels.values()) tunnel.fin();
    await peers.close();
    await until("nothing to be open", async () => {
      const { activeConnections, websocketConnections } = await statsOf(proxy);
      return activeConnections === 0 && websocketConnections === 0;
    });
    const last = await statsOf(proxy);
    assert.deepEqual([last.http2Connections, last.http3Connections, last.totalRequests], [
      0,
      0,
      11,
    ]);
    assert.equal(await proxy.metric('h3ws_proxy_requests_total{http="2",status="2xx"}'), 2);
    assert.equal(main.requests.length, 10);
  });
});

Deno.test("process: what the log tells of a session and of a request, by every door", async () => {
  await withDoorsProcess(["--log-level", "debug"], async ({ proxy, peers }) => {
    for (const door of DOOR_IDS) {
      const http = door === "h3" ? "3" : door.startsWith("h2") ? "2" : "1.1";
      const tunnel = await peers.open(door, { path: `/ws/${door}?token=secret` });
      assert.ok(isOpen(tunnel));
      const open = await proxy.logged("ws.open", ({ path }) => path === `/ws/${door}`);
      assert.deepEqual([open.http, open.protocol, open.authority], [
        http,
        "websocket",
        "localhost",
      ]);
      assert.match(String(open.client), /^127\.0\.0\.1:\d+$/);
      tunnel.fin();
      await peers.ask(door, { path: `/req/${door}?token=secret`, method: "POST", body: "hello" });
      const line = await proxy.logged("http.request", ({ path }) => path === `/req/${door}`);
      assert.deepEqual(
        [line.http, line.method, line.status, line.toBackendBytes, line.broken],
        [http, "POST", 200, 5, null],
      );
    }
    assert.ok(!JSON.stringify(proxy.log).includes("secret"));
  });
});

async function writePair(folder: string, { certPem, keyPem }: Certificates): Promise<void> {
  for (const [name, text] of [["cert.pem", certPem], ["key.pem", keyPem]]) {
    await Deno.writeTextFile(`${folder}/${name}.new`, text);
    await Deno.rename(`${folder}/${name}.new`, `${folder}/${name}`);
  }
}

Deno.test("process: certificate files that change reach TCP as they reach QUIC, sessions live on", async () => {
  const folder = await Deno.makeTempDir();
  const hosts = ["localhost", "127.0.0.1"];
  const [first, second] = [
    await makeCertificates({ hosts, days: 1 }),
    await makeCertificates({ hosts, days: 1 }),
  ];
  await writePair(folder, first);
  try {
    const flags = ["--cert", `${folder}/cert.pem`, "--key", `${folder}/key.pem`];
    await withDoorsProcess(flags, async ({ proxy }) => {
      const { port } = proxy;
      await using old = new DoorPeers({ port, plainPort: null, caPem: first.caPem });
      const tunnels = [];
      for (const door of ["h1s", "h2", "h3"] as const) {
        tunnels.push(await old.open(door, { path: "/ws" }));
      }
      await writePair(folder, second);
      await proxy.logged("cert.reloaded");
      await using fresh = new DoorPeers({ port, plainPort: null, caPem: second.caPem });
      for (const door of ["h1s", "h2", "h3"] as const) {
        assert.equal((await fresh.ask(door)).status, 200, door);
      }
      for (const tunnel of tunnels) assert.equal(await say(tunnel, "hi"), "main hi");
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("process: certificates of a file are chosen by SNI, and each is read again when it changes", async () => {
  const folder = await Deno.makeTempDir();
  const hosts = ["other.example"];
  const [first, second] = [
    await makeCertificates({ hosts, days: 1 }),
    await makeCertificates({ hosts, days: 1 }),
  ];
  await writePair(folder, first);
  // A flag goes before the file: the first one of these is not read.
  await Deno.writeTextFile(
    `${folder}/h3ws.yaml`,
    "certificates: [{ cert: none.pem, key: none.pem }, { cert: cert.pem, key: key.pem }]\n",
  );
  try {
    await withDoorsProcess(["--config", `${folder}/h3ws.yaml`], async ({ proxy, peers }) => {
      const { port } = proxy;
      const fingerprint = async (servername: string, { caPem }: { caPem: string }) => {
        const ca = [caPem, ...proxy.caCerts];
        const socket = tls.connect({ host: "127.0.0.1", port, servername, ca });
        const closed = new Promise((resolve) => socket.once("close", resolve));
        await new Promise<void>((resolve, reject) => {
          socket.once("secureConnect", resolve);
          socket.once("error", reject);
        });
        const { fingerprint256 } = socket.getPeerCertificate();
        socket.destroy();
        await closed;
        return fingerprint256;
      };
      const old = await fingerprint("other.example", first);
      const own = await fingerprint("localhost", first);
      assert.notEqual(old, own);
      await writePair(folder, second);
      const line = await proxy.logged("cert.reloaded");
      assert.equal(line.cert, `${folder}/cert.pem`);
      assert.notEqual(await fingerprint("other.example", second), old);
      assert.equal(await fingerprint("localhost", second), own);
      assert.equal((await peers.ask("h3")).status, 200);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("process: a port that is taken by TCP alone: one line, and exit 1", async () => {
  const folder = await Deno.makeTempDir();
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await writePair(folder, await testCertificates());
    const { port } = tcp.addr;
    const common = [
      ...["proxy", "--cert", `${folder}/cert.pem`, "--key", `${folder}/key.pem`],
      ...["--metrics", "127.0.0.1:0"],
    ];
    const taken = `127\\.0\\.0\\.1:${port}: the address is in use`;
    const rows: [flags: string[], stderr: string][] = [
      [
        ["--listen", `127.0.0.1:${port}`],
        `Cannot listen on TCP ${taken}; --listen names another, --tcp off does without`,
      ],
      [
        ["--listen", "127.0.0.1:0", "--plain-listen", `127.0.0.1:${port}`],
        `Cannot listen on TCP ${taken}; --plain-listen names another`,
      ],
    ];
    for (const [flags, want] of rows) {
      const { code, stdout, stderr } = await runCli([...common, ...flags]);
      assert.deepEqual([code, stdout], [1, ""], stderr);
      assert.match(stderr, new RegExp(`^h3ws: ${want}\n$`), "one line");
    }
  } finally {
    tcp.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("process: --tcp off listens by UDP alone, though the TCP port is taken", async () => {
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const { port } = tcp.addr;
    const flags = ["--listen", `127.0.0.1:${port}`, "--tcp", "off"];
    await withDoorsProcess(flags, async ({ proxy, peers }) => {
      assert.equal(proxy.port, port);
      assert.equal((await peers.ask("h3")).status, 200);
      assert.equal((await peers.ask("h2c")).get("alt-svc"), null);
    });
  } finally {
    tcp.close();
  }
});

Deno.test("process: SIGTERM drains the sessions of every door, exit 0", async () => {
  await withDoorsProcess(["--drain", "1s"], async ({ proxy, peers, main }) => {
    for (const door of DOOR_IDS) assert.ok(isOpen(await peers.open(door, { path: "/ws" })), door);
    proxy.kill("SIGTERM");
    for (const _ of DOOR_IDS) {
      const line = await proxy.logged("ws.close");
      assert.deepEqual([line.by, line.code], ["proxy:drain", 1001]);
    }
    await proxy.logged("proxy.stopped");
    assert.equal((await proxy.status).code, 0);
    await until("the ends at the backend", () => main.closes.length === DOOR_IDS.length);
    assert.deepEqual(main.closes.map(({ code }) => code), DOOR_IDS.map(() => 1001));
  });
});
