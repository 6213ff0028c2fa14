// Each program of examples/ is run, from a copy of that folder elsewhere, and spoken to by clients that
// are and that are not our own.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { ROOT, run, runDeno } from "../scripts/project.ts";
import { makeCertificates } from "../src/cli/certificates.ts";
import { startEcho } from "../src/cli/echo_server.ts";
import { type ConnectOptions, connectWebSocket, UpgradeRefused } from "../src/client/connect.ts";
import { Connections } from "../src/client/connections.ts";
import type { Socket } from "../src/endpoint/socket.ts";
import { serve } from "../src/server/server.ts";
import { withFolder } from "./cli/support.ts";
import { until } from "./support/until.ts";
import { within } from "./support/within.ts";

const PROGRAMS = ["auth", "chat", "client", "echo", "hono", "proxy"];
const VERSIONS = ["1.1", "2", "3"] as const;
/** Hono may have to be fetched. */
const PATIENCE_MS = 120_000;
type Pair = Awaited<ReturnType<typeof makeCertificates>>;
const LOCAL = "127.0.0.1:0";

/** A copy of the folder, whose one changed line says where h3ws is; and certificates in it. */
async function withCopy(body: (folder: string, pair: Pair) => Promise<void>): Promise<void> {
  const pair = await makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 });
  await withFolder(async (folder) => {
    for await (const { name } of Deno.readDir(`${ROOT}examples`)) {
      const text = await Deno.readTextFile(`${ROOT}examples/${name}`);
      const links = `"links": [${JSON.stringify(ROOT)}]`;
      await Deno.writeTextFile(`${folder}/${name}`, text.replace('"links": [".."]', links));
    }
    await Deno.writeTextFile(`${folder}/ca.pem`, pair.caPem);
    await Deno.writeTextFile(`${folder}/cert.pem`, pair.certPem);
    await Deno.writeTextFile(`${folder}/key.pem`, pair.keyPem);
    await body(folder, pair);
  });
}

function spawn(folder: string, args: string[], env: Record<string, string> = {}) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...args],
    cwd: folder,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

interface Example {
  readonly port: number;
  readonly caPem: string;
  /** All that it has written. */
  readonly written: () => string;
  open(path: string, options?: ConnectOptions): Promise<Socket>;
  /** Sends it a signal; gives its exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

async function withExample(
  [name, ...args]: string[],
  body: (example: Example) => Promise<void>,
  env: Record<string, string> = {},
): Promise<void> {
  await withCopy(async (folder, { caPem }) => {
    const child = spawn(folder, [`${name}.ts`, ...args], env);
    let out = "";
    let all = "";
    let over = false;
    const read = async (stream: ReadableStream<Uint8Array>, more: (text: string) => void) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) more(text);
    };
    const reading = Promise.all([
      read(child.stdout, (text) => (out += text, all += text)),
      read(child.stderr, (text) => all += text),
    ]);
    const status = child.status.finally(() => over = true);
    const connections = new Connections();
    const end = async (signal: Deno.Signal) => {
      if (!over) child.kill(signal);
      return (await within(`the end of ${name}`, status)).code;
    };
    try {
      await until(`the first line of ${name}`, () => out.includes("\n") || over, PATIENCE_MS);
      const [, port] = /localhost:(\d+)\//.exec(out) ?? assert.fail(all);
      const open = (path: string, options: ConnectOptions = {}) => {
        const url = `wss://localhost:${port}${path}`;
        return connectWebSocket(url, { caCerts: [caPem], connections, ...options });
      };
      await body({ port: Number(port), caPem, written: () => all, open, end });
    } finally {
      connections.close();
      await end("SIGTERM");
      await reading;
    }
  });
}

async function isRefused(opening: Promise<Socket>, status: number, body: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof UpgradeRefused, String(error));
    assert.equal(error.status, status);
    assert.match(new TextDecoder().decode(error.body), body);
    return true;
  });
}

Deno.test("examples: each is there, below 60 lines, tells how it is run, and goes by h3ws alone", async () => {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(`${ROOT}examples`)) {
    if (!name.endsWith(".ts")) continue;
    names.push(name.slice(0, -".ts".length));
    const text = await Deno.readTextFile(`${ROOT}examples/${name}`);
    assert.ok(text.split("\n").length <= 60, name);
    assert.match(text, new RegExp(`^/\\*\\*[^]*deno run -A ${name}[^]*\\*/`), name);
    const imports = [...text.matchAll(/from "([^"]+)"/g)].map(([, from]) => from);
    assert.deepEqual(imports.filter((from) => from !== "h3ws" && from !== "hono"), [], name);
  }
  assert.deepEqual(names.sort(), PROGRAMS);
  // They write to the console, which the laws of the house don't let src do.
  await runDeno(["lint", "--quiet", "--config", `${ROOT}examples/deno.json`, `${ROOT}examples`]);
});

Deno.test("examples: each passes the type check where it was copied to", async () => {
  await withCopy(async (cwd) => {
    const { code, stderr } = await run(Deno.execPath(), ["check", "."], { cwd });
    assert.equal(code, 0, stderr);
  });
});

Deno.test("examples: echo, over every version and to npm ws", async () => {
  await withExample(["echo", LOCAL], async ({ port, caPem, open, written }) => {
    for (const httpVersion of VERSIONS) {
      const socket = await open("/", { httpVersion });
      await socket.send("héllo");
      assert.equal(await socket.receive(), "héllo");
      await socket.close();
      await until("its line", () => written().includes(`with 1000, over HTTP/${httpVersion}\n`));
    }
    const peer = new WebSocket(`wss://localhost:${port}/`, { ca: caPem });
    await once(peer, "open");
    assert.match(peer.extensions, /^permessage-deflate/);
    peer.send("from ws");
    assert.equal(String((await once(peer, "message"))[0]), "from ws");
    peer.close();
    await once(peer, "close");
  });
});

Deno.test("examples: chat: who is in a room hears what is said there, and nobody else does", async () => {
  await withExample(["chat", LOCAL], async ({ port, caPem, open }) => {
    const ada = await open("/rooms/tea?name=ada", { httpVersion: "3" });
    const heard = async (socket: Socket) => JSON.parse(String(await socket.receive()));
    assert.deepEqual(await heard(ada), { from: "", text: "ada has come, over HTTP/3" });
    const other = await open("/rooms/milk?name=eve", { httpVersion: "2" });
    assert.deepEqual(await heard(other), { from: "", text: "eve has come, over HTTP/2" });
    const bob = new WebSocket(`wss://localhost:${port}/rooms/tea?name=bob`, { ca: caPem });
    await once(bob, "message");
    assert.deepEqual(await heard(ada), { from: "", text: "bob has come, over HTTP/1.1" });
    bob.send("hello");
    assert.deepEqual(await heard(ada), { from: "bob", text: "hello" });
    bob.send(new Uint8Array(1));
    assert.equal((await once(bob, "close"))[0], 1003);
    assert.deepEqual(await heard(ada), { from: "", text: "bob has gone" });
    await other.send("milk");
    assert.deepEqual(await heard(other), { from: "eve", text: "milk" });
    await isRefused(open("/kitchen?name=ada"), 404, /^No such room/);
    await isRefused(open("/rooms/tea"), 400, /^Say/);
    await Promise.all([ada.close(), other.close()]);
  });
});

Deno.test("examples: proxy: to a backend of npm ws, with its page of statistics", async () => {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    const args = ["proxy", LOCAL, `ws://127.0.0.1:${echo.port}`, "0"];
    await withExample(args, async ({ open, written }) => {
      const sockets: Socket[] = [];
      for (const httpVersion of VERSIONS) {
        const socket = await open("/ws", { httpVersion });
        await socket.send("through it");
        assert.equal(await socket.receive(), "through it");
        sockets.push(socket);
      }
      await isRefused(open("/other"), 404, /./);
      const [page] = /http:\/\/127\.0\.0\.1:\d+\//.exec(written())!;
      const told = await (await fetch(page)).json();
      assert.deepEqual([told.sessions, told.websocketConnections], [3, 3]);
      await Promise.all(sockets.map((socket) => socket.close()));
    });
  } finally {
    await echo.close();
  }
});

Deno.test("examples: auth: a token in a cookie or in a subprotocol, and 401 without", async () => {
  await withExample(["auth", LOCAL], async ({ open, port, caPem }) => {
    for (const httpVersion of VERSIONS) {
      const byCookie = await open("/", { httpVersion, headers: [["cookie", "a=b; token=s3cret"]] });
      assert.equal(await byCookie.receive(), "welcome, ada");
      const protocols = ["chat", "token.other"];
      const byProtocol = await open("/", { httpVersion, protocols });
      assert.equal(byProtocol.protocol, "chat");
      assert.equal(await byProtocol.receive(), "welcome, bob");
      await Promise.all([byCookie.close(), byProtocol.close()]);
      await isRefused(open("/", { httpVersion }), 401, /^Who are you/);
      await isRefused(open("/", { httpVersion, protocols: ["token.wrong"] }), 401, /^Who are you/);
      const headers = [["cookie", "token=s3cret"], ["origin", "https://evil.example"]] as const;
      await isRefused(open("/", { httpVersion, headers }), 403, /./);
    }
    const peer = new WebSocket(`wss://localhost:${port}/`, ["chat", "token.s3cret"], { ca: caPem });
    assert.equal(String((await once(peer, "message"))[0]), "welcome, ada");
    peer.close();
    await once(peer, "close");
  }, { TOKENS: "ada=s3cret,bob=other" });
});

const PATHS = { auth: "/", chat: "/rooms/tea?name=ada", echo: "/", hono: "/news", proxy: "/ws" };
for (const [name, path] of Object.entries(PATHS)) {
  Deno.test(`examples: ${name}: SIGINT and SIGTERM close every socket with 1001`, async () => {
    const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
    const args = name === "proxy" ? [`ws://127.0.0.1:${echo.port}`, "0"] : [];
    try {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        await withExample([name, LOCAL, ...args], async ({ open, end }) => {
          const headers = [["cookie", "token=s3cret"]] as const;
          const opened = VERSIONS.map((httpVersion) => open(path, { httpVersion, headers }));
          const sockets = await Promise.all(opened);
          const code = end(signal);
          const left = sockets.map(async (socket) => {
            for await (const _ of socket);
            return (await socket.closed).code;
          });
          assert.deepEqual(await Promise.all(left), [1001, 1001, 1001]);
          assert.equal(await code, 0);
        }, { TOKENS: "ada=s3cret" });
      }
    } finally {
      await echo.close();
    }
  });
}

Deno.test("examples: client: three sockets on one HTTP/3 connection; a refusal is exit code 1", async () => {
  await withCopy(async (folder, { certPem, keyPem }) => {
    const server = await serve({ listen: LOCAL, certPem, keyPem }, async (request) => {
      if (request.path !== "/") return await request.reject(403);
      const socket = await request.accept();
      for await (const message of socket) await socket.send(message);
    });
    const run = async (path: string) => {
      const url = `wss://localhost:${server.port}${path}`;
      const output = spawn(folder, ["client.ts", url, "ca.pem"]).output();
      const { code, stdout, stderr } = await within("the client", output, PATIENCE_MS);
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, stdout: text(stdout), stderr: text(stderr) };
    };
    try {
      const { code, stdout, stderr } = await run("/");
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^3 sockets, 1 connection, HTTP\/3\nhello 0 after .* ms\nping: .* ms\n/);
      assert.match(stdout, /\nclosed: 1000 by us, 1000 by us, 1000 by us\n$/);
      const refused = await run("/other");
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /refused with 403\n$/);
    } finally {
      await server.stop();
    }
  });
});

Deno.test("examples: hono: its application answers over every version, and sockets hear the news", async () => {
  await withExample(["hono", LOCAL], async ({ port, caPem, open }) => {
    const origin = `https://localhost:${port}`;
    const session = connectHttp2(origin, { ca: caPem });
    try {
      const stream = session.request({ ":path": "/hello/ada" }).setEncoding("utf8");
      let body = "";
      stream.on("data", (text) => body += text);
      await within("an answer", once(stream, "end"));
      assert.deepEqual(JSON.parse(body), { hello: "ada", httpVersion: "2" });
    } finally {
      session.close();
    }
    const sockets = await Promise.all(
      VERSIONS.map((httpVersion) => open("/news", { httpVersion })),
    );
    using client = Deno.createHttpClient({ caCerts: [caPem], http2: false });
    const posted = await fetch(`${origin}/news`, { method: "POST", body: "it rains", client });
    assert.deepEqual([posted.status, await posted.json()], [202, { listeners: 3 }]);
    for (const socket of sockets) assert.equal(await socket.receive(), "it rains");
    await isRefused(open("/hello/ada"), 404, /^$/);
    const missing = await fetch(`${origin}/nothing`, { client });
    assert.deepEqual([missing.status, await missing.text()], [404, "404 Not Found"]);
    await Promise.all(sockets.map((socket) => socket.close()));
  });
});
