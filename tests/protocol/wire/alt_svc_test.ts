import assert from "node:assert/strict";
import { type AltService, parseAltSvc } from "../../../src/protocol/wire/alt_svc.ts";

const DAY = 86_400;

function service(protocol: string, host: string, [port, maxAgeSeconds]: number[]): AltService {
  return { protocol, host, port, maxAgeSeconds };
}

const CASES: { value: string; want: AltService[] | null }[] = [
  { value: 'h3=":443"', want: [service("h3", "", [443, DAY])] },
  { value: 'h3=":443"; ma=60', want: [service("h3", "", [443, 60])] },
  { value: 'h3=":443";ma="60" ; persist=1', want: [service("h3", "", [443, 60])] },
  { value: 'h3=":443"; MA=0', want: [service("h3", "", [443, 0])] },
  { value: ' h3="alt.example:8443" ', want: [service("h3", "alt.example", [8443, DAY])] },
  { value: 'h3="[2001:db8::1]:1"', want: [service("h3", "2001:db8::1", [1, DAY])] },
  {
    value: 'h3=":443", h2="b.example:1";ma=5 ,h3-29=":2"',
    want: [
      service("h3", "", [443, DAY]),
      service("h2", "b.example", [1, 5]),
      service("h3-29", "", [2, DAY]),
    ],
  },
  { value: 'h3=":\\4\\43"', want: [service("h3", "", [443, DAY])] },
  { value: 'w%3Dx%3Ay#z=":1"', want: [service("w=x:y#z", "", [1, DAY])] },
  { value: 'x=":1"; future="a,b;c=\\"d"', want: [service("x", "", [1, DAY])] },
  { value: "clear", want: [] },
  // RFC 7838 §3: it is case-sensitive, and stands alone.
  { value: "CLEAR", want: null },
  { value: 'clear, h3=":443"', want: null },
  { value: "", want: null },
  { value: "h3", want: null },
  { value: "h3=:443", want: null },
  { value: 'h3=":443', want: null },
  { value: 'h3=":443" h2=":1"', want: null },
  { value: 'h3=":443"; ma', want: null },
  // What can't be used is left out, and takes nothing else along.
  {
    value: 'a=":0", b=":65536", c="x", d="a b:1", e%zz=":1", f=":1";ma=-1, h3=":7"',
    want: [
      service("h3", "", [7, DAY]),
    ],
  },
];

for (const { value, want } of CASES) {
  Deno.test(`RFC 7838 §3: Alt-Svc: ${JSON.stringify(value)}`, () => {
    assert.deepEqual(parseAltSvc(value), want);
  });
}
