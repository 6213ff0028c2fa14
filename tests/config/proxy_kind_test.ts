import assert from "node:assert/strict";
import { ValueError } from "../../src/config/error.ts";
import { outboundProxy } from "../../src/config/proxy_kind.ts";

for (
  const [text, want] of [
    ["", null],
    ["http://a", { kind: "http", hostname: "a", port: 80 }],
    ["http://a:3128/", { kind: "http", hostname: "a", port: 3128 }],
    ["HTTP://[::1]:8080", { kind: "http", hostname: "::1", port: 8080 }],
    ["socks5://a", { kind: "socks5", hostname: "a", port: 1080 }],
    ["socks5h://10.0.0.1:9050", { kind: "socks5", hostname: "10.0.0.1", port: 9050 }],
    ["socks5://[::1]:1", { kind: "socks5", hostname: "::1", port: 1 }],
    ["http://me:se%20cret@a", {
      ...{ kind: "http", hostname: "a", port: 80 },
      authorization: `Basic ${btoa("me:se cret")}`,
    }],
    ["socks5h://m%C3%A9:a%3Ab@a:1", {
      ...{ kind: "socks5", hostname: "a", port: 1 },
      credentials: { username: "mé", password: "a:b" },
    }],
  ] as const
) {
  Deno.test(`outbound proxy: ${text || "nothing"} is taken`, () => {
    assert.deepEqual(outboundProxy.parse(text), want);
  });
}

for (
  const text of [
    ...["a:80", "https://a", "socks4://a", "http://", "socks5://", "http://a/path", "http://a?b"],
    ...["http://a:0", "http://a:70000", "socks5://:secret@a", "socks5://a%3Ab:secret@a"],
    ...["http://me:secret%0A@a", "http://me:secret%FF@a", `socks5://me:${"secret".repeat(50)}@a`],
  ]
) {
  Deno.test(`outbound proxy: ${text.slice(0, 40)} is none, and told without a password`, () => {
    assert.throws(() => outboundProxy.parse(text), (error) => {
      assert.ok(error instanceof ValueError);
      assert.equal(error.problem, "is not a proxy");
      assert.ok(!JSON.stringify(error).includes("secret") && !error.message.includes("secret"));
      return true;
    });
  });
}
