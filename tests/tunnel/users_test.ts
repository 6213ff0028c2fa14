// Passwords that many try at once, and users that change meanwhile.
import assert from "node:assert/strict";
import { hashPassword } from "../../src/tunnel/passwords.ts";
import { Tries } from "../../src/tunnel/tries.ts";
import { type Credentials, type User, Users } from "../../src/tunnel/users.ts";

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
  users.onGone(() => told++);
  assert.deepEqual(users.replace([{ ...ANN }, { name: "bob", password: "x" }]), []);
  assert.equal(told, 0);
  assert.deepEqual(users.replace([ANN]), ["bob"]);
  assert.equal(told, 1);
  assert.deepEqual([ann, bob].map((one) => one.kind === "user" && one.pass.isOver), [false, true]);
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
