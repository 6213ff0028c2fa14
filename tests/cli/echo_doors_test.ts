// `h3ws echo` over every version of HTTP: what it prints, its knobs, its page and its end.
import assert from "node:assert/strict";
import { once } from "node:events";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { run } from "../../src/cli/args.ts";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { type ConnectOptions, connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { Message } from "../../src/endpoint/message.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { NetError } from "../../src/net/error.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { TestIo, withFolder } from "./support.ts";

interface Echo {
  readonly io: TestIo;
  readonly port: number;
  readonly plainPort: number;
  readonly caPem: string;
  open(query: string, options?: ConnectOptions): Promise<Socket>;
}

const LISTEN = ["--listen", "127.0.0.1:0", "--plain-listen", "127.0.0.1:0"];

async function withEcho(
  args: readonly string[],
  body: (echo: Echo) => Promise<void>,
  caPem?: string,
): Promise<void> {
  const io = new TestIo();
  const done = run(["echo", ...LISTEN, ...args], {}, io);
  await until("the server", () => io.stdout !== "" || io.stderr !== "");
  const [, port, plainPort] =
    /^Echo server on wss:\/\/127\.0\.0\.1:(\d+)\/ \(HTTP\/3, HTTP\/2, HTTP\/1\.1\) and ws:\/\/127\.0\.0\.1:(\d+)\/\n/
      .exec(io.stdout) ?? assert.fail(io.stdout + io.stderr);
  const ca = caPem ?? await Deno.readTextFile(/--cacert (\S+)/.exec(io.stdout)![1]);
  const connections = new Connections();
  const open = (query: string, options: ConnectOptions = {}) => {
    const url = `wss://localhost:${port}/any/path${query}`;
    return connectWebSocket(url, { caCerts: [ca], connections, ...options });
  };
  try {
    await body({ io, port: Number(port), plainPort: Number(plainPort), caPem: ca, open });
  } finally {
    connections.close();
    io.stop();
    assert.equal(await within("the end", done), 0);
  }
  assert.equal(io.stderr, "");
}

const VERSIONS = ["1.1", "2", "3"] as const;

async function all(socket: Socket): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of socket) messages.push(message);
  return messages;
}

Deno.test("echo: every version at once, text and binary, the first subprotocol on offer", async () => {
  await withEcho([], async ({ open, plainPort }) => {
    for (const httpVersion of VERSIONS) {
      const socket = await open("", { httpVersion, protocols: ["chat.2", "chat.1"] });
      assert.deepEqual([socket.http, socket.protocol], [httpVersion, "chat.2"]);
      for (const message of ["héllo", "", new Uint8Array(2_000_000).fill(7)]) {
        await socket.send(message);
        assert.deepEqual(await socket.receive(), message);
      }
      const end = await socket.close(4001, "bye");
      assert.deepEqual(end, { code: 4001, reason: "", wasClean: true, by: "us" });
    }
    const plain = new WebSocket(`ws://127.0.0.1:${plainPort}/`);
    await once(plain, "open");
    assert.equal(plain.extensions, "");
    plain.send("in clear text");
    assert.equal(String((await once(plain, "message"))[0]), "in clear text");
    plain.close(1000);
    await once(plain, "close");
  });
});

Deno.test("echo: close, reason and after; drop ends the stream without Close, over every version", async () => {
  await withEcho([], async ({ open }) => {
    for (const httpVersion of VERSIONS) {
      const closed = await open("?close=4001&reason=so%20long", { httpVersion });
      assert.deepEqual(await all(closed), []);
      const end = { code: 4001, reason: "so long", wasClean: true, by: "peer" };
      assert.deepEqual(await closed.closed, end);

      const later = await open("?close=4002&after=2", { httpVersion });
      await later.send("one");
      await later.send("two");
      assert.deepEqual(await all(later), ["one", "two"]);
      assert.equal((await later.closed).code, 4002);

      const pushed = await open("?count=3&close=4003&after=3", { httpVersion });
      assert.deepEqual(await all(pushed), ["1", "2", "3"]);
      assert.equal((await pushed.closed).code, 4003);

      const dropped = await open("?drop=1", { httpVersion });
      await dropped.send("last words");
      assert.deepEqual(await all(dropped), ["last words"], httpVersion);
      const { code, by, wasClean } = await dropped.closed;
      assert.deepEqual([code, by, wasClean], [1006, "lost", false]);

      const atOnce = await open("?drop=0", { httpVersion });
      assert.deepEqual(await all(atOnce), []);
      assert.equal((await atOnce.closed).code, 1006);
    }
  });
});

Deno.test("echo: status, body and retry-after refuse; a wrong knob is 400, and all are told", async () => {
  await withEcho([], async ({ open }) => {
    for (const httpVersion of VERSIONS) {
      const refusals = [
        ["?status=403&body=not%20you", 403, "not you", null],
        ["?status=503&retry-after=7", 503, "refused with 503, as the query says\n", "7"],
        ["?dealy=1s", 400, /^Knob "dealy" is not known\. There are .*delay, .*drop; .*\n$/, null],
      ] as const;
      for (const [query, status, body, retryAfter] of refusals) {
        await assert.rejects(open(query, { httpVersion }), (error) => {
          assert.ok(error instanceof UpgradeRefused, String(error));
          assert.equal(error.status, status);
          const text = new TextDecoder().decode(error.body);
          if (typeof body === "string") assert.equal(text, body);
          else assert.match(text, body);
          const field = error.fields.find(([name]) => name === "retry-after");
          assert.equal(field?.[1] ?? null, retryAfter);
          return true;
        });
      }
    }
  });
});

Deno.test("echo: protocol names what was not offered, and a client fails that handshake", async () => {
  await withEcho([], async ({ open, plainPort }) => {
    for (const httpVersion of VERSIONS) {
      await assert.rejects(open("?protocol=chat", { httpVersion }), (error) => {
        assert.ok(error instanceof NetError);
        return /protocol/.test(error.message);
      });
      const none = await open("?protocol=", { httpVersion, protocols: ["chat"] });
      assert.equal(none.protocol, "");
      const second = await open("?protocol=b", { httpVersion, protocols: ["a", "b"] });
      assert.equal(second.protocol, "b");
      await Promise.all([none.close(), second.close()]);
    }
    const peer = new WebSocket(`ws://127.0.0.1:${plainPort}/?protocol=chat`);
    const [error] = await once(peer, "error");
    assert.match(String(error), /subprotocol/);
  });
});

Deno.test("echo: size, text, binary, count and interval", async () => {
  await withEcho([], async ({ open }) => {
    const rows: [query: string, sent: Message, want: Message][] = [
      ["?size=64KiB", "a", "x".repeat(65_536)],
      ["?size=3", new Uint8Array([1]), new TextEncoder().encode("xxx")],
      ["?size=0&binary", "a", new Uint8Array(0)],
      ["?text", new TextEncoder().encode("é"), "é"],
      ["?binary", "é", new TextEncoder().encode("é")],
    ];
    for (const [query, sent, want] of rows) {
      const socket = await open(query);
      await socket.send(sent);
      assert.deepEqual(await socket.receive(), want, query);
      await socket.close();
    }
    const socket = await open("?count=3&interval=30ms&binary&size=2");
    const startMs = performance.now();
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(await socket.receive(), new Uint8Array([120, 120]));
    }
    assert.ok(performance.now() - startMs >= 50, "two intervals lie between three messages");
    await socket.send("and echoes go on");
    assert.deepEqual(await socket.receive(), new Uint8Array([120, 120]));
    await socket.close();
  });
});

Deno.test("echo: delay, handshake-delay and stall take their time; ping sends Pings", async () => {
  await withEcho([], async ({ open, plainPort }) => {
    const took = async (work: () => Promise<unknown>) => {
      const startMs = performance.now();
      await work();
      return performance.now() - startMs;
    };
    // A timer of the platform's may be early by less than a millisecond.
    assert.ok(await took(async () => await (await open("?handshake-delay=100ms")).close()) >= 99);
    for (const query of ["?delay=100ms", "?stall=100ms"]) {
      const socket = await open(query);
      const tookMs = await took(async () => {
        await socket.send("a");
        assert.equal(await socket.receive(), "a");
      });
      assert.ok(tookMs >= 90, `${query}: ${tookMs}`);
      await socket.close();
    }
    const peer = new WebSocket(`ws://127.0.0.1:${plainPort}/?ping=10ms`);
    await within("a Ping", once(peer, "ping"));
    await within("another, once that was answered", once(peer, "ping"));
    peer.close();
    await once(peer, "close");
  });
});

Deno.test("echo: waits end when the client is gone, and nobody is told of a fault", async () => {
  await withEcho(["--drain", "20s"], async ({ open }) => {
    const socket = await open("?delay=1h");
    await socket.send("never");
    assert.equal((await socket.close(1000)).wasClean, true);
    for (const httpVersion of VERSIONS) {
      const waiting = open("?handshake-delay=1h", {
        httpVersion,
        signal: AbortSignal.timeout(100),
      });
      await assert.rejects(waiting);
    }
  });
});

Deno.test("echo: stops with Close 1001 to every socket, within --drain", async () => {
  await withEcho(["--drain", "20s"], async ({ open, io }) => {
    const sockets: Socket[] = [];
    for (const httpVersion of VERSIONS) sockets.push(await open("", { httpVersion }));
    for (const socket of sockets) {
      await socket.send("here");
      assert.equal(await socket.receive(), "here");
    }
    io.stop();
    for (const socket of sockets) {
      const end = { code: 1001, reason: "server is shutting down", wasClean: true, by: "peer" };
      assert.deepEqual(await within("a Close", socket.closed), end);
    }
  });
});

Deno.test("echo: GET / tells every knob, with no scripts from elsewhere; another path is 404", async () => {
  await withEcho([], async ({ plainPort, caPem, port }) => {
    const url = `http://127.0.0.1:${plainPort}`;
    const page = await fetch(url);
    assert.equal(page.status, 200);
    assert.match(page.headers.get("content-security-policy")!, /^default-src 'none'/);
    const html = await page.text();
    for (const knob of ["delay=250ms", "close=4001", "drop=1", "status=403", "protocol=chat"]) {
      assert.ok(html.includes(`<code>${knob}</code>`), knob);
    }
    assert.doesNotMatch(html, /https?:|src=/);
    for (const [path, method, status] of [["/x", "GET", 404], ["/", "POST", 405]] as const) {
      const answer = await fetch(`${url}${path}`, { method });
      await answer.body?.cancel();
      assert.equal(answer.status, status);
    }
    using client = Deno.createHttpClient({ caCerts: [caPem] });
    const secure = await fetch(`https://localhost:${port}/`, { client });
    assert.equal(await secure.text(), html);
    assert.match(secure.headers.get("alt-svc")!, new RegExp(`^h3=":${port}"`));
  });
});

Deno.test("echo: --deflate takes permessage-deflate; a message above --max-message is 1009", async () => {
  await withEcho(["--deflate", "--max-message", "1000"], async ({ open, plainPort }) => {
    const peer = new WebSocket(`ws://127.0.0.1:${plainPort}/`);
    await once(peer, "open");
    assert.match(peer.extensions, /^permessage-deflate/);
    peer.send("a".repeat(1000));
    assert.equal(String((await once(peer, "message"))[0]), "a".repeat(1000));
    peer.send("a".repeat(1001));
    assert.equal((await once(peer, "close"))[0], 1009);
    const socket = await open("", { httpVersion: "3" });
    await socket.send(new Uint8Array(1001));
    assert.deepEqual(await all(socket), []);
    assert.equal((await socket.closed).code, 1009);
  });
});

Deno.test("echo: how to trust its certificate: curl, h3ws connect, Chromium; the CA goes with it", async () => {
  let ca = "";
  await withEcho([], async ({ io, port }) => {
    ca = /trust\nits CA, (\S+):\n/.exec(io.stdout)![1];
    for (
      const line of [
        `curl --cacert ${ca} https://localhost:${port}/`,
        `connect wss://localhost:${port}/ --ca ${ca}`,
        `--origin-to-force-quic-on=localhost:${port} `,
        `--host-resolver-rules="MAP localhost 127.0.0.1" `,
      ]
    ) assert.ok(io.stdout.includes(line), `${line} in ${io.stdout}`);
    assert.match(io.stdout, /--ignore-certificate-errors-spki-list=[\w+/]{43}= /);
    await Deno.stat(ca);
  });
  await assert.rejects(Deno.stat(ca), Deno.errors.NotFound);
});

Deno.test("echo: --cert and --key are used, and then nothing is made", async () => {
  await withFolder(async (folder) => {
    const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
    const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await Deno.writeTextFile(cert, certPem);
    await Deno.writeTextFile(key, keyPem);
    await withEcho(["--cert", cert, "--key", key], async ({ open, io }) => {
      const socket = await open("", { httpVersion: "3" });
      await socket.send("mine");
      assert.equal(await socket.receive(), "mine");
      await socket.close();
      assert.equal(io.stdout.split("\n").length, 2);
    }, caPem);
  });
});

Deno.test({
  name: "echo: --cert and --key are read again on SIGHUP",
  ignore: Deno.build.os === "windows",
  async fn() {
    await withFolder(async (folder) => {
      const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
      const write = async () => {
        const { caPem, certPem, keyPem } = await makeCertificates({
          hosts: ["localhost"],
          days: 1,
        });
        await Deno.writeTextFile(cert, certPem);
        await Deno.writeTextFile(key, keyPem);
        return caPem;
      };
      const first = await write();
      const io = new TestIo();
      const args = ["--listen", "127.0.0.1:0", "--cert", cert, "--key", key];
      const done = run(["echo", ...args], {}, io);
      await until("the server", () => io.stdout !== "");
      const url = /wss:\S+/.exec(io.stdout)![0].replace("127.0.0.1", "localhost");
      const speak = async (caPem: string, httpVersion: "2" | "3") => {
        using connections = new Connections();
        const options = { caCerts: [caPem], connections, httpVersion };
        await (await connectWebSocket(url, options)).close();
      };
      for (const httpVersion of ["2", "3"] as const) await speak(first, httpVersion);
      const second = await write();
      Deno.kill(Deno.pid, "SIGHUP");
      await until("a line", () => io.stderr.includes(`h3ws: ${cert} and ${key} were read again\n`));
      for (const httpVersion of ["2", "3"] as const) {
        await speak(second, httpVersion);
        await assert.rejects(speak(first, httpVersion));
      }
      io.stop();
      assert.equal(await done, 0);
    });
  },
});

Deno.test("echo: a client that sends and is not read comes to wait", async () => {
  // Over HTTP/3 a write that waits for credit goes with its connection.
  const sendings: Promise<void>[] = [];
  await withEcho(["--drain", "0"], async ({ open }) => {
    for (const httpVersion of VERSIONS) {
      const socket = await open("?stall=1h", { httpVersion });
      let sent = 0;
      const piece = new Uint8Array(1024 * 1024);
      sendings.push(
        (async () => {
          for (; sent < 128; sent++) await socket.send(piece);
        })().catch(() => {}),
      );
      let last = -1;
      await until("a client that waits", async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const same = sent === last;
        last = sent;
        return same;
      });
      assert.ok(sent < 128, `${httpVersion}: ${sent} MiB were taken`);
      socket.abort();
    }
  });
  await within("the end of what was sent", Promise.all(sendings));
});

Deno.test("echo: flags that don't go together, files and ports that can't be used, are one line each", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const rows: [args: string[], code: number, stderr: RegExp][] = [
    [["--cert", "a.pem"], 2, /^h3ws: --cert: "a\.pem" has no --key; allowed: both, or neither\n$/],
    [["--key", "a.pem"], 2, /^h3ws: --key: "a\.pem" has no --cert; allowed: both, or neither\n$/],
    [["--tls", "--unix", "/x"], 2, /^h3ws: --unix: "\/x" can't stand beside --tls, .*\n$/],
    [["--cert", "/no/a", "--key", "/no/b"], 1, /^h3ws: Cannot read \/no\/a: no such file\n$/],
    [
      ["--tls", "--listen", `127.0.0.1:${port}`],
      1,
      /^h3ws: Cannot listen on TCP 127\.0\.0\.1:\d+: the address is in use; --listen names another\n$/,
    ],
    [
      ["--listen", "127.0.0.1:0", "--plain-listen", `127.0.0.1:${port}`],
      1,
      /^h3ws: Cannot listen on TCP 127\.0\.0\.1:\d+: the address is in use; --plain-listen names another\n$/,
    ],
  ];
  for (const [args, code, stderr] of rows) {
    const io = new TestIo();
    assert.equal(await run(["echo", ...args], {}, io), code);
    assert.match(io.stderr, stderr);
    assert.equal(io.stdout, "");
  }
});
