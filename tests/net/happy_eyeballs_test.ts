import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { addressesOf, type Attempt, raceAddresses } from "../../src/net/happy_eyeballs.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";

/** Attempts that the test settles, by address. */
class Attempts {
  readonly begun: string[] = [];
  readonly aborted: string[] = [];
  readonly #settlers = new Map<string, PromiseWithResolvers<string>>();
  readonly #waiting = new Map<string, () => void>();

  readonly attempt = (address: string): Attempt<string> => {
    this.begun.push(address);
    const settler = Promise.withResolvers<string>();
    this.#settlers.set(address, settler);
    this.#waiting.get(address)?.();
    return {
      connected: settler.promise,
      abort: () => {
        this.aborted.push(address);
        settler.reject(new Error(`${address} given up`));
      },
    };
  };

  connect(address: string): void {
    this.#settlers.get(address)!.resolve(`connected to ${address}`);
  }

  fail(address: string): void {
    this.#settlers.get(address)!.reject(new Error(`${address} refused`));
  }

  until(address: string): Promise<void> {
    if (this.begun.includes(address)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(address, resolve));
  }
}

const NEVER_MS = 1_000_000;

Deno.test("RFC 8305 §5: an attempt that is slow lets the next begin; the first to connect ends the others", async () => {
  const attempts = new Attempts();
  const { attempt } = attempts;
  const race = raceAddresses({ addresses: ["a", "b", "c"], attempt, delayMs: 5 });
  assert.deepEqual(attempts.begun, ["a"]);
  await attempts.until("c");
  attempts.connect("b");
  assert.equal(await race, "connected to b");
  assert.deepEqual(attempts.aborted, ["a", "c"]);
});

Deno.test("RFC 8305 §5: one that connects in the same moment as the first is given up", async () => {
  const attempts = new Attempts();
  const race = raceAddresses({ addresses: ["a", "b"], attempt: attempts.attempt, delayMs: 5 });
  await attempts.until("b");
  attempts.connect("b");
  attempts.connect("a");
  assert.equal(await race, "connected to b");
  assert.deepEqual(attempts.aborted, ["a"]);
});

Deno.test("RFC 8305 §5: an attempt that fails lets the next begin at once; all failed is the first's error", async () => {
  const attempts = new Attempts();
  const { attempt } = attempts;
  const race = raceAddresses({ addresses: ["a", "b"], attempt, delayMs: NEVER_MS });
  attempts.fail("a");
  await attempts.until("b");
  attempts.fail("b");
  await assert.rejects(race, { message: "a refused" });
  assert.deepEqual(attempts.aborted, []);
});

Deno.test("an attempt that can't even begin is one that fails", async () => {
  const attempts = new Attempts();
  const attempt = (address: string) => {
    if (address === "a") throw new Error("no such family");
    return attempts.attempt(address);
  };
  const race = raceAddresses({ addresses: ["a", "b"], attempt, delayMs: NEVER_MS });
  attempts.connect("b");
  assert.equal(await race, "connected to b");
  const none = raceAddresses({ addresses: ["a"], attempt, delayMs: NEVER_MS });
  await assert.rejects(none, { message: "no such family" });
});

Deno.test("a race that is given up ends its attempts and begins no more", async () => {
  const attempts = new Attempts();
  const { attempt } = attempts;
  const controller = new AbortController();
  const { signal } = controller;
  const race = raceAddresses({ addresses: ["a", "b"], attempt, signal, delayMs: NEVER_MS });
  controller.abort(new Error("enough"));
  await assert.rejects(race, { message: "enough" });
  await assert.rejects(raceAddresses({ addresses: ["c"], attempt, signal }), { message: "enough" });
  assert.deepEqual([attempts.begun, attempts.aborted], [["a"], ["a"]]);
});

Deno.test("RFC 8305 §4: an address is itself; a name that is none is told as unresolved", async () => {
  assert.deepEqual(await addressesOf("::1"), ["::1"]);
  assert.deepEqual(await addressesOf("127.0.0.1"), ["127.0.0.1"]);
  assert.ok((await addressesOf("localhost")).includes("127.0.0.1"));
  await assert.rejects(addressesOf("h3ws.invalid"), (error) => {
    assert.ok(error instanceof NetError);
    assert.equal(error.kind, "unresolved");
    return true;
  });
});

Deno.test("quic: a connection attempt that nobody answers ends when it is given up", async () => {
  // Holds the port, and reads nothing from it.
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const controller = new AbortController();
  try {
    const connecting = connectQuic({
      hostname: "localhost",
      port: (silent.addr as Deno.NetAddr).port,
      alpnProtocols: ["h3"],
      maxStreams: 0,
      idleTimeoutMs: 60_000,
      keepaliveMs: 0,
      signal: controller.signal,
    });
    const [first] = await silent.receive();
    assert.ok(first.length >= 1200, "RFC 9000 §14.1: an Initial of 1200 bytes");
    controller.abort(new NetError("timeout", "took too long"));
    await assert.rejects(connecting, { kind: "timeout", message: "took too long" });
  } finally {
    silent.close();
  }
});
