import assert from "node:assert/strict";
import { encodeProxyHeader } from "../../../src/protocol/proxy_protocol/encode.ts";
import type { ProxyHeader } from "../../../src/protocol/proxy_protocol/header.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";

function proxied(source: string, destination: string): ProxyHeader["proxied"] {
  return {
    source: { address: source, port: 56324 },
    destination: { address: destination, port: 443 },
  };
}

const LINES = [
  {
    name: "IPv4",
    proxied: proxied("192.0.2.1", "198.51.100.2"),
    want: "TCP4 192.0.2.1 198.51.100.2 56324 443",
  },
  {
    name: "IPv6",
    proxied: proxied("2001:DB8:0::1", "::1"),
    want: "TCP6 2001:db8::1 ::1 56324 443",
  },
  {
    name: "both kinds",
    proxied: proxied("192.0.2.1", "::1"),
    want: "TCP6 ::ffff:192.0.2.1 ::1 56324 443",
  },
  { name: "no address", proxied: null, want: "UNKNOWN" },
];

for (const { name, proxied, want } of LINES) {
  Deno.test(`PROXY version 1: writes ${name}`, () => {
    const bytes = encodeProxyHeader({ version: 1, proxied });
    assert.equal(new TextDecoder().decode(bytes), `PROXY ${want}\r\n`);
  });
}

const BLOCKS = [
  {
    name: "IPv4",
    proxied: proxied("192.0.2.1", "198.51.100.2"),
    want: "2111000cc0000201c6336402dc0401bb",
  },
  {
    name: "IPv6",
    proxied: proxied("2001:db8::1", "::1"),
    want: "2121002420010db800000000000000000000000100000000000000000000000000000001dc0401bb",
  },
  {
    name: "both kinds",
    proxied: proxied("::1", "192.0.2.1"),
    want: "212100240000000000000000000000000000000100000000000000000000ffffc0000201dc0401bb",
  },
  { name: "no address: LOCAL", proxied: null, want: "20000000" },
];

for (const { name, proxied, want } of BLOCKS) {
  Deno.test(`PROXY version 2: writes ${name}`, () => {
    assert.equal(encodeProxyHeader({ version: 2, proxied }).toHex(), SIGNATURE + want);
  });
}

Deno.test("PROXY: what is no IP address and no port is not written", () => {
  for (
    const [address, port] of [["localhost", 1], ["[::1]", 1], ["1.2.3.4", 65536], [
      "1.2.3.4",
      -1,
    ]] as const
  ) {
    const end = { address, port };
    for (const version of [1, 2] as const) {
      const header: ProxyHeader = { version, proxied: { source: end, destination: end } };
      assert.throws(() => encodeProxyHeader(header), RangeError);
    }
  }
});
