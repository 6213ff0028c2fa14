// h3ws connect through pipes, as a process of its own: what goes in and out, and the exit code.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { runCli, startCli } from "../support/cli.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { WsBackend } from "../support/ws_backend.ts";
import { withEcho } from "./support.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

Deno.test("connect: lines of stdin are messages, messages are lines of stdout, all else is on stderr", () =>
  withEcho(async ({ url }) => {
    await using cli = startCli(["connect", url, "-s", "chat", "--exit-on-eof"]);
    for (const line of ["one", "", "zwölf 😀", "x".repeat(100_000)]) {
      await cli.type(`${line}\n`);
      assert.equal(await cli.line(), line);
    }
    await cli.endInput();
    assert.equal(await cli.line(), null);
    assert.equal(await cli.code(), 0);
    assert.match(
      cli.stderr,
      /^connected by HTTP\/1\.1 \(no TLS\), subprotocol chat, [\d.]+ ms\nclosed: 1000\n$/,
    );
  }));

Deno.test("connect: without --exit-on-eof the end of stdin ends nothing, but --wait does", async () => {
  await using backend = await WsBackend.listen();
  const url = `ws://127.0.0.1:${backend.port}/`;
  await using cli = startCli(["connect", url]);
  await cli.type("last, without its end");
  await cli.endInput();
  const peer = await backend.accept();
  assert.equal(await peer.message(), "last, without its end");
  peer.socket.send("still there");
  assert.equal(await cli.line(), "still there");
  peer.socket.close(1001, "so long");
  assert.equal(await cli.code(), 0);
  assert.match(cli.stderr, /\nclosed by the other side: 1001 so long\n$/);
  const { code } = await runCli(["connect", url, "--wait", "0.1"]);
  assert.equal(code, 0);
});

Deno.test("connect -x: messages are sent, answers waited for, and that is all", () =>
  withEcho(async ({ url }) => {
    const { code, stdout } = await runCli(["connect", url, "-x", "a", "-x", "", "-x", "b", "-w=1"]);
    assert.deepEqual([code, stdout], [0, "a\n\nb\n"]);
    const one = await runCli(["connect", url, "-x", "a", "-x", "b", "--one-message"]);
    assert.deepEqual([one.code, one.stdout], [0, "a\n"]);
  }));

Deno.test("connect: a line that is no UTF-8 is told, exit code 1", () =>
  withEcho(async ({ url }) => {
    for (const args of [[url], ["--listen", "0"]]) {
      await using cli = startCli(["connect", ...args]);
      await cli.type("a\n");
      // Behind our Close nothing more is shown.
      if (args[0] === url) assert.equal(await cli.line(), "a");
      await cli.typeBytes(new Uint8Array([255, 10]));
      if (args[0] !== url) {
        await until("the address", () => cli.stderr.includes("listening on "));
        const [address] = /ws:\S+/.exec(cli.stderr)!;
        const socket = await connectWebSocket(address);
        assert.equal(await within("the line", socket.receive()), "a");
        assert.equal(await within("the end", socket.receive()), null);
      }
      assert.equal(await cli.code(), 1);
      assert.match(
        cli.stderr,
        /\nh3ws: stdin: line 2 is no UTF-8; --binary sends bytes as they are\n$/,
      );
    }
  }));

Deno.test("connect --one-message --wait: an answer that does not come is not waited for longer", async () => {
  await using backend = await WsBackend.listen();
  const url = `ws://127.0.0.1:${backend.port}/`;
  await using cli = startCli(["connect", url, "--one-message", "--wait", "0.1"]);
  await cli.type("one\ntwo\n");
  assert.equal(await (await backend.accept()).message(), "one");
  assert.equal(await cli.code(), 0);
});

Deno.test("connect --binary: the bytes of a pipe go out and come back as they are", () =>
  withEcho(async ({ url }) => {
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--unstable-net", MAIN, "connect", url, "--binary"],
      ...{ stdin: "piped", stdout: "piped", stderr: "null" },
    }).spawn();
    const writer = child.stdin.getWriter();
    for (let i = 0; i < 16; i++) await writer.write(bytes);
    const came: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of child.stdout) {
      came.push(chunk);
      length += chunk.length;
      if (length === 16 * bytes.length) break;
    }
    const whole = new Uint8Array(await new Blob(came as Uint8Array<ArrayBuffer>[]).arrayBuffer());
    for (let i = 0; i < 16; i++) {
      assert.deepEqual(whole.subarray(i * bytes.length, (i + 1) * bytes.length), bytes);
    }
    child.kill("SIGTERM");
    assert.equal((await within("the end", child.status)).code, 0);
    await writer.close().catch(() => {});
  }));

Deno.test("connect --base64: a line each way is bytes", async () => {
  await using backend = await WsBackend.listen();
  await using cli = startCli(["connect", `ws://127.0.0.1:${backend.port}/`, "--base64"]);
  await cli.type("AP8K\nno base64\n\n");
  const peer = await backend.accept();
  assert.deepEqual(await peer.message(), new Uint8Array([0, 255, 10]));
  assert.deepEqual(await peer.message(), new Uint8Array(0));
  peer.socket.send(new Uint8Array([1, 2, 3]));
  assert.equal(await cli.line(), "AQID");
  assert.match(cli.stderr, /\nnot sent: that line is no base64\n$/);
});

Deno.test("connect --json: open, message, ping, pong and close are each an object on a line", async () => {
  await using backend = await WsBackend.listen();
  const args = ["--json", "--ping-interval", "0.05", "--slash"];
  await using cli = startCli(["connect", `ws://127.0.0.1:${backend.port}/`, ...args]);
  const peer = await backend.accept();
  // Pongs come all the time.
  const next = async (type: string) => {
    for (let i = 0; i < 200; i++) {
      const event = JSON.parse((await cli.line())!);
      if (event.type === type) return event;
    }
    assert.fail(`no ${type}`);
  };
  const { http, tls, protocol } = await next("open");
  assert.deepEqual([http, tls, protocol], ["1.1", null, ""]);
  peer.socket.send("text");
  assert.equal((await next("message")).data, "text");
  peer.socket.ping("x");
  assert.equal((await next("ping")).base64, "eA==");
  const pong = await next("pong");
  assert.ok(pong.ms > 0 && pong.ms < 20_000, JSON.stringify(pong));
  peer.socket.close(3001, "over");
  const { code, reason, by, clean } = await next("close");
  assert.deepEqual([code, reason, by, clean], [3001, "over", "peer", true]);
  assert.equal(await cli.code(), 30);
});

Deno.test("connect: a server that is silent is lost after --ping-timeout", async () => {
  await using backend = await WsBackend.listen({ autoPong: false });
  const args = ["--ping-interval", "0.05", "--ping-timeout", "0.2"];
  await using cli = startCli(["connect", `ws://127.0.0.1:${backend.port}/`, ...args]);
  await backend.accept();
  assert.equal(await cli.code(), 16);
  assert.match(cli.stderr, /\nlost: no Pong within 0\.2 s \(1006\)\n$/);
});

Deno.test("connect: the server is held back while nobody reads stdout, and nothing is lost", async () => {
  await using backend = await WsBackend.listen();
  await using cli = startCli(["connect", `ws://127.0.0.1:${backend.port}/`]);
  const { socket } = await backend.accept();
  const line = "x".repeat(1024 * 1024);
  const count = 64;
  let sent = 0;
  for (let i = 0; i < count; i++) socket.send(`${i} ${line}`, () => sent++);
  await cli.line();
  // What the kernel and the two processes hold is far less than all.
  await until("a standstill", async () => {
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return sent === before;
  });
  assert.ok(sent < count, `${sent} were sent`);
  for (let i = 1; i < count; i++) assert.match((await cli.line())!, new RegExp(`^${i} x`));
});

Deno.test("connect: a reader that goes ends it quietly", async () => {
  await using backend = await WsBackend.listen();
  await using cli = startCli(["connect", `ws://127.0.0.1:${backend.port}/`]);
  const peer = await backend.accept();
  peer.socket.send("first");
  assert.equal(await cli.line(), "first");
  await cli.closeOutput();
  // The first may still fit in the pipe: its end is closed a little later.
  const sending = setInterval(() => peer.socket.send("nobody reads that"), 20);
  const { code } = await within("the Close", peer.closed).finally(() => clearInterval(sending));
  assert.equal(code, 1000);
  assert.equal(await cli.code(), 0);
  assert.doesNotMatch(cli.stderr, /EPIPE|Broken|Error/i);
});

Deno.test("connect --reconnect: it comes again and says -x again; Ctrl+C ends it", async () => {
  await using backend = await WsBackend.listen();
  const args = ["--reconnect", "-x", "subscribe"];
  await using cli = startCli(["connect", `ws://127.0.0.1:${backend.port}/`, "-w", "-1", ...args]);
  for (
    const end of [(peer: Peer) => peer.socket.terminate(), (peer: Peer) => peer.socket.close(1012)]
  ) {
    const peer = await backend.accept();
    assert.equal(await peer.message(), "subscribe");
    end(peer);
  }
  const peer = await backend.accept();
  assert.equal(await peer.message(), "subscribe");
  cli.child.kill("SIGINT");
  assert.equal((await within("the Close", peer.closed)).code, 1000);
  assert.equal(await cli.code(), 0);
  assert.match(
    cli.stderr,
    /\nlost: .*\nconnecting again in 0\.\d s\nconnected by .*\nclosed by the other side: 1012\n/,
  );
});

Deno.test("connect --reconnect: a line that was typed meanwhile is for the next socket", async () => {
  await using backend = await WsBackend.listen();
  await using cli = startCli(["connect", `ws://127.0.0.1:${backend.port}/`, "--reconnect"]);
  (await backend.accept()).socket.terminate();
  await until("the loss", () => cli.stderr.includes("connecting again"));
  await cli.type("kept\n");
  assert.equal(await (await backend.accept()).message(), "kept");
});

Deno.test("connect --reconnect: a policy of the server's is its last word", async () => {
  await using backend = await WsBackend.listen();
  await using cli = startCli(["connect", `ws://127.0.0.1:${backend.port}/`, "--reconnect"]);
  (await backend.accept()).socket.close(1008, "no");
  assert.equal(await cli.code(), 18);
});

Deno.test("connect: fields, host, user and origin reach the server; nobody there is one line, exit 1", async () => {
  await using backend = await WsBackend.listen();
  const args = [
    "-H",
    "X-A: b",
    "-H",
    "X-C: d",
    "--host",
    "chat.example",
    "-o",
    "https://a.example",
  ];
  await using cli = startCli(["connect", `ws://me:s%20t@127.0.0.1:${backend.port}/p?q`, ...args]);
  const { headers, url } = (await backend.accept()).request;
  assert.deepEqual(
    [url, headers["x-a"], headers["x-c"], headers.host, headers.origin, headers.authorization],
    ["/p?q", "b", "d", "chat.example", "https://a.example", `Basic ${btoa("me:s t")}`],
  );
  await until("the open socket", () => cli.stderr.startsWith("connected by"));
  cli.child.kill("SIGTERM");
  assert.equal(await cli.code(), 0);
  const refused = await runCli(["connect", "ws://127.0.0.1:1/"]);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(
    refused.stderr,
    /^h3ws: Cannot open ws:\/\/127\.0\.0\.1:1\/: nobody listens at .*\n$/,
  );
});

Deno.test("connect --listen: what is no WebSocket is refused and told, and the room is for the rest", async () => {
  await using cli = startCli(["connect", "--listen", "0", "-P"]);
  await until("the address", () => cli.stderr.includes("listening on "));
  const [address] = /ws:\S+/.exec(cli.stderr)!;
  const { status } = await fetch(address.replace("ws:", "http:"), { method: "GET" })
    .then(async (answer) => (await answer.body?.cancel(), answer));
  assert.equal(status, 426);
  await until("the refusal", () => /: answered 426, expected a WebSocket/.test(cli.stderr));
  const socket = await connectWebSocket(address, { httpVersion: "2" });
  await socket.ping(new TextEncoder().encode("there?"));
  await until(
    "the Ping",
    () => /\n#1 127\.0\.0\.1:\d+ connected by HTTP\/2\n#1 ping "there\?"\n/.test(cli.stderr),
  );
  cli.child.kill("SIGTERM");
  assert.equal((await within("the Close", socket.closed)).code, 1001);
  assert.equal(await cli.code(), 0);
});

type Peer = Awaited<ReturnType<WsBackend["accept"]>>;
