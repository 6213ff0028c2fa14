// h3ws connect on a terminal: what is typed, what comes above it, and how it ends.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { sha1 } from "../../src/net/sha1.ts";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
import { hasTerminals, OnTerminal } from "../support/terminal.ts";
import { within } from "../support/within.ts";
import { WsBackend } from "../support/ws_backend.ts";
import { withFolder } from "./support.ts";

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const ARROW_UP = "\x1b[A";
const ENTER = "\r";

const ignore = !hasTerminals();
const why = ignore ? " (skipped: no Python with terminals)" : "";

/** Starts it against a server that the test plays. */
async function withTerminal(
  args: readonly string[],
  body: (
    terminal: OnTerminal,
    peer: Awaited<ReturnType<WsBackend["accept"]>>,
  ) => Promise<void>,
  env: Record<string, string> = {},
): Promise<void> {
  await using backend = await WsBackend.listen();
  await using terminal = OnTerminal.start(
    ["connect", `ws://127.0.0.1:${backend.port}/`, ...args],
    env,
  );
  const peer = await backend.accept();
  await terminal.shows("connected by HTTP/1.1 (no TLS), ");
  await body(terminal, peer);
}

Deno.test(`connect on a terminal: what comes does not destroy the line that is typed${why}`, {
  ignore,
}, () =>
  withTerminal([], async (terminal, peer) => {
    await terminal.type("half a ");
    await terminal.shows("half a ");
    peer.socket.send("from there");
    await terminal.shows(/< from there\r\n.*> half a /s);
    await terminal.type(`line${ENTER}`);
    assert.equal(await peer.message(), "half a line");
    // A message can't do anything to the screen.
    peer.socket.send("\x1b[2J\x07");
    await terminal.shows("< \\u001b[2J\\u0007\r\n");
    peer.socket.send(new Uint8Array([1, 255]));
    await terminal.shows("< 2 bytes: 01 ff\r\n");
    await terminal.type(CTRL_C);
    assert.deepEqual(await within("the Close", peer.closed), { code: 1000, reason: "" });
    await terminal.shows("closed: 1000");
    assert.equal(await terminal.code(), 0);
  }));

Deno.test(
  `connect on a terminal: a line of several rows is drawn again whole${why}`,
  { ignore },
  () =>
    withTerminal(["--no-color"], async (terminal, peer) => {
      const long = "x".repeat(100);
      await terminal.type(long);
      await terminal.shows("x".repeat(20));
      peer.socket.send("above");
      // Up one row, to its first column, and all below is cleared.
      await terminal.shows("\x1b[1A\x1b[1G\x1b[0J< above\r\n");
      await terminal.shows(`> ${long}`);
      await terminal.type(ENTER);
      assert.equal(await peer.message(), long);
      assert.ok(!terminal.raw.includes("\x1b[2m"), "no colours");
      await terminal.type(CTRL_D);
      assert.deepEqual(await within("the Close", peer.closed), { code: 1000, reason: "" });
      assert.equal(await terminal.code(), 0);
    }),
);

Deno.test(
  `connect on a terminal: lines are remembered, in a file too${why}`,
  { ignore },
  () =>
    withFolder(async (folder) => {
      const file = `${folder}/history`;
      await withTerminal(["--history", file], async (terminal, peer) => {
        await terminal.type(`first${ENTER}`);
        assert.equal(await peer.message(), "first");
        await terminal.type(`second${ENTER}`);
        assert.equal(await peer.message(), "second");
        await terminal.type(ARROW_UP + ARROW_UP + ENTER);
        assert.equal(await peer.message(), "first");
        await terminal.type(CTRL_D);
        assert.equal(await terminal.code(), 0);
      });
      assert.equal(await Deno.readTextFile(file), "second\nfirst\n");
      if (Deno.build.os !== "windows") assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
      await withTerminal(["--history", file], async (terminal, peer) => {
        await terminal.type(ARROW_UP + ARROW_UP + ENTER);
        assert.equal(await peer.message(), "second");
        await terminal.type(CTRL_C);
        assert.equal(await terminal.code(), 0);
      });
    }),
);

Deno.test(`connect --slash on a terminal: /ping, /pong, /close, and what is none of them${why}`, {
  ignore,
}, () =>
  withTerminal(["--slash", "-P"], async (terminal, peer) => {
    await terminal.type(`/ping there?${ENTER}`);
    await terminal.shows(/pong "there\?" after [\d.]+ ms/);
    const ponged = new Promise<string>((resolve) =>
      peer.socket.once("pong", (data: Uint8Array) => resolve(new TextDecoder().decode(data)))
    );
    await terminal.type(`/pong x${ENTER}`);
    assert.equal(await within("the Pong", ponged), "x");
    peer.socket.ping("you?");
    await terminal.shows('ping "you?"');
    await terminal.type(`/pign${ENTER}`);
    await terminal.shows("/pign is not known; ");
    await terminal.type(`//ping${ENTER}`);
    assert.equal(await peer.message(), "/ping");
    await terminal.type(`/close 4001 so be it${ENTER}`);
    assert.deepEqual(await within("the Close", peer.closed), { code: 4001, reason: "so be it" });
    await terminal.shows("closed: 4001");
    assert.equal(await terminal.code(), 40);
  }));

Deno.test(
  `connect on a terminal: Ctrl+C waits for the Close of the other side, a second one does not${why}`,
  { ignore },
  async () => {
    // A server that opens the WebSocket by hand and then never answers.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using terminal = OnTerminal.start([
      ...["connect", `ws://127.0.0.1:${listener.addr.port}/`],
    ]);
    using conn = await within("the connection", listener.accept());
    await openByHand(conn);
    await terminal.shows("connected by");
    await terminal.type(CTRL_C);
    const buffer = new Uint8Array(64);
    await within("the Close", conn.read(buffer));
    assert.equal(buffer[0], 0x88);
    await terminal.type(CTRL_C);
    assert.equal(await terminal.code(), 130);
  },
);

async function openByHand(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(4096);
  const count = await within("the request", conn.read(buffer));
  const head = new TextDecoder().decode(buffer.subarray(0, count!));
  const [, key] = /sec-websocket-key: (\S+)/i.exec(head)!;
  const accept = acceptFor(key, sha1);
  await conn.write(new TextEncoder().encode(
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
      `sec-websocket-accept: ${accept}\r\n\r\n`,
  ));
}

Deno.test(
  `connect --listen on a terminal: what is typed goes to all, what comes says from whom${why}`,
  { ignore },
  async () => {
    await using terminal = OnTerminal.start(["connect", "--listen", "0", "-s", "chat"]);
    await terminal.shows(/listening on ws:\/\/127\.0\.0\.1:\d+\//);
    const [url] = /ws:\/\/127\.0\.0\.1:\d+\//.exec(terminal.raw)!;
    const one = await connectWebSocket(url, { protocols: ["other", "chat"] });
    assert.equal(one.protocol, "chat");
    await terminal.shows(/#1 127\.0\.0\.1:\d+ connected by HTTP\/1\.1, subprotocol chat/);
    const two = await connectWebSocket(url);
    await terminal.shows("#2 ");
    await one.send("I am one");
    await terminal.shows("#1 < I am one");
    await terminal.type(`all of you${ENTER}`);
    assert.equal(await within("a message", one.receive()), "all of you");
    assert.equal(await within("a message", two.receive()), "all of you");
    await two.close(4000, "bye");
    await terminal.shows("#2 closed by the other side: 4000 bye");
    await terminal.type(CTRL_C);
    assert.equal(await within("the end", one.receive()), null);
    assert.equal((await one.closed).code, 1001);
    assert.equal(await terminal.code(), 0);
  },
);

for (const flags of [[], ["--json"]]) {
  const name = ["connect --listen", ...flags].join(" ");
  Deno.test(`${name} on a terminal: Ctrl+D ends it, though a line waits for somebody${why}`, {
    ignore,
  }, async () => {
    await using terminal = OnTerminal.start(["connect", "--listen", "0", ...flags]);
    await terminal.shows(/listening on ws:\/\/127\.0\.0\.1:\d+\//);
    for (const line of ["one", "two"]) {
      await terminal.type(`for ${line}${ENTER}`);
      await terminal.shows(`for ${line}`);
    }
    await terminal.type(CTRL_D);
    await terminal.shows(/not sent: for one\r\n.*not sent: for two\r\n/s);
    assert.equal(await terminal.code(), 0);
  });
}

Deno.test(`connect --json on a terminal: Ctrl+D closes it${why}`, { ignore }, async () => {
  await using backend = await WsBackend.listen();
  await using terminal = OnTerminal.start([
    ...["connect", `ws://127.0.0.1:${backend.port}/`, "--json"],
  ]);
  const peer = await backend.accept();
  await terminal.shows('"type":"open"');
  await terminal.type(`the last line${ENTER}`);
  assert.equal(await peer.message(), "the last line");
  peer.socket.send("the answer");
  await terminal.shows('"data":"the answer"');
  await terminal.type(CTRL_D);
  assert.deepEqual(await within("the Close", peer.closed), { code: 1000, reason: "" });
  await terminal.shows('"type":"close"');
  assert.equal(await terminal.code(), 0);
});

for (const [key, name] of [[CTRL_C, "Ctrl+C"], [CTRL_D, "Ctrl+D"]]) {
  Deno.test(`connect --reconnect on a terminal: ${name} ends it while nobody is there${why}`, {
    ignore,
  }, async () => {
    const args = ["connect", "ws://127.0.0.1:1/", "--reconnect"];
    await using terminal = OnTerminal.start(args);
    await terminal.shows("connecting again in ");
    await terminal.type(key);
    await terminal.shows("h3ws: Ended before a WebSocket to ws://127.0.0.1:1/ was open");
    assert.equal(await terminal.code(), 1);
  });
}

Deno.test(
  `connect on a terminal: the prompt goes with Ctrl+D and Ctrl+C${why}`,
  { ignore },
  async () => {
    for (const key of [CTRL_D, CTRL_C]) {
      await withTerminal(["--no-color"], async (terminal, peer) => {
        await terminal.type(key);
        await within("the Close", peer.closed);
        assert.equal(await terminal.code(), 0);
        const rows = screenOf(terminal.raw).split("\n").filter((row) => row !== "");
        assert.deepEqual(rows.slice(1), ["closed: 1000"]);
      });
    }
  },
);

/** What is left on the screen of what only moves to the start of a row and clears behind it. */
function screenOf(raw: string): string {
  // deno-lint-ignore no-control-regex
  return raw.replaceAll(/^.*\x1b\[1G\x1b\[0J/gm, "").replaceAll(/\x1b\[\d*[GJ]|\r/g, "");
}
