// A link of JSON messages, its other end written out.
import assert from "node:assert/strict";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { NetError } from "../../src/net/error.ts";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import type { AskedStream } from "../../src/tunnel/mux_link.ts";
import { TunnelRefused, type TunnelTarget } from "../../src/tunnel/target.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { type TestLink, withLink } from "./json_support.ts";

const TARGET: TunnelTarget = { protocol: "tcp", host: "a.example", port: 80 };
const NEVER = new AbortController().signal;
const utf8 = new TextEncoder();

/** A connection of a gateway's that stands. */
async function open(
  { link, peer }: TestLink,
  target = TARGET,
): Promise<{ id: string; stream: ByteStream }> {
  const opening = link.open(target, NEVER);
  const { connection_id: id } = await peer.next("connect");
  await peer.send("connect_response", { connection_id: id, success: true, message: "" });
  return { id: id as string, stream: await opening };
}

async function textOf(stream: ByteStream): Promise<string> {
  let text = "";
  for (;;) {
    const chunk = await within("bytes", stream.read());
    if (chunk === null) return text;
    text += new TextDecoder().decode(chunk);
  }
}

Deno.test("JSON link: connect, data both ways, close from the agent behind its data", async () => {
  await withLink({ role: "gateway" }, async ({ link, peer }) => {
    const opening = link.open(TARGET, NEVER);
    const { connection_id: id, ...asked } = await peer.next("connect");
    assert.deepEqual(asked, { target_host: "a.example", target_port: 80, protocol: "tcp" });
    assert.equal(link.streams, 1);
    await peer.send("connect_response", { connection_id: id, success: true, message: "yes" });
    const stream = await opening;
    await stream.write(utf8.encode("to the target"));
    const { payload } = await peer.next("data");
    assert.equal(atob(payload as string), "to the target");
    await peer.sendBytes(id as string, utf8.encode("one"));
    await peer.sendBytes(id as string, utf8.encode("two"));
    await peer.send("close", { connection_id: id, reason: "done" });
    assert.equal(await textOf(stream), "onetwo");
    assert.equal(link.streams, 0);
    // It goes nowhere, and harms nobody.
    await stream.write(utf8.encode("late"));
    await stream.closeWrite();
    await peer.pingPong();
  });
});

Deno.test("JSON link: our close goes behind our data, and what still comes is dropped", async () => {
  await withLink({ role: "gateway" }, async (ends) => {
    const { id, stream } = await open(ends);
    const { peer, link } = ends;
    const written = stream.write(new Uint8Array(100_000).fill(65));
    const closed = stream.closeWrite();
    let bytes = 0;
    while (bytes < 100_000) bytes += atob((await peer.next("data")).payload as string).length;
    assert.deepEqual(await peer.next("close"), { connection_id: id, reason: "end of stream" });
    await Promise.all([written, closed]);
    await peer.sendBytes(id, utf8.encode("was on its way"));
    await peer.send("close", { connection_id: id, reason: "" });
    await peer.pingPong();
    assert.equal(await stream.read(), null);
    assert.equal(link.streams, 0);
  });
});

const FORBIDDEN = { code: "FORBIDDEN_HOST", message: "not there" };

/** `{}` stands for the connection's id. */
const REFUSALS = [
  {
    name: "connect_response alone",
    messages: [["connect_response", { success: false, message: "refused: no" }]],
    want: [TunnelCode.CONNECTION_FAILED, "refused: no"],
  },
  {
    name: "error before connect_response",
    messages: [["error", FORBIDDEN], ["connect_response", { success: false, message: "no" }]],
    want: [TunnelCode.FORBIDDEN_HOST, "not there"],
  },
  {
    name: "error behind connect_response",
    messages: [["connect_response", { success: false, message: "no" }], ["error", FORBIDDEN]],
    want: [TunnelCode.FORBIDDEN_HOST, "not there"],
  },
  {
    name: "close",
    messages: [["close", { reason: "gone" }]],
    want: [TunnelCode.CONNECTION_FAILED, "gone"],
  },
  {
    name: "a connect_response that says nothing",
    messages: [["connect_response", { success: "yes" }]],
    want: [
      TunnelCode.INVALID_MESSAGE,
      'success of "connect_response" is "yes", not true or false',
    ],
    answers: ["error", "close"],
  },
] as const;

for (const { name, messages, want, ...rest } of REFUSALS) {
  Deno.test(`JSON link: a connection is refused by ${name}`, async () => {
    await withLink({ role: "gateway" }, async ({ link, peer }) => {
      const opening = link.open(TARGET, NEVER);
      const refused = assert.rejects(opening, (error: unknown) => {
        assert.ok(error instanceof TunnelRefused);
        assert.deepEqual([error.code, error.message], want);
        return true;
      });
      const { connection_id } = await peer.next("connect");
      for (const [type, data] of messages) await peer.send(type, { connection_id, ...data });
      for (const type of "answers" in rest ? rest.answers : []) {
        assert.equal((await peer.next(type)).connection_id, connection_id);
      }
      await refused;
      await peer.pingPong();
      assert.equal(link.streams, 0);
    });
  });
}

Deno.test("JSON link: who gives up says close, and again to an agent that connected", async () => {
  await withLink({ role: "gateway" }, async ({ link, peer }) => {
    const gaveUp = new AbortController();
    const opening = link.open(TARGET, gaveUp.signal);
    const { connection_id } = await peer.next("connect");
    gaveUp.abort(new NetError("timeout", "too late"));
    await assert.rejects(opening, /too late/);
    assert.equal((await peer.next("close")).connection_id, connection_id);
    await peer.send("connect_response", { connection_id, success: true, message: "" });
    assert.equal((await peer.next("close")).connection_id, connection_id);
  });
});

Deno.test("JSON link: no more connections than the agent takes", async () => {
  await withLink({ role: "gateway", maxStreams: 1 }, async (ends) => {
    const { stream } = await open(ends);
    await assert.rejects(ends.link.open(TARGET, NEVER), { code: TunnelCode.RATE_LIMITED });
    stream.abort("enough");
    const { code, message } = await ends.peer.next("error");
    assert.deepEqual([code, message], ["CONNECTION_FAILED", "enough"]);
    assert.equal((await ends.peer.next("close")).reason, "enough");
    await open(ends);
  });
});

const BAD = [
  { name: "an unknown type", text: '{"type":"hello","data":{}}', lives: true },
  {
    name: "a second auth",
    text: '{"type":"auth","data":{"username":"a","password":"b","client_id":"c"}}',
    lives: true,
  },
  {
    name: "connect from an agent",
    text: '{"type":"connect","data":{"connection_id":"1","target_host":"a","target_port":1,' +
      '"protocol":"tcp"}}',
    lives: true,
  },
  { name: "a ping without a time", text: '{"type":"ping","data":{}}', lives: true },
  { name: "broken JSON", text: '{"type":"data","data":{"connection_id"', lives: false },
  { name: "a binary message", text: utf8.encode("{}"), lives: false },
  { name: "data of no connection", text: '{"type":"data","data":{"payload":""}}', lives: false },
  {
    name: "a message over the limit",
    text: JSON.stringify({
      type: "data",
      data: { connection_id: "1", payload: "A".repeat(900_000) },
    }),
    lives: false,
  },
];

for (const { name, text, lives } of BAD) {
  Deno.test(`JSON link: ${name} is INVALID_MESSAGE`, async () => {
    await withLink({ role: "gateway" }, async (ends) => {
      const { stream, id } = await open(ends);
      const { peer } = ends;
      await peer.socket.send(text);
      const { code, connection_id } = await peer.next("error");
      assert.deepEqual([code, connection_id], ["INVALID_MESSAGE", undefined]);
      // What a message may have had in it would be missing there.
      if (!lives) {
        assert.equal(await peer.closeCode(), 1002);
        return await assert.rejects(stream.read(), NetError);
      }
      await peer.sendBytes(id, utf8.encode("on"));
      await peer.send("close", { connection_id: id, reason: "" });
      assert.equal(await textOf(stream), "on");
    });
  });
}

Deno.test("JSON link: broken base64 ends its connection, and no other", async () => {
  await withLink({ role: "gateway" }, async (ends) => {
    const [broken, whole] = [await open(ends), await open(ends)];
    const { peer } = ends;
    await peer.send("data", { connection_id: broken.id, payload: "!" });
    const { code, connection_id } = await peer.next("error");
    assert.deepEqual([code, connection_id], ["INVALID_MESSAGE", broken.id]);
    assert.match((await peer.next("close")).reason as string, /^INVALID_MESSAGE: payload/);
    await assert.rejects(broken.stream.read(), NetError);
    await peer.sendBytes(whole.id, utf8.encode("whole"));
    await peer.send("close", { connection_id: whole.id, reason: "" });
    assert.equal(await textOf(whole.stream), "whole");
  });
});

Deno.test("JSON link: data for an unknown connection is answered by close, once", async () => {
  await withLink({ role: "gateway" }, async ({ peer }) => {
    for (let i = 0; i < 3; i++) await peer.sendBytes("nobody", utf8.encode("x"));
    const data = await peer.next("close");
    assert.deepEqual(data, { connection_id: "nobody", reason: "no such connection" });
    await peer.pingPong();
  });
});

Deno.test("JSON link: error for a connection ends it", async () => {
  await withLink({ role: "gateway" }, async (ends) => {
    const { id, stream } = await open(ends);
    const { peer } = ends;
    await peer.send("error", { ...FORBIDDEN, code: "CONNECTION_FAILED", connection_id: id });
    await assert.rejects(stream.read(), /CONNECTION_FAILED: not there/);
    assert.equal((await peer.next("close")).connection_id, id);
    await peer.send("error", FORBIDDEN);
    await peer.pingPong();
  });
});

Deno.test("JSON link: all connections end with their link", async () => {
  await withLink({ role: "gateway" }, async (ends) => {
    const { stream } = await open(ends);
    const opening = ends.link.open(TARGET, NEVER);
    await ends.peer.next("connect");
    const both = [assert.rejects(stream.read(), NetError), assert.rejects(opening, NetError)];
    await ends.peer.socket.close(1001, "bye");
    await Promise.all(both);
    assert.deepEqual(await ends.link.closed, { by: "peer", reason: "bye" });
    await assert.rejects(ends.link.open(TARGET, NEVER), NetError);
  });
});

/** What an agent of ours is asked for. */
function asking() {
  const asked: { target: TunnelTarget; stream: AskedStream }[] = [];
  const onOpen = (target: TunnelTarget, stream: AskedStream) => void asked.push({ target, stream });
  return { asked, onOpen };
}

const CONNECT = { target_host: "a.example", target_port: 80, protocol: "tcp" };

Deno.test("JSON link: an agent accepts, and closes behind its data", async () => {
  const { asked, onOpen } = asking();
  await withLink({ role: "agent", onOpen }, async ({ peer, link }) => {
    await peer.send("connect", { connection_id: "1", ...CONNECT });
    await until("connect", () => asked.length === 1);
    assert.deepEqual(asked[0].target, TARGET);
    const stream = asked[0].stream.accept()!;
    const { success, connection_id } = await peer.next("connect_response");
    assert.deepEqual([success, connection_id], [true, "1"]);
    await peer.sendBytes("1", utf8.encode("up"));
    await peer.send("close", { connection_id: "1", reason: "" });
    assert.equal(await textOf(stream), "up");
    assert.equal(link.streams, 0);
  });
});

Deno.test("JSON link: an agent refuses by connect_response and by error with the code", async () => {
  const { asked, onOpen } = asking();
  await withLink({ role: "agent", onOpen }, async ({ peer, link }) => {
    await peer.send("connect", { connection_id: "1", ...CONNECT });
    await until("connect", () => asked.length === 1);
    asked[0].stream.refuse(new TunnelRefused(TunnelCode.FORBIDDEN_HOST, "not there"));
    const refused = { connection_id: "1", message: "not there" };
    assert.deepEqual(await peer.next("connect_response"), { ...refused, success: false });
    assert.deepEqual(await peer.next("error"), { ...refused, code: "FORBIDDEN_HOST" });
    assert.equal(link.streams, 0);
  });
});

Deno.test("JSON link: an agent does not accept what was given up", async () => {
  const { asked, onOpen } = asking();
  await withLink({ role: "agent", onOpen }, async ({ peer }) => {
    await peer.send("connect", { connection_id: "1", ...CONNECT });
    await peer.send("close", { connection_id: "1", reason: "given up" });
    await peer.pingPong();
    assert.equal(asked[0].stream.signal.aborted, true);
    assert.equal(asked[0].stream.accept(), null);
    await peer.pingPong();
  });
});

Deno.test("JSON link: a connect that is wrong, or whose id is in use, ends by error and close", async () => {
  const { asked, onOpen } = asking();
  await withLink({ role: "agent", onOpen }, async ({ peer }) => {
    await peer.send("connect", { connection_id: "1", ...CONNECT, target_port: 0 });
    for (const type of ["error", "close"]) assert.equal((await peer.next(type)).connection_id, "1");
    await peer.send("connect", { connection_id: "2", ...CONNECT });
    await peer.send("connect", { connection_id: "2", ...CONNECT });
    for (const type of ["error", "close"]) assert.equal((await peer.next(type)).connection_id, "2");
    assert.equal(asked.length, 1);
    assert.equal(asked[0].stream.signal.aborted, true);
    asked[0].stream.refuse(new TunnelRefused(TunnelCode.CONNECTION_FAILED, "aborted"));
    await peer.pingPong();
  });
});

Deno.test("JSON link: an agent pings, and leaves a gateway that says nothing", async () => {
  await withLink({ role: "agent", pingMs: 100 }, async ({ peer, link }) => {
    for (let i = 0; i < 5; i++) {
      const { timestamp } = await peer.next("ping");
      assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 60);
      await peer.send("pong", { timestamp });
    }
    assert.deepEqual(await link.closed, { by: "lost", reason: "nothing came for 300 ms" });
  });
});

const MIB = 1024 * 1024;

/** Sends until the far side takes no more, or 64 MiB are sent; gives how many bytes were taken. */
async function flood({ peer }: TestLink, id: string): Promise<number> {
  const bytes = new Uint8Array(64 * 1024);
  for (let sent = 0; sent < 64 * MIB; sent += bytes.length) {
    const timer = Promise.withResolvers<"stuck">();
    const stuck = setTimeout(() => timer.resolve("stuck"), 300);
    const how = await Promise.race([peer.sendBytes(id, bytes), timer.promise]);
    clearTimeout(stuck);
    if (how === "stuck") return sent;
  }
  throw new Error("64 MiB were taken");
}

Deno.test("JSON link: who floods a connection that is not read is held up, and heard after", async () => {
  await withLink({ role: "gateway" }, async (ends) => {
    const [slow, other] = [await open(ends), await open(ends)];
    const sent = await flood(ends, slow.id) + 64 * 1024;
    let came = 0;
    while (came < sent) came += (await within("bytes", slow.stream.read()))!.length;
    await ends.peer.sendBytes(other.id, utf8.encode("on"));
    assert.equal((await within("bytes", other.stream.read()))!.length, 2);
    assert.equal(ends.link.streams, 2);
  });
});

Deno.test("JSON link: a connection that takes nothing is closed alone", async () => {
  await withLink({ role: "gateway", stalledMs: 1_000 }, async (ends) => {
    const [stuck, other] = [await open(ends), await open(ends)];
    await flood(ends, stuck.id);
    await ends.peer.next("error");
    const { connection_id, reason } = await ends.peer.next("close");
    assert.deepEqual([connection_id, reason], [stuck.id, "nothing was taken for 1 s"]);
    await assert.rejects(stuck.stream.read(), /nothing was taken/);
    await ends.peer.sendBytes(other.id, utf8.encode("on"));
    assert.equal((await within("bytes", other.stream.read()))!.length, 2);
    assert.equal(ends.link.streams, 1);
  });
});

Deno.test("JSON link: no more than 32 MiB are held for all connections", async () => {
  await withLink({ role: "gateway" }, async (ends) => {
    const bytes = new Uint8Array(480 * 1024);
    const filled = [];
    // Each of them is below its own limit.
    for (let i = 0; i < 34; i++) {
      const one = await open(ends);
      filled.push(one);
      for (let j = 0; j < 2; j++) await ends.peer.sendBytes(one.id, bytes);
      await ends.peer.pingPong();
    }
    const last = await open(ends);
    await ends.peer.sendBytes(last.id, bytes);
    let heard = false;
    const pong = ends.peer.pingPong().then(() => heard = true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(heard, false);
    for (const { stream } of filled) for (let j = 0; j < 2; j++) await stream.read();
    await pong;
  });
});

Deno.test("JSON link: datagrams that nobody reads are dropped, and hold nobody up", async () => {
  await withLink({ role: "gateway" }, async (ends) => {
    const { id, stream } = await open(ends, { ...TARGET, protocol: "udp" });
    for (let i = 0; i < 64; i++) await ends.peer.sendBytes(id, new Uint8Array(32 * 1024).fill(i));
    await ends.peer.pingPong();
    for (let i = 0; i < 8; i++) assert.equal((await stream.read())![0], i);
    await ends.peer.sendBytes(id, utf8.encode("next"));
    assert.equal(new TextDecoder().decode((await within("next", stream.read()))!), "next");
  });
});

Deno.test("JSON link: it ends while it waits for one that is not read", async () => {
  await withLink({ role: "gateway" }, async (ends) => {
    const { id, stream } = await open(ends);
    await flood(ends, id);
    const started = performance.now();
    ends.link.close("replaced");
    assert.deepEqual(await within("the end", ends.link.closed), { by: "us", reason: "replaced" });
    assert.ok(performance.now() - started < 10_000);
    await assert.rejects(stream.read(), NetError);
  });
});
