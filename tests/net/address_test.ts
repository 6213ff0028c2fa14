import assert from "node:assert/strict";
import { EVERY_INTERFACE, formatAddress, parseAddress } from "../../src/net/address.ts";

const GOOD: [text: string, hostname: string, port: number][] = [
  [":443", EVERY_INTERFACE, 443],
  ["*:443", EVERY_INTERFACE, 443],
  ["127.0.0.1:9090", "127.0.0.1", 9090],
  ["127.0.0.1:0", "127.0.0.1", 0],
  ["[::1]:443", "::1", 443],
  ["[::]:65535", "::", 65535],
  ["localhost:8080", "localhost", 8080],
  ["my_service.internal:80", "my_service.internal", 80],
];

const BAD = [
  "",
  "443",
  "127.0.0.1",
  "127.0.0.1:",
  "127.0.0.1:65536",
  "127.0.0.1:-1",
  "127.0.0.1:http",
  "127.0.0:80",
  "256.0.0.1:80",
  "::1:443",
  "[127.0.0.1]:80",
  "[]:80",
  "a b:80",
  "-a:80",
  "a..b:80",
  "https://a:80",
  "a:80/",
  `${"a".repeat(64)}:80`,
];

Deno.test("address: :port, IPv4:port, [IPv6]:port, name:port", () => {
  for (const [text, hostname, port] of GOOD) {
    assert.deepEqual(parseAddress(text), { hostname, port }, text);
  }
});

Deno.test("address: all else is none", () => {
  for (const text of BAD) assert.equal(parseAddress(text), undefined, text);
});

Deno.test("address: an IPv6 address is shown in brackets", () => {
  assert.equal(formatAddress({ hostname: "::1", port: 443 }), "[::1]:443");
  assert.equal(formatAddress({ hostname: "localhost", port: 1 }), "localhost:1");
});

Deno.test({
  name: "address: every interface takes IPv4 too",
  ignore: Deno.build.os === "windows",
  async fn() {
    const listener = Deno.listen({ hostname: EVERY_INTERFACE, port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const [client, server] = await Promise.all([
      Deno.connect({ hostname: "127.0.0.1", port }),
      listener.accept(),
    ]);
    client.close();
    server.close();
    listener.close();
  },
});
