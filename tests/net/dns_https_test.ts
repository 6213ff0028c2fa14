import assert from "node:assert/strict";
import { resolveHttps } from "../../src/net/dns_https.ts";
import { NetError } from "../../src/net/error.ts";
import { alpnValue, svcData } from "../support/dns_message.ts";
import { withResolver } from "../support/resolver.ts";

const data = svcData(1, ".", [[1, alpnValue("h3", "h2")]]);
const never = new AbortController().signal;

Deno.test("dns: a resolver is asked by UDP, and by TCP where the answer does not fit", async () => {
  for (const truncated of [false, true]) {
    await withResolver({ records: [{ data }], truncated }, async (resolver, asked) => {
      const { records } = await resolveHttps("a.example", resolver, never);
      assert.deepEqual(records.map(({ alpn }) => alpn), [["h3", "h2"]]);
      assert.deepEqual(asked, truncated ? ["udp", "tcp"] : ["udp"]);
    });
  }
});

Deno.test("dns: an answer to another question is not taken, and the question is sent again", async () => {
  await withResolver({ records: [{ data }], forgeFirst: true }, async (resolver, asked) => {
    assert.equal((await resolveHttps("a.example", resolver, never)).records.length, 1);
    assert.deepEqual(asked, ["udp", "udp"]);
  });
});

Deno.test("dns: a resolver that is silent is given up with the signal", async () => {
  await withResolver({ silent: true }, async (resolver) => {
    const work = resolveHttps("a.example", resolver, AbortSignal.timeout(50));
    await assert.rejects(work, (error) => error instanceof NetError && error.kind === "timeout");
  });
});
