// What `h3ws connect` does with a WebSocket where nobody takes what it shows.
import assert from "node:assert/strict";
import { controlHooks } from "../../src/cli/connect_control.ts";
import type { ConnectEvent } from "../../src/cli/connect_format.ts";
import { type Course, Session } from "../../src/cli/connect_session.ts";
import { socketPair } from "../endpoint/pair.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const COURSE: Course = {
  ...{ execute: [], waitMs: { behindExecute: 0, behindInput: 0 }, maxMessages: Infinity },
  ...{ maxSent: Infinity, slash: false, binary: false, base64: false },
  ...{ pingIntervalMs: 10, pingTimeoutMs: 60 },
};

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
