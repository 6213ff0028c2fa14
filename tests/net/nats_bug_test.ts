import assert from "node:assert/strict";
import { Nats } from "../../src/net/nats.ts";
import { FakeNats } from "../support/nats.ts";
import { until } from "../support/until.ts";

Deno.test("NATS: what is thrown where a message is taken is told, and the next one comes", async () => {
  await using server = await FakeNats.start();
  const came: string[] = [];
  const bugs: unknown[] = [];
  const nats = new Nats({
    ...{ urls: [server.url], name: "test", subjects: ["a"], onJoined: () => {}, onLost: () => {} },
    onMessage: (_, bytes) => {
      const text = new TextDecoder().decode(bytes);
      if (text === "bad") throw new RangeError("a bug");
      came.push(text);
    },
    onBug: (error) => void bugs.push(error),
  });
  await until("who listens", () => server.hears("a"));
  for (const text of ["one", "bad", "two"]) server.say("a", text);
  await until("both", () => came.length === 2);
  assert.deepEqual(came, ["one", "two"]);
  assert.match(String(bugs), /^RangeError: a bug$/);
  await nats.close();
});
