// What an agent may be asked for: by the name, and by every address that the name has.
import assert from "node:assert/strict";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { agentDial } from "../../src/tunnel/agent_dial.ts";
import { parseHostPattern } from "../../src/tunnel/host_pattern.ts";
import { isSpecial, Reach, type ReachRules, type Service } from "../../src/tunnel/reach.ts";
import { TunnelRefused } from "../../src/tunnel/target.ts";

interface Rules {
  allow?: readonly string[];
  forbid?: readonly string[];
  services?: readonly Service[];
  openPorts?: ReachRules["openPorts"];
}

/** Of the machine's interfaces. */
const OWN = new Set(["10.7.7.7", "fd12::7"]);

function reachBy({ allow, forbid = [], services = [], openPorts = [] }: Rules): Reach {
  return new Reach({
    allowed: allow === undefined ? null : allow.map(parseHostPattern),
    ...{ forbidden: forbid.map(parseHostPattern), services, openPorts },
    ownAddresses: () => OWN,
  });
}

/** Which of a host's addresses are left; "forbidden" where none may be connected to. */
function left(rules: Rules, host: string, [ips, port = 80]: [string[], number?]): string {
  const reach = reachBy(rules);
  try {
    return reach.filter(reach.locate({ protocol: "tcp", host, port }), ips).join(" ");
  } catch (error) {
    assert.ok(error instanceof TunnelRefused);
    assert.equal(error.code, TunnelCode.FORBIDDEN_HOST);
    return "forbidden";
  }
}

const PUBLIC = "192.0.43.10";
const NO = "forbidden";

const ROWS: [what: string, rules: Rules, host: string, at: [string[], number?], want: string][] = [
  ["anybody's address", {}, "a.example", [[PUBLIC]], PUBLIC],
  ["a private network", {}, "10.1.2.3", [["10.1.2.3"]], "10.1.2.3"],
  ["this machine", {}, "127.0.0.1", [["127.0.0.1"]], NO],
  ["this machine by IPv6", {}, "::1", [["::1"]], NO],
  ["this machine in disguise", {}, "::ffff:127.0.0.1", [["::ffff:127.0.0.1"]], NO],
  ["this machine by no address", {}, "0.0.0.0", [["0.0.0.0"]], NO],
  ["link-local", {}, "169.254.1.1", [["169.254.1.1"]], NO],
  ["link-local by IPv6", {}, "fe80::1", [["fe80::1"]], NO],
  ["a cloud's metadata", {}, "169.254.169.254", [["169.254.169.254"]], NO],
  ["another cloud's metadata", {}, "m.example", [["100.100.100.200"]], NO],
  ["metadata by IPv6", {}, "m.example", [["fd00:ec2::254"]], NO],
  ["metadata by NAT64", {}, "m.example", [["64:ff9b::a9fe:a9fe"]], NO],
  ["this machine by its interface", {}, "10.7.7.7", [["10.7.7.7"]], NO],
  ["this machine by its interface's IPv6", {}, "fd12:0::7", [["fd12:0::7"]], NO],
  ["its interface in disguise", {}, "::ffff:10.7.7.7", [["::ffff:10.7.7.7"]], NO],
  ["a name of its interface, and another", {}, "me.lan", [["10.7.7.7", "10.7.7.8"]], "10.7.7.8"],
  // DNS rebinding: a name of anybody's that leads here.
  ["a name that leads here", {}, "evil.example", [["127.0.0.1"]], NO],
  ["a name that leads here, too", {}, "evil.example", [["127.0.0.1", PUBLIC]], PUBLIC],

  ["the name", { allow: ["a.example"] }, "a.example", [[PUBLIC]], PUBLIC],
  ["the name in capitals", { allow: ["A.Example"] }, "a.EXAMPLE", [[PUBLIC]], PUBLIC],
  ["the name with the root's dot", { allow: ["a.example"] }, "a.example.", [[PUBLIC]], PUBLIC],
  ["another name", { allow: ["a.example"] }, "b.example", [[PUBLIC]], NO],
  ["a name below it", { allow: ["a.example"] }, "x.a.example", [[PUBLIC]], NO],
  ["*. below", { allow: ["*.a.example"] }, "x.y.a.example", [[PUBLIC]], PUBLIC],
  ["*. itself", { allow: ["*.a.example"] }, "a.example", [[PUBLIC]], NO],
  ["*. beside", { allow: ["*.a.example"] }, "xa.example", [[PUBLIC]], NO],
  ["a regexp", { allow: ["/^db[0-9]+\\.lan$/"] }, "db12.lan", [["10.0.0.1"]], "10.0.0.1"],
  ["a regexp, not", { allow: ["/^db[0-9]+\\.lan$/"] }, "db.lan", [["10.0.0.1"]], NO],
  ["a range", { allow: ["10.0.0.0/8"] }, "10.9.9.9", [["10.9.9.9"]], "10.9.9.9"],
  ["beside a range", { allow: ["10.0.0.0/8"] }, "11.0.0.1", [["11.0.0.1"]], NO],
  ["a name in a range", { allow: ["10.0.0.0/8"] }, "a.lan", [["10.9.9.9", PUBLIC]], "10.9.9.9"],
  ["a range of IPv6", { allow: ["fd00::/8"] }, "fd12::1", [["fd12::1"]], "fd12::1"],
  ["a range in disguise", { allow: ["10.0.0.0/8"] }, "x", [["::ffff:10.0.0.1"]], "::ffff:10.0.0.1"],
  ["the port", { allow: ["a.example:443"] }, "a.example", [[PUBLIC], 443], PUBLIC],
  ["another port", { allow: ["a.example:443"] }, "a.example", [[PUBLIC], 80], NO],
  ["a range's ports", { allow: ["10.0.0.0/8:80-90"] }, "10.0.0.1", [["10.0.0.1"], 90], "10.0.0.1"],
  ["beside its ports", { allow: ["10.0.0.0/8:80-90"] }, "10.0.0.1", [["10.0.0.1"], 91], NO],
  ["IPv6 with a port", { allow: ["[fd00::1]:22"] }, "fd00::1", [["fd00::1"], 22], "fd00::1"],
  ["IPv6 by another", { allow: ["[fd00::1]:22"] }, "fd00::1", [["fd00::1"], 23], NO],

  ["here by its name", { allow: ["localhost"] }, "localhost", [["127.0.0.1"]], "127.0.0.1"],
  ["by its name and port", { allow: ["localhost:80"] }, "localhost", [["::1"], 80], "::1"],
  ["by its name with a dot", { allow: ["localhost."] }, "localhost", [["::1"]], "::1"],
  ["here by any name", { allow: ["*"] }, "localhost", [["127.0.0.1"]], NO],
  ["here by a pattern", { allow: ["*.example"] }, "evil.example", [["127.0.0.1"]], NO],
  ["here by a regexp", { allow: ["/local/"] }, "localhost", [["127.0.0.1"]], NO],
  ["its interface by any name", { allow: ["*"] }, "me.lan", [["10.7.7.7"]], NO],
  ["its interface by its name", { allow: ["me.lan"] }, "me.lan", [["10.7.7.7"]], "10.7.7.7"],
  ["its interface by a range", { allow: ["10.0.0.0/8"] }, "me.lan", [["10.7.7.7"]], "10.7.7.7"],
  ["here by the address", { allow: ["127.0.0.1"] }, "localhost", [["127.0.0.1"]], "127.0.0.1"],

  ["forbidden by name", { forbid: ["a.example"] }, "A.example.", [[PUBLIC]], NO],
  ["forbidden by *.", { forbid: ["*.example"] }, "a.example", [[PUBLIC]], NO],
  ["forbidden by a range", { forbid: ["192.168.0.0/16"] }, "a.lan", [["192.168.1.1"]], NO],
  ["its other address", { forbid: ["10.0.0.0/8"] }, "a.lan", [["10.0.0.1", PUBLIC]], PUBLIC],
  ["in disguise", { forbid: ["10.0.0.0/8"] }, "a.lan", [["::ffff:10.0.0.1"]], NO],
  ["before what is allowed", { allow: ["a.lan"], forbid: ["a.lan"] }, "a.lan", [[PUBLIC]], NO],
  ["of what is allowed", { allow: ["a.lan"], forbid: ["10.0.0.0/8"] }, "a.lan", [["10.0.0.1"]], NO],
  ["by its port alone", { forbid: ["*:25"] }, "a.example", [[PUBLIC], 25], NO],
  ["not by another port", { forbid: ["*:25"] }, "a.example", [[PUBLIC], 26], PUBLIC],
];

for (const [what, rules, host, at, want] of ROWS) {
  const { allow, forbid } = rules;
  const how = [allow && `--allow ${allow}`, forbid && `--forbid ${forbid}`].filter(Boolean);
  Deno.test(`reach: ${what}: ${host} with ${how.join(" ") || "nothing said"}`, () => {
    assert.equal(left(rules, host, at), want);
  });
}

const WEB: Service = { name: "web", host: "localhost", port: 8080, protocol: "tcp" };
const DNS: Service = { name: "dns", host: "10.0.0.1", port: 53, protocol: "udp" };

Deno.test("reach: of services, by name or address, and by their protocol; nothing else", () => {
  const reach = reachBy({ services: [WEB, DNS], forbid: ["10.0.0.2"] });
  const located = (protocol: "tcp" | "udp", host: string, port: number) => {
    const found = reach.locate({ protocol, host, port });
    return `${found.host}:${found.port}/${found.protocol}`;
  };
  assert.equal(located("tcp", "web", 1), "localhost:8080/tcp");
  assert.equal(located("tcp", "WEB.", 443), "localhost:8080/tcp");
  assert.equal(located("tcp", "localhost", 8080), "localhost:8080/tcp");
  assert.equal(located("udp", "dns", 1), "10.0.0.1:53/udp");
  for (
    const [protocol, host, port] of [
      ["udp", "web", 8080],
      ["tcp", "dns", 53],
      ["tcp", "localhost", 8081],
      ["tcp", "127.0.0.1", 8080],
      ["tcp", "10.0.0.2", 53],
    ] as const
  ) assert.throws(() => located(protocol, host, port), TunnelRefused, `${host}:${port}`);
  // Whoever runs the agent has named it, so that it may be here.
  const web = reach.locate({ protocol: "tcp", host: "web", port: 1 });
  assert.deepEqual(reach.filter(web, ["127.0.0.1"]), ["127.0.0.1"]);
});

Deno.test("reach: what an agent offers by ports of the gateway, whatever else it may", () => {
  const offered = {
    protocol: "tcp",
    remotePort: 1,
    localHost: "localhost",
    localPort: 80,
  } as const;
  const at = (port: number, rules: Rules = {}) =>
    left({ ...rules, openPorts: [offered] }, "localhost", [["127.0.0.1"], port]);
  assert.equal(at(80), "127.0.0.1");
  assert.equal(at(81), NO);
  assert.equal(at(80, { allow: ["10.0.0.0/8"], services: [WEB] }), "127.0.0.1");
  assert.equal(at(80, { forbid: ["127.0.0.0/8"] }), NO);
});

Deno.test("reach: special addresses, and such as only look like it", () => {
  const special = [
    ...["127.255.255.255", "0.0.0.1", "255.255.255.255", "224.0.0.1", "240.0.0.1", "::"],
    ...["ff02::1", "168.63.129.16", "2002:7f00:1::", "::ffff:169.254.169.254"],
    ...["::7f00:1", "::a00:1", "fec0::1", "feff::1", "100::1", "5f00::1", "fe80::1%lo"],
    ...["fd20:ce::254", "FD20:00CE:0::254", "fd00:ec2::254", "fd00:ec2::23", "fd00:42::42"],
    ...["fd00:c1::a9fe:a9fe", "192.0.0.192"],
  ];
  for (const ip of special) assert.ok(isSpecial(ip), ip);
  const ordinary = ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "8.8.8.8", "fd00::1"];
  const like = ["2606:4700::1111", "::1:7f00:1", "fd20:ce::253", "100:0:0:1::1"];
  for (const ip of [...ordinary, ...like]) assert.ok(!isSpecial(ip), ip);
});

for (
  const [text, problem] of [
    ["", /has no host/],
    [":80", /has no host/],
    ["a.example:0", /ports that are none/],
    ["a.example:90-80", /ports that are none/],
    ["a.example:70000", /ports that are none/],
    ["a*.example", /is no name/],
    ["10.0.0.0/33", /no range of addresses/],
    ["10.0.0.0/x", /no range of addresses/],
    ["/(/", /^"\/\(\/": /],
  ] as const
) {
  Deno.test(`host pattern: ${JSON.stringify(text)} is none`, () => {
    assert.throws(() => parseHostPattern(text), { name: "TypeError", message: problem });
  });
}

Deno.test("agent dial: the addresses of a name are looked at, and the target is one of them", async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const target = { protocol: "tcp", host: "localhost", port: server.addr.port } as const;
  const dialBy = (rules: Rules) =>
    agentDial({ reach: reachBy(rules), connectTimeoutMs: 5_000 })(
      target,
      new AbortController().signal,
    );
  for (const rules of [{}, { allow: ["*"] }, { forbid: ["127.0.0.0/8", "::1"] }]) {
    await assert.rejects(dialBy(rules), { code: TunnelCode.FORBIDDEN_HOST });
  }
  const stream = await dialBy({ allow: ["127.0.0.0/8"] });
  stream.abort();
  server.close();
});
