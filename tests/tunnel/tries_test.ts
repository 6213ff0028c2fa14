// Who fails to say who he is waits longer and longer: by address, and by user.
import assert from "node:assert/strict";
import { hashPassword, isPassword, parsePasswordHash } from "../../src/tunnel/passwords.ts";
import { Tries } from "../../src/tunnel/tries.ts";
import { type Credentials, Users } from "../../src/tunnel/users.ts";

const IP = ["ip 192.0.2.1"];

function clocked(options: ConstructorParameters<typeof Tries>[0] = {}) {
  const clock = { ms: 1_000 };
  return { clock, tries: new Tries({ nowMs: () => clock.ms, ...options }) };
}

Deno.test("tries: five failures are free, then each doubles the wait, to five minutes", () => {
  const { clock, tries } = clocked();
  const waits = Array.from({ length: 16 }, () => {
    tries.failed(IP);
    const waitMs = tries.waitMs(IP);
    clock.ms += waitMs;
    assert.equal(tries.waitMs(IP), 0);
    return waitMs / 1000;
  });
  const doubled = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
  assert.deepEqual(waits, [0, 0, 0, 0, 0, ...doubled]);
});

Deno.test("tries: the wait passes with time; a quarter of an hour without a failure ends it all", () => {
  const { clock, tries } = clocked({ free: 0 });
  for (let i = 0; i < 4; i++) tries.failed(IP);
  assert.equal(tries.waitMs(IP), 8_000);
  clock.ms += 7_999;
  assert.equal(tries.waitMs(IP), 1);
  clock.ms += 1;
  assert.equal(tries.waitMs(IP), 0);
  clock.ms += 900_000;
  assert.equal(tries.waitMs(IP), 0);
  tries.failed(IP);
  assert.equal(tries.waitMs(IP), 1_000);
});

Deno.test("tries: who is right begins anew; of several the longest wait counts", () => {
  const { tries } = clocked({ free: 0 });
  tries.failed(["ip 192.0.2.1", "user ann"]);
  tries.failed(["ip 192.0.2.2", "user ann"]);
  assert.equal(tries.waitMs(["ip 192.0.2.1", "user bob"]), 1_000);
  assert.equal(tries.waitMs(["ip 192.0.2.3", "user ann"]), 2_000);
  assert.equal(tries.waitMs(["ip 192.0.2.3", "user bob"]), 0);
  tries.succeeded(["ip 192.0.2.1", "user ann"]);
  assert.equal(tries.waitMs(["ip 192.0.2.1", "user ann"]), 0);
  assert.equal(tries.waitMs(["ip 192.0.2.2"]), 1_000);
});

Deno.test("tries: only the latest are remembered", () => {
  const { tries } = clocked({ free: 0, most: 100 });
  for (let i = 0; i < 1_000; i++) tries.failed([`ip ${i}`]);
  assert.equal(tries.waitMs(["ip 899"]), 0);
  assert.equal(tries.waitMs(["ip 900"]), 1_000);
});

const ask = (more: Partial<Credentials>): Credentials => ({
  ...{ username: "ann", password: "wrong", ip: "192.0.2.1", role: "client" },
  ...more,
});

Deno.test("users: one address with many names waits, and so does one name from many addresses", async () => {
  const clock = { ms: 0 };
  const tries = new Tries({ free: 3, nowMs: () => clock.ms });
  const users = new Users([{ name: "ann", password: "right" }], { tries });
  const kinds = async (all: Partial<Credentials>[]) => {
    const found: string[] = [];
    for (const one of all) found.push((await users.verify(ask(one))).kind);
    return found;
  };
  const names = ["a", "b", "c", "d", "e"].map((username) => ({ username }));
  assert.deepEqual(await kinds(names), ["wrong", "wrong", "wrong", "wrong", "later"]);
  const ips = [2, 3, 4, 5, 6].map((i) => ({ ip: `192.0.2.${i}` }));
  assert.deepEqual(await kinds(ips), ["wrong", "wrong", "wrong", "wrong", "later"]);
  // Not even the right password is looked at before its time; a user of another address is.
  assert.deepEqual(await kinds([{ ip: "192.0.2.9", password: "right" }]), ["later"]);
  clock.ms += 1_000;
  assert.deepEqual(await kinds([{ ip: "192.0.2.9", password: "right" }]), ["user"]);
});

Deno.test("users: strangers who guess at a name do not lock out its user where he got in before", async () => {
  const tries = new Tries({ free: 1, delayMs: 60_000, nowMs: () => 0 });
  const users = new Users([{ name: "ann", password: "right" }], { tries });
  const kind = async (ip: string, password = "wrong") =>
    (await users.verify(ask({ ip, password }))).kind;
  assert.equal(await kind("2001:db8::1", "right"), "user");
  const strangers = [await kind("192.0.2.2"), await kind("192.0.2.3"), await kind("192.0.2.4")];
  assert.deepEqual(strangers, ["wrong", "wrong", "later"]);
  // RFC 4291 §2.5.1: another address of his network is his, too.
  assert.equal(await kind("2001:db8::2", "right"), "user");
  // That he got in gives strangers no new guesses, not even at an address of another.
  assert.equal(await kind("192.0.2.5"), "later");
  assert.equal(await kind("192.0.2.5", "right"), "later");
  // Who guesses from where he got in waits as well.
  const own = [await kind("2001:db8::3"), await kind("2001:db8::3"), await kind("2001:db8::3")];
  assert.deepEqual(own, ["wrong", "wrong", "later"]);
});

Deno.test("users: who is let in by another name at the same address gets no new guesses at the first", async () => {
  const tries = new Tries({ free: 1, delayMs: 60_000, nowMs: () => 0 });
  const all = [{ name: "ann", password: "right" }, { name: "bob", password: "own" }];
  const users = new Users(all, { tries });
  const kind = async (username: string, password: string) =>
    (await users.verify(ask({ username, password }))).kind;
  assert.equal(await kind("ann", "right"), "user");
  const kinds: string[] = [];
  for (const guess of ["a", "b", "c"]) {
    assert.equal(await kind("bob", "own"), "user");
    kinds.push(await kind("ann", guess));
  }
  assert.deepEqual(kinds, ["wrong", "wrong", "later"]);
});

Deno.test("users: RFC 4291 §2.5.1: who changes his IPv6 address within his /64 stays who he is", async () => {
  const users = new Users([], { tries: new Tries({ free: 1 }), authenticate: () => nobody });
  const kind = async (ip: string, i: number) =>
    (await users.verify(ask({ ip, username: `n${i}` }))).kind;
  const own = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3"];
  const kinds: string[] = [];
  for (const [i, ip] of own.entries()) kinds.push(await kind(ip, i));
  assert.deepEqual(kinds, ["wrong", "wrong", "later"]);
  assert.equal(await kind("2001:db8:0:2::1", 9), "wrong");
  // RFC 4291 §2.5.5.2: IPv4 is one address however it is written.
  const mapped = [await kind("::ffff:192.0.2.1", 3), await kind("192.0.2.1", 4)];
  assert.deepEqual([...mapped, await kind("::ffff:192.0.2.1", 5)], ["wrong", "wrong", "later"]);
});

const nobody = Promise.resolve(null);

Deno.test("users: tokens that are wrong make their address wait", async () => {
  const users = new Users([], { tries: new Tries({ free: 1 }) });
  const wrong = () => users.verify(ask({ username: "", password: "", token: "x" }));
  assert.deepEqual([(await wrong()).kind, (await wrong()).kind, (await wrong()).kind], [
    "wrong",
    "wrong",
    "later",
  ]);
});

Deno.test("users: a name that is nobody's costs a hash, as a wrong password does", async () => {
  const users = new Users([{ name: "ann", passwordHash: await hashPassword("right") }], {
    tries: new Tries({ free: 1_000 }),
  });
  const cpuMs = async (username: string) => {
    const before = performance.now();
    for (let i = 0; i < 3; i++) await users.verify(ask({ username }));
    return performance.now() - before;
  };
  // 32 MiB and three rounds each: without a hash it would be a thousandth of it.
  const [known, unknown] = [await cpuMs("ann"), await cpuMs("nobody")];
  assert.ok(unknown > known / 10 && known > unknown / 10, `${known} ms, ${unknown} ms`);
});

Deno.test("passwords: a hash is of its password alone, in its salt, whichever way it is composed", async () => {
  const [one, other] = [await hashPassword("gehéim"), await hashPassword("gehéim")];
  assert.notEqual(one, other);
  assert.match(one, /^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  const hash = parsePasswordHash(one);
  assert.ok(await isPassword("gehe\u0301im", hash));
  for (const wrong of ["", "gehéim ", "Gehéim"]) assert.ok(!await isPassword(wrong, hash));
});

for (
  const [what, text] of [
    ["a plain password", "secret"],
    ["another scheme", "$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$aGFzaA"],
    ["no hash", "$scrypt$ln=15,r=8,p=3$c2FsdA$"],
    ["a short hash", "$scrypt$ln=15,r=8,p=3$c2FsdA$aGFzaA"],
    ["too much memory", `$scrypt$ln=25,r=8,p=1$c2FsdA$${"a".repeat(43)}`],
    ["no rounds", `$scrypt$ln=0,r=8,p=1$c2FsdA$${"a".repeat(43)}`],
  ] as const
) {
  Deno.test(`passwords: ${what} is refused, and not shown`, () => {
    assert.throws(() => parsePasswordHash(text), (error) => {
      assert.ok(error instanceof TypeError);
      assert.ok(!error.message.includes(text) && !error.message.includes("c2FsdA"));
      return true;
    });
  });
}
