// Names that many ask an agent for: slow ones leave the others their places.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { agentDial } from "../../src/tunnel/agent_dial.ts";
import { parseHostPattern } from "../../src/tunnel/host_pattern.ts";
import { Reach } from "../../src/tunnel/reach.ts";
import type { TunnelRefused } from "../../src/tunnel/target.ts";
import { echo, withTarget } from "./target.ts";

/** An agent's resolver that tells what it is asked, and answers when a test says so. */
function slowResolver() {
  const running = new Map<string, PromiseWithResolvers<string[]>>();
  const asked: string[] = [];
  const lookup = (name: string) => {
    const found = Promise.withResolvers<string[]>();
    running.set(name, found);
    asked.push(name);
    void found.promise.finally(() => running.delete(name)).catch(() => {});
    return found.promise;
  };
  const reach = new Reach({
    allowed: ["127.0.0.1"].map(parseHostPattern),
    ...{ forbidden: [], services: [] },
  });
  const connect = agentDial({ reach, connectTimeoutMs: 20_000, lookup });
  const dial = (host: string, port: number, signal = new AbortController().signal) =>
    connect({ protocol: "tcp", host, port }, signal);
  return { running, asked, dial };
}

/** What it is refused with, if it is. */
async function refusal(dialled: Promise<unknown>): Promise<TunnelRefused | null> {
  return await dialled.then(() => null, (error) => error);
}

/** What is only promised has been done. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

Deno.test("lookups: some at once, of one domain fewer, and the next begins when one has ended", async () => {
  const { running, asked, dial } = slowResolver();
  const slow = Array.from({ length: 30 }, (_, i) => refusal(dial(`a${i}.slow.example`, 80)));
  await turn();
  assert.equal(running.size, 4);
  const others = Array.from({ length: 30 }, (_, i) => refusal(dial(`www.b${i}.example`, 80)));
  await turn();
  assert.equal(running.size, 16);
  running.get("www.b0.example")!.reject(new NetError("unresolved", "no host"));
  await turn();
  assert.equal(asked.at(-1), "www.b12.example");
  running.get("a2.slow.example")!.reject(new NetError("unresolved", "no host"));
  await turn();
  assert.equal(asked.at(-1), "a4.slow.example");
  while (running.size > 0) {
    for (const one of [...running.values()]) one.reject(new NetError("unresolved", "no host"));
    await turn();
  }
  const codes = (await Promise.all([...slow, ...others])).map((error) => error?.code);
  assert.deepEqual(new Set(codes), new Set([TunnelCode.CONNECTION_FAILED]));
  assert.equal(asked.length, 60);
});

Deno.test("lookups: slow names leave addresses and localhost alone", async () => {
  const { running, asked, dial } = slowResolver();
  const abort = new AbortController();
  const { signal } = abort;
  const slow = Array.from({ length: 40 }, (_, i) => refusal(dial(`a${i}.example`, 80, signal)));
  await turn();
  await withTarget(echo, async (port) => {
    for (const host of ["127.0.0.1", "localhost", "LOCALHOST.", "app.localhost"]) {
      (await dial(host, port)).abort();
    }
  });
  assert.ok(asked.every((name) => /^a\d+\.example$/.test(name)), asked.join());
  abort.abort(new Error("enough"));
  await Promise.all(slow);
  for (const one of running.values()) one.resolve([]);
});

Deno.test("lookups: equal names are looked up once, and each hears of it", async () => {
  const { running, asked, dial } = slowResolver();
  await withTarget(echo, async (port) => {
    const one = dial("db.example", port);
    const two = dial("DB.example.", port);
    await turn();
    assert.deepEqual(asked, ["db.example"]);
    running.get("db.example")!.resolve(["127.0.0.1"]);
    for (const stream of await Promise.all([one, two])) stream.abort();
    // It is not kept.
    const three = refusal(dial("db.example", port));
    await turn();
    assert.equal(asked.length, 2);
    running.get("db.example")!.reject(new NetError("unresolved", "no host db.example"));
    assert.match((await three)!.message, /^unresolved: no host db\.example/);
  });
});

Deno.test("lookups: one that nobody waits for any more counts until it has ended", async () => {
  const { running, asked, dial } = slowResolver();
  const abort = new AbortController();
  const names = Array.from({ length: 8 }, (_, i) => `a${i}.slow.example`);
  const given = names.map((name) => refusal(dial(name, 80, abort.signal)));
  await turn();
  abort.abort(new Error("enough"));
  await Promise.all(given);
  const next = refusal(dial("b.slow.example", 80));
  await turn();
  // Those that had not begun never do.
  assert.deepEqual(asked, names.slice(0, 4));
  running.get(names[0])!.reject(new NetError("unresolved", "no host"));
  await turn();
  assert.equal(asked.at(-1), "b.slow.example");
  for (const one of [...running.values()]) one.reject(new NetError("unresolved", "no host"));
  await next;
});

Deno.test("lookups: RATE_LIMITED for one more than may wait, and not for a name that is asked for", async () => {
  const { running, dial } = slowResolver();
  const abort = new AbortController();
  const { signal } = abort;
  const given: Promise<TunnelRefused | null>[] = [];
  const many = (count: number, name: (i: number) => string) => {
    for (let i = 0; i < count; i++) given.push(refusal(dial(name(i), 80, signal)));
  };
  const refused = { code: TunnelCode.RATE_LIMITED, message: "too many names are being looked up" };
  many(4 + 256, (i) => `a${i}.slow.example`);
  await assert.rejects(dial("one.more.slow.example", 80), refused);
  many(12 + 256, (i) => `b${i}.example`);
  await assert.rejects(dial("another.example", 80), refused);
  many(1, () => "b267.example");
  abort.abort(new Error("enough"));
  for (const error of await Promise.all(given)) {
    assert.equal(error?.code, TunnelCode.CONNECTION_FAILED);
  }
  assert.equal(running.size, 16);
  for (const one of running.values()) one.resolve([]);
});
