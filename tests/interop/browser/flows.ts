// What a page must be able to do, whatever way it came: to npm:ws, through the proxy.
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import type { ServerOptions } from "ws";
import { until } from "../../support/until.ts";
import { within } from "../../support/within.ts";
import type { WsPeer } from "../../support/ws_backend.ts";
import type { Way } from "./browser.ts";
import { type Visitor, withBrowser } from "./with_browser.ts";

const MIB = 1024 * 1024;

/** The label of the metrics. */
export const LABELS: Record<Way, "1.1" | "2" | "3"> = { h3: "3", h2: "2", h1s: "1.1", h1: "1.1" };
/**
 * How many connections five sockets of a page may take. Over TCP a browser begins a second one when
 * the first is slow to come; over HTTP/1.1 each socket has its own.
 */
export const CONNECTIONS: Record<Way, { least: number; most: number }> = {
  h3: { least: 1, most: 1 },
  h2: { least: 1, most: 2 },
  h1s: { least: 5, most: Infinity },
  h1: { least: 5, most: Infinity },
};

interface Flow {
  name: string;
  run: (visitor: Visitor) => Promise<void>;
}

/** What differs from browser to browser, and from way to way. */
const ESSENTIAL: readonly Flow[] = [
  { name: "text and binary of 1 MiB both ways", run: bigMessages },
  { name: "the backend's choice of a subprotocol, and none", run: subprotocols },
  { name: "permessage-deflate end to end (RFC 7692)", run: compressed },
  { name: "close code 4001 from the page", run: closedByPage },
  { name: "close code 4001 from the backend", run: closedByBackend },
  { name: "five sockets at once", run: fiveSockets },
];

const FURTHER: readonly Flow[] = [
  { name: "a backend that takes none of the subprotocols: error, close 1006", run: noneTaken },
  { name: "a page that is closed ends its session at once", run: closedPage },
  { name: "the backend refuses with 403: error, close 1006", run: refused },
  { name: "a backend that drops TCP: close 1011", run: dropped },
  { name: "a message above --max-message: close 1009 at both ends", run: tooBig },
  { name: "a drain of the proxy: close 1001, and no new socket", run: drained },
];

export interface BrowserFlows extends Omit<Visitor, "path"> {
  /** Of the browser. */
  name: string;
  /** Declares a test that gets the browser's executable. */
  test: (name: string, body: (path: string) => Promise<void>) => void;
  which: "essential" | "all";
}

/** Declares them. */
export function browserFlows({ name, test, which, ...visitor }: BrowserFlows): void {
  for (const flow of which === "all" ? [...ESSENTIAL, ...FURTHER] : ESSENTIAL) {
    test(`${name} by ${visitor.way}: ${flow.name}`, (path) => flow.run({ ...visitor, path }));
  }
}

/** UTF-8 of one to four bytes a character, `length` bytes in all. */
export function text(length: number, seed: number): string {
  const unit = `${seed} aé€😀`;
  const size = new TextEncoder().encode(unit).length;
  return unit.repeat(Math.floor(length / size)) + "x".repeat(length % size);
}

/** Bytes that no compression makes smaller. */
export function random(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

async function bigMessages(visitor: Visitor): Promise<void> {
  await withBrowser(visitor, async (t) => {
    const { socket, peer, extensions } = await t.open();
    assert.equal(extensions, "");
    const [up, down] = [text(MIB, 1), text(MIB, 2)];
    await socket.send(up);
    assert.ok(await peer.message() === up, "text to the backend");
    peer.socket.send(down);
    assert.ok((await socket.expect("text")).data === down, "text to the page");
    const [upBytes, downBytes] = [random(MIB), random(MIB)];
    await socket.send(upBytes);
    assert.deepEqual(await peer.message(), upBytes);
    peer.socket.send(downBytes);
    assert.deepEqual(await socket.binary(), downBytes);
    // Both at once.
    peer.socket.send(upBytes);
    await socket.send(downBytes);
    assert.deepEqual(await peer.message(), downBytes);
    assert.deepEqual(await socket.binary(), upBytes);
  });
}

async function subprotocols(visitor: Visitor): Promise<void> {
  const offers: string[][] = [];
  const handleProtocols = (offered: Set<string>) => {
    offers.push([...offered]);
    return offered.has("chat.v1") ? "chat.v1" : false;
  };
  await withBrowser({ ...visitor, backend: { handleProtocols } }, async (t) => {
    const chosen = await t.browser.open("/ws", ["chat.v2", "chat.v1"]);
    assert.equal((await chosen.expect("open")).protocol, "chat.v1");
    const none = await t.browser.open("/ws");
    assert.equal((await none.expect("open")).protocol, "");
    assert.deepEqual(offers, [["chat.v2", "chat.v1"]]);
  });
}

async function noneTaken(visitor: Visitor): Promise<void> {
  const handleProtocols = (): false => false;
  await withBrowser({ ...visitor, backend: { handleProtocols } }, async (t) => {
    // RFC 6455 §4.1: the backend took none of what was offered, which Chromium fails.
    const refused = await t.browser.open("/ws", ["other"]);
    await refused.expect("error");
    assert.equal((await refused.expect("close")).code, 1006);
  });
}

async function compressed(visitor: Visitor): Promise<void> {
  const backend = { perMessageDeflate: { threshold: 0 } };
  await withBrowser({ ...visitor, backend }, async (t) => {
    const { socket, peer, extensions } = await t.open();
    assert.match(extensions, /^permessage-deflate\b/);
    assert.match(peer.socket.extensions, /^permessage-deflate\b/);
    // Twice: the second is compressed by what the first left behind.
    for (const seed of [1, 2]) {
      const message = text(MIB, seed);
      await socket.send(message);
      assert.ok(await peer.message() === message, "text to the backend");
      peer.socket.send(message);
      assert.ok((await socket.expect("text")).data === message, "text to the page");
    }
    const bytes = random(MIB / 2);
    await socket.send(bytes);
    assert.deepEqual(await peer.message(), bytes);
    peer.socket.send(bytes);
    assert.deepEqual(await socket.binary(), bytes);
    for (const dir of ["h3_to_h1", "h1_to_h3"]) {
      const passed = await t.metric(`bytes_total{dir="${dir}"}`);
      assert.ok(passed > MIB / 2 && passed < MIB, `${passed} bytes ${dir} for 2.5 MiB`);
    }
  });
}

async function closedByPage(visitor: Visitor): Promise<void> {
  await withBrowser(visitor, async (t) => {
    const { socket, peer } = await t.open();
    await socket.close(4001, "grüße");
    const { code, reason, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, reason, wasClean }, { code: 4001, reason: "grüße", wasClean: true });
    const closed = await within("the close at the backend", peer.closed);
    assert.deepEqual(closed, { code: 4001, reason: "grüße" });
    await until("its record", async () => {
      return await t.metric(`closes_total{code="4xxx",by="client"}`) === 1;
    });
  });
}

async function closedByBackend(visitor: Visitor): Promise<void> {
  await withBrowser(visitor, async (t) => {
    const { socket, peer } = await t.open();
    peer.socket.close(4001, "grüße");
    const { code, reason, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, reason, wasClean }, { code: 4001, reason: "grüße", wasClean: true });
    assert.equal((await within("the close at the backend", peer.closed)).code, 4001);
    await until("its record", async () => {
      return await t.metric(`closes_total{code="4xxx",by="backend"}`) === 1;
    });
  });
}

async function closedPage(visitor: Visitor): Promise<void> {
  await withBrowser(visitor, async (t) => {
    const { peer } = await t.open();
    await t.browser.page.close();
    // RFC 8441 §5: over HTTP/2 Chromium resets the stream, as if TCP were, without a Close.
    const want = visitor.way === "h2" ? 1006 : 1001;
    assert.equal((await within("the close at the backend", peer.closed)).code, want);
  });
}

async function fiveSockets(visitor: Visitor): Promise<void> {
  await withBrowser(visitor, async (t) => {
    const sockets = await Promise.all([1, 2, 3, 4, 5].map((n) => t.browser.open(`/ws?n=${n}`)));
    const peers: WsPeer[] = [];
    for (const socket of sockets) {
      await socket.expect("open");
      peers.push(await t.backend.accept());
    }
    assert.equal(await t.metric("active_sessions"), 5);
    const all = [1, 2, 3, 4, 5].map((n) => `/ws?n=${n}`);
    assert.deepEqual(peers.map(({ request }) => request.url).sort(), all);
    for (const peer of peers) peer.socket.on("message", () => peer.socket.send(peer.request.url!));
    await Promise.all(sockets.map((socket) => socket.send("who are you")));
    const answers = await Promise.all(sockets.map((socket) => socket.expect("text")));
    assert.deepEqual(answers.map(({ data }) => data), all, "each has its own backend");
    const connections = await t.metric(`connections_total{http="${LABELS[visitor.way]}"}`);
    const { least, most } = CONNECTIONS[visitor.way];
    assert.ok(connections >= least && connections <= most, `${connections} connections`);
    for (const socket of sockets) await socket.close(1000, "");
    for (const socket of sockets) assert.equal((await socket.expect("close")).code, 1000);
  });
}

async function refused(visitor: Visitor): Promise<void> {
  const verifyClient: ServerOptions["verifyClient"] = (_info, done) => done(false, 403, "no");
  await withBrowser({ ...visitor, backend: { verifyClient } }, async (t) => {
    const socket = await t.browser.open();
    await socket.expect("error");
    const { code, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, wasClean }, { code: 1006, wasClean: false });
    assert.equal(await t.metric(`rejected_total{reason="backend"}`), 1);
    assert.equal(await t.metric("accepted_total"), 0);
  });
}

async function dropped(visitor: Visitor): Promise<void> {
  await withBrowser(visitor, async (t) => {
    const { socket, peer } = await t.open();
    peer.socket.terminate();
    assert.equal((await socket.expect("close")).code, 1011);
  });
}

async function tooBig(visitor: Visitor): Promise<void> {
  await withBrowser({ ...visitor, flags: { "max-message": "64KiB" } }, async (t) => {
    const { socket, peer } = await t.open();
    await socket.send(random(65_536));
    assert.equal((await peer.message()).length, 65_536);
    await socket.send(random(65_537));
    assert.equal((await socket.expect("close")).code, 1009);
    assert.equal((await within("the close at the backend", peer.closed)).code, 1009);
  });
}

async function drained(visitor: Visitor): Promise<void> {
  await withBrowser(visitor, async (t) => {
    const { socket, peer } = await t.open();
    const drained = t.serving.drain(4_000);
    const { code, wasClean } = await socket.expect("close");
    assert.deepEqual({ code, wasClean }, { code: 1001, wasClean: true });
    assert.equal((await within("the close at the backend", peer.closed)).code, 1001);
    await drained;
    const late = await t.browser.open();
    await late.expect("error");
    assert.equal((await late.expect("close")).code, 1006);
  });
}
