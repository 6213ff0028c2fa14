import assert from "node:assert/strict";
import { Sweeper } from "../../src/net/sweeper.ts";
import { cachedPorts, PORT_CACHE_DEFAULTS, type PortResolver } from "../../src/proxy/cmux_cache.ts";
import { type PortAsk, PortLookupError } from "../../src/proxy/cmux_ports.ts";
import { resolve, short } from "./cmux_support.ts";

interface CacheRun {
  /** Milliseconds that pass between what is asked. */
  clock: { ms: number };
  asks: string[];
  failures: unknown[];
  lookup: (name: string, kind?: PortAsk["kind"]) => unknown;
  sweeper: Sweeper;
}

function cache(
  answer: PortResolver,
  options: { maxEntries?: number; timeoutMs?: number } = {},
): CacheRun {
  const clock = { ms: 0 };
  const asks: string[] = [];
  const failures: unknown[] = [];
  const sweeper = new Sweeper(5);
  const find = cachedPorts((ask, signal) => {
    asks.push(ask.name);
    return answer(ask, signal);
  }, {
    ...PORT_CACHE_DEFAULTS,
    sweeper,
    now: () => clock.ms,
    onFailed: (_ask, error) => failures.push(error),
    ...options,
  });
  const lookup = (name: string, kind: PortAsk["kind"] = "container") =>
    find({ kind, name, port: 80 });
  return { clock, asks, failures, lookup, sweeper };
}

Deno.test("cmux, port cache: an answer lives for two seconds", async () => {
  const run = cache(() => 32768);
  assert.equal(await run.lookup("web"), 32768);
  assert.equal(run.sweeper.size, 0);
  run.clock.ms = 1999;
  assert.equal(await run.lookup("WEB"), 32768);
  assert.deepEqual(run.asks, ["web"]);
  run.clock.ms = 2000;
  assert.equal(await run.lookup("web"), 32768);
  assert.deepEqual(run.asks, ["web", "web"]);
});

Deno.test("cmux, port cache: that there is none is kept for half a second", async () => {
  const run = cache(() => null);
  assert.equal(await run.lookup("web"), null);
  run.clock.ms = 499;
  assert.equal(await run.lookup("web"), null);
  assert.equal(run.asks.length, 1);
  run.clock.ms = 500;
  assert.equal(await run.lookup("web"), null);
  assert.equal(run.asks.length, 2);
});

Deno.test("cmux, port cache: all who want the same at a time ask once", async () => {
  const gate = Promise.withResolvers<number>();
  const run = cache(() => gate.promise);
  const all = Promise.all([run.lookup("web"), run.lookup("web"), run.lookup("web")]);
  run.clock.ms = 60_000;
  const later = run.lookup("web");
  assert.equal(run.asks.length, 1);
  gate.resolve(32768);
  assert.deepEqual(await all, [32768, 32768, 32768]);
  assert.equal(await later, 32768);
  assert.equal(run.asks.length, 1);
});

Deno.test("cmux, port cache: a workspace and a container of one name are two", async () => {
  const run = cache(({ kind }) => kind === "workspace" ? 1 : 2);
  assert.equal(await run.lookup("a", "workspace"), 1);
  assert.equal(await run.lookup("a", "container"), 2);
});

Deno.test("cmux, port cache: a failure is told once, and kept for half a second", async () => {
  const broken = new Error("docker is down");
  const run = cache(() => Promise.reject(broken));
  const failed = { status: 502, message: "port lookup failed" };
  const both = await Promise.allSettled([run.lookup("web"), run.lookup("web")]);
  for (const one of both) {
    assert.ok(one.status === "rejected" && one.reason instanceof PortLookupError);
    assert.equal(one.reason.status, 502);
  }
  await assert.rejects(async () => await run.lookup("web"), failed);
  assert.deepEqual(run.failures, [broken]);
  assert.equal(run.asks.length, 1);
  run.clock.ms = 500;
  await assert.rejects(async () => await run.lookup("web"), failed);
  assert.equal(run.asks.length, 2);
});

Deno.test("cmux, port cache: a resolver that throws at once, or gives nonsense, has failed", async () => {
  const answers: PortResolver[] = [
    () => {
      throw new Error("at once");
    },
    () => 0,
    () => 65536,
    () => NaN,
    () => "8080" as unknown as number,
    () => ({ hostname: "a", port: 0 }),
    () => true as unknown as number,
  ];
  for (const answer of answers) {
    const run = cache(answer);
    await assert.rejects(async () => await run.lookup("web"), { status: 502 }, String(answer));
    assert.equal(run.failures.length, 1);
  }
});

Deno.test("cmux, port cache: it gives hosts and unix sockets too", async () => {
  const target = { hostname: "172.17.0.2", port: 80 };
  assert.equal(await cache(() => target).lookup("web"), target);
  const portLookup = cachedPorts(() => ({ hostname: "", port: 0, unixPath: "/run/a.sock" }), {
    ...PORT_CACHE_DEFAULTS,
    sweeper: new Sweeper(1000),
    onFailed: (_, error) => assert.fail(String(error)),
  });
  const route = await resolve({ authority: "web.80.localhost" }, { portLookup });
  assert.equal(short(route), "/run/a.sock");
});

Deno.test("cmux, port cache: a resolver that hangs is given up", async () => {
  let signal: AbortSignal | undefined;
  const run = cache((_ask, given) => {
    signal = given;
    return new Promise(() => {});
  }, { timeoutMs: 10 });
  const late = { status: 504, message: "port lookup timed out" };
  await assert.rejects(async () => await run.lookup("web"), late);
  assert.equal(signal?.aborted, true);
  assert.equal(run.failures.length, 1);
  assert.equal(run.sweeper.size, 0);
  run.sweeper.stop();
});

Deno.test("cmux, port cache: the oldest answer goes, what is looked for stays", async () => {
  const gate = Promise.withResolvers<number>();
  const run = cache(({ name }) => name === "slow" ? gate.promise : 1, { maxEntries: 2 });
  const slow = run.lookup("slow");
  await run.lookup("a");
  await run.lookup("b");
  await run.lookup("b");
  assert.deepEqual(run.asks, ["slow", "a", "b"]);
  await run.lookup("a");
  assert.deepEqual(run.asks, ["slow", "a", "b", "a"]);
  const again = run.lookup("slow");
  gate.resolve(2);
  assert.deepEqual(await Promise.all([slow, again]), [2, 2]);
  assert.deepEqual(run.asks, ["slow", "a", "b", "a"]);
});

Deno.test("cmux, port cache: too many lookups at a time are refused", async () => {
  const gate = Promise.withResolvers<number>();
  const { lookup } = cache(() => gate.promise, { maxEntries: 2 });
  const waiting = [lookup("a"), lookup("b")];
  const portLookup = ({ name }: PortAsk) => lookup(name) as Promise<number>;
  const route = await resolve({ authority: "c.80.localhost" }, { portLookup });
  assert.equal(short(route), "503 too many port lookups");
  gate.resolve(1);
  assert.deepEqual(await Promise.all(waiting), [1, 1]);
  assert.equal(await lookup("c"), 1);
});
