import assert from "node:assert/strict";
import { ProxyHeaderParser } from "../../src/protocol/proxy_protocol/parser.ts";
import { type ClientEnds } from "../../src/client/h1_pool.ts";
import { prefaceOf } from "../../src/proxy/preface.ts";

interface Row {
  name: string;
  client: ClientEnds | null;
  want: string;
}

const ROWS: Row[] = [
  {
    name: "both ends",
    client: { remote: "192.0.2.1:5000", local: "198.51.100.2:443" },
    want: "192.0.2.1 5000 > 198.51.100.2 443",
  },
  {
    name: "an end that is not known is all zeroes",
    client: { remote: "192.0.2.1:5000" },
    want: "192.0.2.1 5000 > 0.0.0.0 0",
  },
  {
    name: "of the same family",
    client: { remote: "[2001:db8::1]:5000" },
    want: "2001:db8::1 5000 > :: 0",
  },
  {
    name: "IPv6",
    client: { remote: "[2001:db8::1]:5000", local: "[2001:db8::2]:443" },
    want: "2001:db8::1 5000 > 2001:db8::2 443",
  },
  {
    name: "a zone is for this machine alone",
    client: { remote: "[fe80::1%eth0]:5000", local: "[fe80::2%eth0]:443" },
    want: "fe80::1 5000 > fe80::2 443",
  },
  { name: "who is not known is nobody", client: { remote: "unknown" }, want: "nobody" },
  { name: "a connection of the proxy's own", client: null, want: "nobody" },
];

for (const { name, client, want } of ROWS) {
  for (const version of [1, 2] as const) {
    Deno.test(`preface: v${version}: ${name}`, () => {
      const parser = new ProxyHeaderParser();
      parser.push(prefaceOf({ proxyProtocol: version }, client)!);
      const header = parser.next();
      assert.equal(parser.rest().length, 0);
      assert.equal(header?.version, version);
      const ends = header?.proxied ?? null;
      const text = ends === null ? "nobody" : `${ends.source.address} ${ends.source.port} > ` +
        `${ends.destination.address} ${ends.destination.port}`;
      assert.equal(text, want);
    });
  }
}

Deno.test("preface: none where the backend wants none", () => {
  assert.equal(prefaceOf({}, { remote: "192.0.2.1:5000" }), undefined);
});
