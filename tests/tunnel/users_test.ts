// Passwords that many try at once, and users that change meanwhile.
import assert from "node:assert/strict";
import { Cancel } from "../../src/net/cancel.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { hashPassword } from "../../src/tunnel/passwords.ts";
import { Tries } from "../../src/tunnel/tries.ts";
import { type Credentials, type User, Users } from "../../src/tunnel/users.ts";
import { LOOPBACK, startGateway, Told } from "./support.ts";

const ASK: Credentials = { username: "ann", password: "secret", ip: "192.0.2.7", role: "client" };
const ANN: User = { name: "ann", passwordHash: await hashPassword("secret") };

Deno.test("users: who fails many times at once is not let try all of them", async () => {
  const users = new Users([ANN], { tries: new Tries({ free: 2, delayMs: 60_000 }) });
  const wrong = Array.from({ length: 50 }, (_, i) => users.verify({ ...ASK, password: `p${i}` }));
  const kinds = (await Promise.all(wrong)).map(({ kind }) => kind);
  const tried = kinds.filter((kind) => kind === "wrong").length;
  // Those that are under way when one fails are looked at to their end.
  assert.ok(tried >= 3 && tried <= 7, `${tried} were tried`);
  assert.equal(kinds.filter((kind) => kind === "later").length, 50 - tried);
});

Deno.test("users: who is right many times at once is let in each time", async () => {
  const users = new Users([ANN]);
  const all = await Promise.all(Array.from({ length: 50 }, () => users.verify(ASK)));
  assert.deepEqual(new Set(all.map(({ kind }) => kind)), new Set(["user"]));
});

/** Takes all there is for hashes, and gives those who ask for it. */
function busy(users: Users) {
  return Array.from({ length: 4 }, (_, i) => {
    return users.verify({ ...ASK, username: `u${i}`, ip: `198.51.100.${i}` });
  });
}

Deno.test("users: who is gone has no password looked at, and it is no failure", async () => {
  const users = new Users([ANN], { tries: new Tries({ free: 0, delayMs: 60_000 }) });
  const [gone, before] = [new Cancel(), busy(users)];
  const order: string[] = [];
  const left = users.verify({ ...ASK, password: "wrong" }, gone).finally(() => order.push("left"));
  gone.abort("gone");
  await Promise.race([...before.map((one) => one.finally(() => order.push("looked at"))), left]);
  assert.deepEqual(order, ["left"]);
  assert.equal((await left).kind, "unknown");
  assert.equal((await users.verify(ASK)).kind, "user");
  await Promise.all(before);
});

Deno.test("users: one who goes does not take those with him who say the same", async () => {
  const users = new Users([ANN]);
  const [gone, before] = [new Cancel(), busy(users)];
  const [left, ...others] = [gone, null, null].map((signal) => users.verify(ASK, signal));
  gone.abort("gone");
  assert.equal((await left).kind, "unknown");
  for (const other of others) assert.equal((await other).kind, "user");
  await Promise.all(before);
});

Deno.test("users: strangers of many addresses do not wait longer than they may, and who says the same does so once", async () => {
  const users = new Users([ANN]);
  const before = busy(users);
  const same = Array.from({ length: 100 }, () => users.verify(ASK));
  const gone = new Cancel();
  const strangers = Array.from({ length: 60 }, (_, i) => {
    return users.verify({ ...ASK, username: "x", ip: `203.0.113.${i}` }, gone);
  });
  // 49 beside those of one network, who wait for one hash.
  const refused = await Promise.all(strangers.slice(49));
  assert.deepEqual(new Set(refused.map(({ kind }) => kind)), new Set(["unknown"]));
  for (const one of await Promise.all(same)) assert.equal(one.kind, "user");
  gone.abort("gone");
  await Promise.all([...before, ...strangers]);
});

Deno.test("users: the same wrong password many times at once is one guess", async () => {
  const users = new Users([ANN], { tries: new Tries({ free: 1, delayMs: 60_000 }) });
  const wrong = () => users.verify({ ...ASK, password: "old" });
  const kinds = (await Promise.all(Array.from({ length: 20 }, wrong))).map(({ kind }) => kind);
  assert.deepEqual(new Set(kinds), new Set(["wrong"]));
  assert.equal((await users.verify(ASK)).kind, "user");
});

Deno.test("users: one that is changed while his password is looked at is let in by the new one alone", async () => {
  const users = new Users([ANN]);
  const changed = { ...ANN, passwordHash: await hashPassword("new") };
  const before = users.verify(ASK);
  assert.deepEqual(users.replace([changed]), ["ann"]);
  assert.equal((await before).kind, "wrong");
  assert.equal((await users.verify(ASK)).kind, "wrong");
  assert.equal((await users.verify({ ...ASK, password: "new" })).kind, "user");
});

Deno.test("users: a pass is over when its user is gone or changed, and stays when he is the same", async () => {
  const users = new Users([ANN, { name: "bob", password: "x" }]);
  const ann = await users.verify(ASK);
  const bob = await users.verify({ ...ASK, username: "bob", password: "x" });
  let told = 0;
  const release = users.onGone(() => told++);
  assert.deepEqual(users.replace([{ ...ANN }, { name: "bob", password: "x" }]), []);
  assert.equal(told, 0);
  assert.deepEqual(users.replace([ANN]), ["bob"]);
  assert.equal(told, 1);
  assert.deepEqual([ann, bob].map((one) => one.kind === "user" && one.pass.isOver), [false, true]);
  release();
  assert.deepEqual(users.replace([]), ["ann"]);
  assert.equal(told, 1, "who listens no more is not told");
});

Deno.test("users: where nobody can say it is no failure", async () => {
  const authenticate = () => Promise.reject(new Error("the directory is down"));
  const users = new Users([], { authenticate, tries: new Tries({ free: 0 }) });
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await users.verify(ASK), { kind: "unknown", reason: "the directory is down" });
  }
});

Deno.test("users: a function decides in place of a list, and its time counts", async () => {
  const authenticate = ({ username }: Credentials) => {
    const ms = username === "past" ? -1 : 60_000;
    return Promise.resolve({
      name: username,
      roles: ["client"] as const,
      expiresAtMs: Date.now() + ms,
    });
  };
  const users = new Users([], { authenticate });
  assert.equal((await users.verify(ASK)).kind, "user");
  assert.equal((await users.verify({ ...ASK, role: "agent" })).kind, "wrong");
  assert.equal((await users.verify({ ...ASK, username: "past" })).kind, "wrong");
});

/** Counts who listens. */
class Counted extends Users {
  listeners = 0;

  override onGone(listener: () => void): () => void {
    const release = super.onGone(listener);
    this.listeners++;
    return () => {
      this.listeners--;
      release();
    };
  }
}

Deno.test("users: they outlive their gateways, and hold none that has stopped, or never listened", async () => {
  const [agents, sweeper, told] = [new Counted([ANN]), new Sweeper(50), new Told()];
  for (let i = 0; i < 2; i++) {
    const gateway = await startGateway({ told, sweeper }, { gateway: { agents } });
    assert.equal(agents.listeners, 1);
    const listen = { ...LOOPBACK, port: gateway.port };
    await assert.rejects(startGateway({ told, sweeper }, { gateway: { agents, listen } }));
    assert.equal(agents.listeners, 1);
    await gateway.stop();
    assert.equal(agents.listeners, 0);
  }
  sweeper.stop();
});
