import assert from "node:assert/strict";
import { selfSignedFor } from "../../src/net/self_signed.ts";
import { testCertificates } from "../support/proxy.ts";
import { makeSelfSigned } from "../support/self_signed.ts";

Deno.test("self-signed: those for the host alone, by name and by address, that are valid now", async () => {
  const dns = (value: string) => ({ type: "dns", value }) as const;
  const [host, wild, address, none, past, future] = (await Promise.all([
    makeSelfSigned({ names: [dns("GW.example"), dns("localhost")] }),
    makeSelfSigned({ names: [dns("*.example")], ca: false }),
    makeSelfSigned({ names: [{ type: "ip", value: "127.0.0.1" }] }),
    makeSelfSigned({ names: [] }),
    makeSelfSigned({ names: [dns("gw.example")], days: [-3, -1] }),
    makeSelfSigned({ names: [dns("gw.example")], days: [1, 3] }),
  ])).map(({ certPem }) => certPem);
  const { caPem, certPem } = await testCertificates();
  const all = [host, `${wild}\n${address}`, none, past, future, caPem, certPem, "junk"];
  const count = (name: string) => selfSignedFor(name, all).length;
  assert.equal(count("gw.example"), 2);
  assert.equal(count("other.example"), 1);
  assert.equal(count("127.0.0.1"), 1);
  assert.equal(count("localhost"), 1);
  assert.equal(count("a gateway"), 0);
  assert.equal(count("127.0.0.2"), 0);
  assert.equal(selfSignedFor("gw.example", [host])[0].length, 32);
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
  assert.deepEqual(selfSignedFor("localhost", [broken]), []);
});
