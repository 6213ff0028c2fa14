import assert from "node:assert/strict";
import {
  decodeLinkMessage,
  decodePresence,
  encodeLinkMessage,
  encodePresence,
  type LinkMessage,
} from "../../src/tunnel/cluster_message.ts";
import { ClusterSocket } from "../../src/tunnel/cluster_socket.ts";

const utf8 = new TextEncoder();
const presence = { id: "one", heartbeatMs: 2_000, hello: true, leaves: false };

Deno.test("thousands of groups are told in several messages, none above 64 KiB", () => {
  const groups = Array.from({ length: 5_000 }, (_, i) => `\u0001${"\u{1f511}".repeat(8)} ${i}`);
  const messages = encodePresence({ ...presence, groups });
  const decoded = messages.map((bytes) => decodePresence(bytes)!);
  assert.deepEqual(decoded.flatMap((part) => part.groups), groups);
  assert.deepEqual(decoded.map(({ more }) => more), decoded.map((_, i) => i < decoded.length - 1));
  assert.ok(messages.length > 1 && messages.every(({ length }) => length <= 65_536));
});

Deno.test("without a group there is one message", () => {
  const [message, ...others] = encodePresence({ ...presence, groups: [] });
  assert.equal(others.length, 0);
  assert.deepEqual(decodePresence(message), { ...presence, groups: [], more: false });
});

Deno.test("a gateway that says it speaks once in an age is taken for one that does once in a minute", () => {
  const text = JSON.stringify({ id: "a", heartbeatMs: 1e300, groups: [] });
  assert.equal(decodePresence(utf8.encode(text))?.heartbeatMs, 60_000);
});

Deno.test("no word of a gateway is above 64 KiB", () => {
  const text = JSON.stringify({ id: "a", heartbeatMs: 1, groups: ["x".repeat(65_536)] });
  assert.equal(decodePresence(utf8.encode(text)), null);
});

for (
  const text of [
    "",
    "null",
    "[]",
    `{"id":"a.b","heartbeatMs":1,"groups":[]}`,
    `{"id":"a","heartbeatMs":0,"groups":[]}`,
    `{"id":"a","heartbeatMs":1,"groups":[1]}`,
    `{"id":"a","heartbeatMs":1}`,
  ]
) {
  Deno.test(`no word of a gateway: ${text || "nothing"}`, () => {
    assert.equal(decodePresence(utf8.encode(text)), null);
  });
}

const about = { stream: 7, client: "[::1]:80", user: "ann", group: "home" };
const MESSAGES: LinkMessage[] = [
  { type: "frame", frame: Uint8Array.of(1, 2, 3) },
  { type: "about", about },
  { type: "beat" },
  { type: "end", reason: "über" },
];

for (const message of MESSAGES) {
  Deno.test(`a message of a link is read as it was written: ${message.type}`, () => {
    const bytes = encodeLinkMessage(0xfffffffe, message);
    assert.deepEqual(decodeLinkMessage(bytes), { number: 0xfffffffe, message });
  });
}

for (const hex of ["", "00000000", "0000000004", "0000000001", "00000000017b7d"]) {
  Deno.test(`no message of a link: ${hex || "nothing"}`, () => {
    assert.equal(decodeLinkMessage(Uint8Array.from(hex.match(/../g) ?? [], hexByte)), null);
  });
}

function hexByte(pair: string): number {
  return parseInt(pair, 16);
}

/** Two ends; `lose` says which of the messages to the second do not come. */
function pair(lose: (count: number) => boolean): [ClusterSocket, ClusterSocket] {
  let count = 0;
  const one: ClusterSocket = new ClusterSocket((bytes) => {
    if (!lose(count++)) other.take(bytes);
    return Promise.resolve();
  });
  const other = new ClusterSocket((bytes) => Promise.resolve(one.take(bytes)));
  return [one, other];
}

Deno.test("frames come in order, and who asks before them", async () => {
  const [one, other] = pair(() => false);
  one.ask(about);
  await one.send(Uint8Array.of(1));
  one.beat();
  await one.send(Uint8Array.of(2));
  const frames = other[Symbol.asyncIterator]();
  assert.deepEqual((await frames.next()).value, Uint8Array.of(1));
  assert.deepEqual((await frames.next()).value, Uint8Array.of(2));
  assert.deepEqual(other.about(7), about);
  assert.equal(other.about(7), null);
  await one.close(1001, "that was all");
  assert.equal((await frames.next()).done, true);
  assert.deepEqual([(await other.closed).by, (await other.closed).reason], [
    "peer",
    "that was all",
  ]);
  assert.equal((await one.closed).by, "us");
});

Deno.test("a message that is lost ends the link at both ends", async () => {
  const [one, other] = pair((count) => count === 1);
  for (let i = 0; i < 3; i++) await one.send(Uint8Array.of(i)).catch(() => {});
  assert.deepEqual([(await other.closed).by, (await other.closed).reason], [
    "lost",
    "messages were lost",
  ]);
  assert.deepEqual([(await one.closed).by, (await one.closed).reason], [
    "peer",
    "messages were lost",
  ]);
  await assert.rejects(one.send(Uint8Array.of(3)), { kind: "lost" });
});

Deno.test("that the last message is lost is known with the next heartbeat", async () => {
  const [one, other] = pair((count) => count === 1);
  await one.send(Uint8Array.of(0));
  await one.send(Uint8Array.of(1));
  one.beat();
  assert.equal((await other.closed).reason, "messages were lost");
});
