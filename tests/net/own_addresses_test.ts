import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { ownAddresses } from "../../src/net/own_addresses.ts";

Deno.test("own addresses: of all interfaces, without zones, and not asked for each time", () => {
  let asked = 0;
  const list = () => {
    asked++;
    const entry = { ...networkInterfaces().lo![0] };
    return {
      eth0: [{ ...entry, address: "192.0.43.7" }, { ...entry, address: "fe80::1%eth0" }],
      gone: undefined,
    };
  };
  const own = ownAddresses(list);
  assert.deepEqual([...own()], ["192.0.43.7", "fe80::1"]);
  own();
  assert.equal(asked, 1);
});

Deno.test("own addresses: this machine's loopback address is among them", () => {
  assert.ok(ownAddresses()().has("127.0.0.1"));
});

Deno.test({
  name: "own addresses: none, and nobody is asked, where the permission is missing",
  permissions: { sys: false },
  fn: () => assert.equal(ownAddresses()().size, 0),
});
