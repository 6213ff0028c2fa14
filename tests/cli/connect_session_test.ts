// What `h3ws connect` does with a WebSocket where nobody takes what it shows.
import assert from "node:assert/strict";
import { controlHooks } from "../../src/cli/connect_control.ts";
import type { ConnectEvent } from "../../src/cli/connect_format.ts";
import { inputOf } from "../../src/cli/connect_input.ts";
import { type Course, Session } from "../../src/cli/connect_session.ts";
import { socketPair } from "../endpoint/pair.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const COURSE: Course = {
  ...{ execute: [], waitMs: { behindExecute: 0, behindInput: 0 }, maxMessages: Infinity },
  ...{ maxSent: Infinity, slash: false, binary: false, base64: false },
  ...{ pingIntervalMs: 10, pingTimeoutMs: 60 },
};

const FOR_EVER = { behindExecute: Infinity, behindInput: Infinity };

for (const held of ["message", "pong"] as const) {
  Deno.test(`connect --ping-interval: a peer is not taken for gone while a ${held} waits to be shown`, async () => {
    const { client, server } = socketPair({});
    const shown: ConnectEvent[] = [];
    const room = Promise.withResolvers<void>();
    const stop = Promise.withResolvers<void>();
    const session = new Session(client, COURSE, {
      ...{ input: null, stopped: stop.promise, ownPings: new Set<string>() },
      async emit(event) {
        shown.push(event);
        if (event.type === held) await room.promise;
      },
    });
    const running = session.run();
    const reading = server.receive();
    if (held === "message") { for (let i = 0; i < 3; i++) void server.send(`message ${i}`); }
    await until("what is held up", () => shown.some(({ type }) => type === held));
    // Many times as long as a Pong may take.
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal(client.open, true);
    room.resolve();
    const pongs = () => shown.filter(({ type }) => type === "pong").length;
    const before = pongs();
    await until("more Pongs", () => pongs() > before + 2);
    stop.resolve();
    const { end, isMeant } = await within("the end", running);
    assert.deepEqual([end.code, isMeant], [1000, true]);
    await reading;
  });
}

/** What says that it is over, and whether what comes before the other side's Close is shown. */
const ENDS: [name: string, course: Partial<Course>, lines: string[], isShown: boolean][] = [
  ["the end of stdin", {}, ["hello"], true],
  ["/close", { slash: true, waitMs: FOR_EVER }, ["hello", "/close 4001"], true],
  ["--wait", { execute: ["hello"] }, [], true],
  ["Ctrl+C", { waitMs: FOR_EVER }, ["hello"], false],
  ["--max-messages", { maxMessages: 1, waitMs: FOR_EVER }, ["hello"], false],
];

for (const [name, course, lines, isShown] of ENDS) {
  const what = isShown ? "shown" : "not shown";
  Deno.test(`connect: what comes between our Close and theirs is ${what} after ${name}`, async () => {
    const { client, server } = socketPair({});
    const shown: unknown[] = [];
    const [said, stop] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const session = new Session(client, { ...COURSE, pingIntervalMs: 0, ...course }, {
      input: course.execute ? null : inputOf((async function* () {
        yield* lines;
        said.resolve();
      })()),
      ...{ stopped: stop.promise, ownPings: new Set<string>() },
      emit: (event) => Promise.resolve(void (event.type === "message" && shown.push(event.data))),
    });
    const running = session.run();
    // The server has a message that waits, and does not see the Close behind it.
    if (name === "Ctrl+C") void said.promise.then(() => stop.resolve());
    if (name === "--max-messages") await server.send("the first");
    await until("the Close", () => !client.open);
    for (const text of ["late 1", "late 2"]) await server.send(text);
    assert.equal(await within("a message", server.receive()), "hello");
    assert.equal(await within("the Close", server.receive()), null);
    const { isMeant } = await within("the end", running);
    assert.equal(isMeant, true);
    const before = name === "--max-messages" ? ["the first"] : [];
    assert.deepEqual(shown, isShown ? ["late 1", "late 2"] : before);
  });
}

Deno.test("connect -P: of Pings and Pongs that wait to be shown only so many are kept", async () => {
  let kept = 0;
  const room = Promise.withResolvers<void>();
  const emit = () => {
    kept++;
    return room.promise;
  };
  const { onPing, onPong } = controlHooks(emit, new Set([String(Uint8Array.of(1))]));
  onPong(Uint8Array.of(1));
  assert.equal(kept, 0, "our own");
  for (let i = 0; i < 5_000; i++) {
    onPing(new Uint8Array(125));
    onPong(new Uint8Array(0));
  }
  assert.equal(kept, 1_000);
  room.resolve();
  await until("room", () => {
    onPing(new Uint8Array(0));
    return kept > 1_000;
  });
});
