import assert from "node:assert/strict";
import { ClientShares } from "../../src/proxy/client_shares.ts";

Deno.test("client shares: a client has so many at once, whatever its port, and others have theirs", () => {
  const shares = new ClientShares({ limit: 2 });
  const first = shares.take("192.0.2.1:1000");
  const second = shares.take("192.0.2.1:2000");
  assert.ok(first && second);
  assert.equal(shares.take("192.0.2.1:3000"), null);
  assert.ok(shares.take("[2001:db8::1]:1000"));
  assert.equal(shares.clients, 2);
  second();
  assert.ok(shares.take("192.0.2.1:3000"));
  assert.equal(shares.take("192.0.2.1:3000"), null);
});

Deno.test("client shares: who has nothing under way is forgotten", () => {
  const shares = new ClientShares({ limit: 2 });
  const frees = ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"].map((remote) => shares.take(remote));
  assert.equal(shares.clients, 2);
  for (const free of frees) free!();
  assert.equal(shares.clients, 0);
});

Deno.test("client shares: RFC 4291 §2.5.1: a subnet of IPv6 is one client, and so is IPv4 in IPv6", () => {
  const shares = new ClientShares({ limit: 1 });
  assert.ok(shares.take("[2001:db8:0:1::1]:1000"));
  assert.equal(shares.take("[2001:db8:0:1:ffff::2]:1000"), null);
  assert.ok(shares.take("[2001:db8:0:2::1]:1000"));
  assert.ok(shares.take("[::ffff:192.0.2.1]:1000"));
  assert.equal(shares.take("192.0.2.1:2000"), null);
  assert.ok(shares.take("[fe80::1%eth0]:1000"));
  assert.ok(shares.take("unknown"));
});

Deno.test("client shares: 0 is no limit, nor has a proxy that is trusted one", () => {
  const exempt = (ip: string) => ip === "192.0.2.1";
  for (const shares of [new ClientShares({ limit: 0 }), new ClientShares({ limit: 1, exempt })]) {
    for (let i = 0; i < 3; i++) shares.take("192.0.2.1:1000")!();
    assert.ok(shares.take("192.0.2.1:1000") && shares.take("192.0.2.1:1000"));
    assert.equal(shares.clients, 0);
  }
});
