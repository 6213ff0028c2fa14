import assert from "node:assert/strict";
import { CIDRS_ALLOWED, parseCidrs } from "../../src/config/cidr.ts";
import { ValueError } from "../../src/config/error.ts";

const ROWS: { list: string; inside: string[]; outside: string[] }[] = [
  { list: "", inside: [], outside: ["127.0.0.1", "::1", "10.0.0.1"] },
  { list: " , ", inside: [], outside: ["127.0.0.1"] },
  { list: "192.0.2.7", inside: ["192.0.2.7"], outside: ["192.0.2.6", "192.0.2.8"] },
  {
    list: "10.0.0.0/8, ::1, fd00::/8",
    inside: ["10.0.0.0", "10.255.255.255", "::1", "0:0:0:0:0:0:0:1", "fd00::", "FDff::1"],
    outside: ["9.255.255.255", "11.0.0.0", "::2", "fc00::1", "fe00::1"],
  },
  { list: "10.0.0.0/8 192.0.2.0/24", inside: ["10.0.0.1", "192.0.2.1"], outside: ["192.0.3.1"] },
  { list: "10.0.0.0/8,", inside: ["10.0.0.1"], outside: ["11.0.0.1"] },
  { list: "10.1.2.3/8", inside: ["10.9.9.9"], outside: ["11.1.2.3"] },
  { list: "192.0.2.128/25", inside: ["192.0.2.128", "192.0.2.255"], outside: ["192.0.2.127"] },
  { list: "0.0.0.0/0", inside: ["203.0.113.1", "::ffff:203.0.113.1"], outside: ["2001:db8::1"] },
  { list: "::/0", inside: ["2001:db8::1", "::1"], outside: ["203.0.113.1", "::ffff:1.2.3.4"] },
  { list: "2001:db8::/33", inside: ["2001:db8:7fff::"], outside: ["2001:db8:8000::"] },
  { list: "fe80::/10", inside: ["fe80::1%eth0", "febf::1"], outside: ["fec0::1%eth0", "fec0::1"] },
  {
    list: "private",
    inside: [
      ...["10.0.0.1", "172.16.0.0", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1"],
      "::ffff:10.0.0.1",
    ],
    outside: ["127.0.0.1", "::1", "172.15.255.255", "172.32.0.0", "169.254.169.254", "fe80::1"],
  },
  {
    list: "Loopback",
    inside: ["127.0.0.1", "127.18.0.1", "::1", "::ffff:127.0.0.1"],
    outside: ["126.255.255.255", "128.0.0.0", "10.0.0.1", "::", "::2"],
  },
  { list: "private, loopback", inside: ["10.0.0.1", "::1"], outside: ["192.0.2.1"] },
];

for (const { list, inside, outside } of ROWS) {
  Deno.test(`cidr: "${list}"`, () => {
    const isIn = parseCidrs(list);
    for (const ip of inside) assert.equal(isIn(ip), true, ip);
    for (const ip of outside) assert.equal(isIn(ip), false, ip);
  });
}

Deno.test("cidr: RFC 4291 §2.5.5.2: IPv4 and its IPv4-mapped IPv6 form are the same", () => {
  for (const list of ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::FFFF:0a00:0/104"]) {
    const isIn = parseCidrs(list);
    for (const ip of ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203", "0:0:0:0:0:ffff:a01:203"]) {
      assert.equal(isIn(ip), true, `${ip} in ${list}`);
    }
    for (const ip of ["11.1.2.3", "::ffff:11.1.2.3", "::a01:203"]) {
      assert.equal(isIn(ip), false, `${ip} in ${list}`);
    }
  }
  assert.equal(parseCidrs("::ffff:10.0.0.1")("10.0.0.1"), true);
  assert.equal(parseCidrs("::ffff:10.0.0.1")("10.0.0.2"), false);
});

Deno.test("cidr: what is no IP address is in no list", () => {
  const isIn = parseCidrs("0.0.0.0/0, ::/0");
  const none = [
    "",
    "unknown",
    "localhost",
    "1.2.3",
    "1.2.3.4:80",
    "[::1]",
    "0x7f.0.0.1",
    "::1/128",
  ];
  // A form that is deprecated (RFC 4291 §2.5.5.1), and numbers that some take for octal.
  for (const ip of [...none, "::10.0.0.1", "010.0.0.1", "127.1", "2130706433"]) {
    assert.equal(isIn(ip), false, ip);
  }
});

const BAD: [list: string, problem: string][] = [
  ["10.0.0.0/8, foo", 'holds "foo", which is no address or range'],
  ["10.0.0.0/33", 'holds "10.0.0.0/33", whose prefix is not 0 to 32'],
  ["::1/129", 'holds "::1/129", whose prefix is not 0 to 128'],
  ["::ffff:10.0.0.0/8", 'holds "::ffff:10.0.0.0/8", whose prefix is not 96 to 128'],
  ["10.0.0.0/", 'holds "10.0.0.0/", whose prefix is not 0 to 32'],
  ["10.0.0.0/-1", 'holds "10.0.0.0/-1", whose prefix is not 0 to 32'],
  ["10.0.0.0/1e1", 'holds "10.0.0.0/1e1", whose prefix is not 0 to 32'],
  ["10.0.0.0/8/8", 'holds "10.0.0.0/8/8", which is no address or range'],
  ["10.0.0.0/255.0.0.0", 'holds "10.0.0.0/255.0.0.0", whose prefix is not 0 to 32'],
  ["10.0.0/8", 'holds "10.0.0/8", which is no address or range'],
  ["010.0.0.0/8", 'holds "010.0.0.0/8", which is no address or range'],
  ["0xa.0.0.0/8", 'holds "0xa.0.0.0/8", which is no address or range'],
  ["::10.0.0.1", 'holds "::10.0.0.1", which is no address or range'],
  ["fe80::1%eth0", 'holds "fe80::1%eth0", which is no address or range'],
  ["[::1]", 'holds "[::1]", which is no address or range'],
  ["private/8", 'holds "private/8", which is no address or range'],
  ["constructor", 'holds "constructor", which is no address or range'],
];

Deno.test("cidr: an error names the bad entry and what is allowed", () => {
  for (const [list, problem] of BAD) {
    assert.throws(() => parseCidrs(list), (error) => {
      assert.ok(error instanceof ValueError, list);
      assert.equal(error.problem, problem);
      assert.equal(error.allowed, CIDRS_ALLOWED);
      return true;
    });
  }
});
