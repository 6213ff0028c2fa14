import assert from "node:assert/strict";
import { once } from "node:events";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { run } from "../../src/cli/args.ts";
import { type EchoOptions, startEcho } from "../../src/cli/echo_server.ts";
import { testAlone } from "../support/alone.ts";
import { until } from "../support/until.ts";
import { TestIo, withFolder } from "./support.ts";

const LOCAL = { hostname: "127.0.0.1", port: 0 };

async function withEcho(
  options: Partial<EchoOptions>,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const server = await startEcho({ ...LOCAL, ...options });
  try {
    await body(`ws://127.0.0.1:${server.port}/`);
  } finally {
    await server.close();
  }
}

async function open(url: string, protocols: string[] = [], options = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols, options);
  await once(socket, "open");
  return socket;
}

async function closed(socket: WebSocket): Promise<number> {
  const [code] = await once(socket, "close");
  return code as number;
}

Deno.test("echo: text comes back as text, binary as binary", async () => {
  await withEcho({}, async (url) => {
    const socket = await open(url);
    for (const data of ["héllo", "", new Uint8Array(1024 * 1024).fill(7)]) {
      socket.send(data);
      const [got, isBinary] = await once(socket, "message") as [Uint8Array, boolean];
      assert.equal(isBinary, typeof data !== "string");
      const want = typeof data === "string" ? new TextEncoder().encode(data) : data;
      assert.deepEqual(new Uint8Array(got), want);
    }
    socket.close(4001, "bye");
    assert.equal(await closed(socket), 4001);
  });
});

Deno.test("echo: takes the first subprotocol and permessage-deflate", async () => {
  await withEcho({}, async (url) => {
    const socket = await open(url, ["chat.2", "chat.1"]);
    assert.equal(socket.protocol, "chat.2");
    assert.match(socket.extensions, /^permessage-deflate/);
    const text = "again and ".repeat(10_000);
    socket.send(text);
    const [got] = await once(socket, "message");
    assert.equal(String(got), text);
    socket.close();
    await closed(socket);
    const plain = await open(url, [], { perMessageDeflate: false });
    assert.deepEqual([plain.protocol, plain.extensions], ["", ""]);
    plain.close();
    await closed(plain);
  });
});

Deno.test("echo: a message above the limit is closed with 1009", async () => {
  await withEcho({ maxMessageBytes: 1000 }, async (url) => {
    const socket = await open(url);
    socket.send(new Uint8Array(1001));
    assert.equal(await closed(socket), 1009);
  });
});

Deno.test("echo: another request is answered with 426", async () => {
  await withEcho({}, async (url) => {
    const response = await fetch(url.replace("ws:", "http:"));
    assert.equal(response.status, 426);
    await response.body?.cancel();
  });
});

testAlone(import.meta.url, {
  name: "echo: a client that does not read is not read from",
  fn: async () => {
    await withEcho({}, async (url) => {
      const socket = await open(url, [], { perMessageDeflate: false });
      socket.pause();
      const chunk = new Uint8Array(1024 * 1024);
      const before = Deno.memoryUsage().rss;
      for (let i = 0; i < 64; i++) socket.send(chunk);
      let last = -1;
      while (socket.bufferedAmount !== last) {
        last = socket.bufferedAmount;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      // What the server does not read stays with the client.
      assert.ok(socket.bufferedAmount > 32 * chunk.length, `${socket.bufferedAmount} bytes`);
      assert.ok(Deno.memoryUsage().rss - before < 200 * chunk.length);
      let count = 0;
      const all = new Promise<void>((resolve) => {
        socket.on("message", () => ++count === 64 && resolve());
      });
      socket.resume();
      await all;
      socket.close();
      await closed(socket);
    });
  },
});

Deno.test({
  name: "echo: listens on a unix socket",
  ignore: Deno.build.os === "windows",
  async fn() {
    await withFolder(async (folder) => {
      const unixPath = `${folder}/echo.sock`;
      await withEcho({ unixPath }, async () => {
        const socket = await open(`ws+unix:${unixPath}:/x`);
        socket.send("hi");
        assert.equal(String((await once(socket, "message"))[0]), "hi");
        socket.close();
        await closed(socket);
      });
    });
  },
});

Deno.test("echo: close drops the sockets, and may be called twice", async () => {
  const server = await startEcho(LOCAL);
  const socket = await open(`ws://127.0.0.1:${server.port}/`);
  const gone = closed(socket);
  await Promise.all([server.close(), server.close()]);
  assert.equal(await gone, 1006);
});

Deno.test("echo: the command serves until it is stopped", async () => {
  const io = new TestIo();
  const done = run(["echo", "-listen", "127.0.0.1:0"], {}, io);
  await until("its line", () => io.stdout !== "");
  const url = /^Echo server on (ws:\/\/127\.0\.0\.1:\d+\/)\n$/.exec(io.stdout)?.[1];
  // As a backend it takes the queries of others, and its own.
  const socket = await open(`${url}rooms?token=x&size=3`);
  socket.send("a");
  assert.equal(String((await once(socket, "message"))[0]), "xxx");
  socket.close();
  await closed(socket);
  io.stop();
  assert.equal(await done, 0);
});

for (const [mode, query] of [["strict", "?token=x"], ["known", "?delay=1"]]) {
  Deno.test(`echo: the command refuses ${query} with --knobs ${mode}`, async () => {
    const io = new TestIo();
    const done = run(["echo", "--listen", "127.0.0.1:0", "--knobs", mode], {}, io);
    await until("its line", () => io.stdout !== "");
    const socket = new WebSocket(io.stdout.replace(/^Echo server on (.*)\n$/, `$1${query}`));
    const [error] = await once(socket, "error");
    assert.match(String(error), /400/);
    io.stop();
    assert.equal(await done, 0);
  });
}

Deno.test("echo: a port in use is one line, exit code 1", async () => {
  await withEcho({}, async (url) => {
    const io = new TestIo();
    const where = new URL(url).host;
    assert.equal(await run(["echo", "--listen", where], {}, io), 1);
    const want = `Cannot listen on ${where}: the address is in use; --listen names another`;
    assert.equal(io.stderr, `h3ws: ${want}\n`);
    const other = new TestIo();
    assert.equal(await run(["echo", "--listen", "192.0.2.1:8080"], {}, other), 1);
    assert.match(other.stderr, /^h3ws: Cannot listen on .*: not an address of this machine\n$/);
    assert.equal(io.stdout, "");
  });
});

const PROGRAM = `import { run } from ${
  JSON.stringify(new URL("../../src/cli/args.ts", import.meta.url).href)
};
Deno.exit(await run(Deno.args));`;

Deno.test({
  name: "echo: SIGTERM and SIGINT end the process with 0, also when they come twice",
  ignore: Deno.build.os === "windows",
  async fn() {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/main.ts`, PROGRAM);
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        const child = new Deno.Command(Deno.execPath(), {
          args: [
            ...["run", "-A", "--config", new URL("../../deno.json", import.meta.url).pathname],
            ...[`${folder}/main.ts`, "echo", "--listen", "127.0.0.1:0"],
          ],
          stdout: "piped",
          stderr: "inherit",
        }).spawn();
        const reader = child.stdout.getReader();
        const { value } = await reader.read();
        assert.match(new TextDecoder().decode(value), /^Echo server on/);
        child.kill(signal);
        child.kill(signal);
        assert.equal((await child.status).code, 0);
        await reader.cancel();
      }
    });
  },
});
