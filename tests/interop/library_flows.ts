// What the library's WebSockets must do with peers that are none of ours, on either side and over
// every version of HTTP.
import assert from "node:assert/strict";
import type { HttpVersion } from "../../src/ingress/offer.ts";
import type { DeflateWishes } from "../../src/protocol/websocket/permessage_deflate.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { within } from "../support/within.ts";
import { BROKEN_FRAMES, bytesOf } from "./broken_frames.ts";
import { ANSWER, type Asked, type Pair, REFUSAL, SUBPROTOCOL } from "./ends.ts";

/** A peer and the library, about to talk. */
export interface Talk {
  /** Which side is ours. */
  ours: "client" | "server";
  http: HttpVersion;
  open(asked?: Partial<Asked>): Promise<Pair>;
  /** What the client sees of a refusal. */
  refused(): Promise<{ status: number; body: string }>;
  /** How many connections the sockets have come by. */
  connections(): number;
  /** The peer's connections end at once. */
  leave(): Promise<void>;
}

/** A peer, as a row of a table. */
export interface LibraryRow {
  name: string;
  /** Declares a test that gets what tells where the peer is. */
  test: (name: string, body: (where: string) => Promise<void>) => void;
  /** Runs `body`; the wishes are those of our side. */
  run: (where: string, wishes: DeflateWishes, body: (talk: Talk) => Promise<void>) => Promise<void>;
}

const MIB = 2 ** 20;
/** Of one to four bytes each, so that any cut falls into one of them sometime. */
const LETTERS = "aé世🦕 ";
const KEPT = { serverNoContextTakeover: false, clientNoContextTakeover: false };
const SMALL = { ...KEPT, serverMaxWindowBits: 10, clientMaxWindowBits: 9 };

/** Declares the tests of a peer. */
export function libraryTests({ name, test, run }: LibraryRow): void {
  const flow = (what: string, body: (talk: Talk) => Promise<void>, wishes: DeflateWishes = {}) =>
    test(`${name}: ${what}`, (where) => run(where, wishes, body));
  flow("text, binary, empty and 1 MiB, both ways", messages);
  flow("4 MiB each way at once, through every window", atOnce);
  flow("a message in a hundred frames, a Ping among them (RFC 6455 §5.4)", fragments);
  flow("path, query, Origin and other fields as they were sent", heads);
  flow("a subprotocol that is chosen, and none", subprotocols);
  flow("permessage-deflate, contexts kept (RFC 7692 §7.1.1)", compressed, KEPT);
  flow("permessage-deflate, no context kept (RFC 7692 §7.1.1)", compressed);
  flow("permessage-deflate in small windows (RFC 7692 §7.1.2)", compressed, SMALL);
  flow("Ping and Pong, both ways", pings);
  flow("Close by the peer: 1000, 4001, none", closedByThem);
  flow("Close by us: 1000, 4001, none", closedByUs);
  flow("a refusal, 403 with its body", refusal);
  flow("five sockets at once", fiveSockets);
  flow("gone without Close: 1006, whoever goes", gone);
  flow("a peer that leaves: 1006 at each of its sockets", left);
  flow("a frame that breaks a rule: 1002 or 1007, and nobody else notices", broken);
}

async function closeBoth({ ours, theirs }: Pair): Promise<void> {
  const closing = ours.close();
  const { code, reason } = await theirs.expect("close");
  assert.deepEqual({ code, reason }, { code: 1000, reason: "" });
  const end = await within("the end", closing);
  assert.deepEqual(end, { code: 1000, reason: "", wasClean: true, by: "us" });
}

/** So that the whole of a mebibyte is not printed. */
function assertSame(got: unknown, want: string | Uint8Array): void {
  if (typeof want === "string") return assert.ok(got === want, `${want.length} letters`);
  assert.ok(got instanceof Uint8Array && got.length === want.length, `${want.length} bytes`);
  assert.ok(got.every((byte, i) => byte === want[i]), `the same ${want.length} bytes`);
}

async function messages({ open, http }: Talk): Promise<void> {
  const pair = await open();
  const { ours, theirs } = pair;
  assert.equal(ours.http, http);
  const bytes = Uint8Array.from({ length: MIB }, (_, i) => i * 31 + (i >> 8));
  const text = LETTERS.repeat(MIB / 11);
  for (const message of ["grüße, 世界 🦕", "", new Uint8Array(0), text, bytes]) {
    await theirs.send(message);
    assertSame(await within("a message of theirs", ours.receive()), message);
    await ours.send(message);
    assertSame((await theirs.expect("message")).data, message);
  }
  await closeBoth(pair);
}

async function atOnce({ open }: Talk): Promise<void> {
  const pair = await open();
  const { ours, theirs } = pair;
  const parts = [1, 2, 3, 4].map((n) => new Uint8Array(MIB).map((_, i) => n * i + (i >> 8)));
  const sent = (async () => {
    for (const part of parts) await ours.send(part);
  })();
  const asked = (async () => {
    for (const part of parts) await theirs.send(part);
  })();
  const received = (async () => {
    for (const part of parts) {
      assertSame(await within("a message of theirs", ours.receive()), part);
    }
  })();
  for (const part of parts) assertSame((await theirs.expect("message")).data, part);
  await Promise.all([sent, asked, received]);
  await closeBoth(pair);
}

async function fragments({ open }: Talk): Promise<void> {
  const pair = await open();
  const { ours, theirs } = pair;
  for (const message of [LETTERS.repeat(99), new TextEncoder().encode(LETTERS.repeat(99))]) {
    await theirs.send(message, { fragments: 100, ping: "among them" });
    assertSame(await within("a message of theirs", ours.receive()), message);
    assert.equal(pair.pings.pop(), "among them");
    assert.equal((await theirs.expect("pong")).data, "among them");
  }
  await closeBoth(pair);
}

async function heads({ open }: Talk): Promise<void> {
  const path = "/a/b%20c/%E4%B8%96?d=e%26f&g=%2F&h";
  const sent: Field[] = [
    ["origin", "https://page.example:8443"],
    ["cookie", "a=1; b=2"],
    ["x-asked", "one, two"],
    ["authorization", "Basic YWRhOnNlY3JldA=="],
  ];
  const pair = await open({ path, headers: sent });
  assert.equal(pair.asked.path, path);
  for (const [name, value] of sent) assert.equal(pair.asked.headers.get(name), value);
  assert.equal(pair.asked.headers.get("sec-websocket-version"), "13");
  assert.equal(pair.asked.headers.get("sec-websocket-protocol"), null);
  assert.equal(pair.answered.get(ANSWER[0]), ANSWER[1]);
  await closeBoth(pair);
}

async function subprotocols({ open }: Talk): Promise<void> {
  const rows = [
    { protocols: ["chat.v2", SUBPROTOCOL], chosen: SUBPROTOCOL },
    { protocols: [], chosen: "" },
  ];
  for (const { protocols, chosen } of rows) {
    const pair = await open({ protocols });
    assert.deepEqual([pair.ours.protocol, pair.theirs.protocol], [chosen, chosen]);
    assert.equal(pair.answered.get("sec-websocket-protocol") ?? "", chosen);
    const offered = pair.asked.headers.get("sec-websocket-protocol")?.split(/, */) ?? [];
    assert.deepEqual(offered, protocols);
    await closeBoth(pair);
  }
}

async function compressed({ open }: Talk): Promise<void> {
  const pair = await open({ deflate: true });
  const { ours, theirs } = pair;
  assert.ok(theirs.deflate, "agreed on at the peer");
  assert.match(ours.extensions, /^permessage-deflate(?:;|$)/);
  assert.equal(pair.answered.get("sec-websocket-extensions"), ours.extensions);
  const text = "squeezed 🦕 ".repeat(5_000);
  const noise = crypto.getRandomValues(new Uint8Array(5_000));
  // The same again is what a context that is kept, or is not, and a window can break.
  let received = 0;
  for (const message of [...Array(4).fill(text), noise, "", noise]) {
    await theirs.send(message);
    assertSame(await within("a message of theirs", ours.receive()), message);
    await ours.send(message);
    const came = await theirs.expect("message");
    assertSame(came.data, message);
    if (message === text) received = came.received;
  }
  assert.ok(received < text.length / 4, `${received} bytes for 4 times ${text.length} letters`);
  await closeBoth(pair);
}

async function pings({ open }: Talk): Promise<void> {
  const pair = await open();
  const { ours, theirs } = pair;
  for (const payload of ["are you there", "", "x".repeat(125)]) {
    await theirs.ping(payload);
    assert.equal((await theirs.expect("pong")).data, payload);
    assert.deepEqual(pair.pings.splice(0), [payload]);
    const pong = ours.ping(new TextEncoder().encode(payload));
    assert.equal((await theirs.expect("ping")).data, payload);
    assert.ok(await within("a Pong", pong) >= 0);
    assert.deepEqual(pair.pongs.splice(0), [payload]);
  }
  await closeBoth(pair);
}

/** No code is an empty Close, which is 1005 where it comes. */
const CLOSES = [
  { code: 1000, reason: "", seen: 1000 },
  { code: 4001, reason: "grüße 🦕", seen: 4001 },
  { code: undefined, reason: "", seen: 1005 },
];

async function closedByThem({ open }: Talk): Promise<void> {
  for (const { code, reason, seen } of CLOSES) {
    const { ours, theirs } = await open();
    await (code === undefined ? theirs.close() : theirs.close(code, reason));
    assert.equal(await within("the end", ours.receive()), null);
    const end = await within("the end", ours.closed);
    assert.deepEqual(end, { code: seen, reason, wasClean: true, by: "peer" });
    assert.equal((await theirs.expect("close")).code, seen, "Close is answered by its code");
  }
}

async function closedByUs({ open }: Talk): Promise<void> {
  for (const { code = 1005, reason, seen } of CLOSES) {
    const { ours, theirs } = await open();
    const closing = ours.close(code, reason);
    const came = await theirs.expect("close");
    assert.deepEqual([came.code, came.reason], [seen, reason]);
    const end = await within("the end", closing);
    assert.deepEqual([end.code, end.wasClean, end.by], [seen, true, "us"]);
  }
}

async function refusal({ open, refused }: Talk): Promise<void> {
  assert.deepEqual(await refused(), { status: 403, body: REFUSAL });
  await closeBoth(await open());
}

async function fiveSockets({ open, http, connections }: Talk): Promise<void> {
  const first = await open();
  const pairs = [first];
  for (let i = 1; i < 5; i++) pairs.push(await open());
  assert.equal(connections(), http === "1.1" ? 5 : 1);
  await Promise.all(pairs.map(({ ours }, i) => ours.send(`ours ${i}`)));
  await Promise.all(pairs.map(({ theirs }, i) => theirs.send(`theirs ${i}`)));
  for (const [i, { ours, theirs }] of pairs.entries()) {
    assert.equal(await within("a message of theirs", ours.receive()), `theirs ${i}`);
    assert.equal((await theirs.expect("message")).data, `ours ${i}`);
  }
  await pairs[2].theirs.abort();
  assert.equal((await within("the end", pairs[2].ours.closed)).code, 1006);
  pairs.splice(2, 1);
  for (const pair of pairs.toReversed()) {
    await pair.theirs.send("still there");
    assert.equal(await within("a message of theirs", pair.ours.receive()), "still there");
    await closeBoth(pair);
  }
}

async function gone({ open }: Talk): Promise<void> {
  for (const way of ["fin", "abort"] as const) {
    const { ours, theirs } = await open();
    await theirs[way]();
    assert.equal(await within("the end", ours.receive()), null);
    const { code, wasClean, by } = await within("the end", ours.closed);
    assert.deepEqual({ code, wasClean, by }, { code: 1006, wasClean: false, by: "lost" }, way);
    assert.equal((await theirs.expect("close")).code, 1006);
  }
  const { ours, theirs } = await open();
  ours.abort();
  assert.equal((await theirs.expect("close")).code, 1006);
  assert.equal((await ours.closed).code, 1006);
}

async function left({ open, leave }: Talk): Promise<void> {
  const pairs = [await open(), await open(), await open()];
  await pairs[0].theirs.send("last words");
  assert.equal(await within("a message of theirs", pairs[0].ours.receive()), "last words");
  await leave();
  for (const { ours } of pairs) {
    assert.equal(await within("the end", ours.receive()), null);
    const { code, wasClean, by } = await within("the end", ours.closed);
    assert.deepEqual({ code, wasClean, by }, { code: 1006, wasClean: false, by: "lost" });
  }
}

async function broken({ open, ours: role }: Talk): Promise<void> {
  const witness = await open();
  // RFC 6455 §5.1: a client masks what it sends, a server does not.
  const masks = role === "server";
  const unmasked = { name: "§5.1: the mask", first: 0x81, payload: [0x61], code: 1002 };
  const rows = [
    { ...unmasked, bytes: bytesOf(unmasked, !masks) },
    ...BROKEN_FRAMES.map((frame) => ({ ...frame, bytes: bytesOf(frame, masks) })),
  ];
  for (const { name, bytes, code } of rows) {
    const { ours, theirs } = await open();
    await theirs.raw(bytes);
    assert.equal(await within(name, ours.receive()), null, name);
    assert.equal((await theirs.expect("close")).code, code, `${name}: what the peer is told`);
    const end = await within(name, ours.closed);
    assert.deepEqual([end.code, end.wasClean, end.by], [code, false, "us"], name);
  }
  await closeBoth(witness);
}
