import assert from "node:assert/strict";
import { hasUdpSocket, interfaceTo } from "../../src/cli/doctor_proc.ts";
import { findingTable } from "../../src/cli/doctor_table.ts";
import type { Finding } from "../../src/cli/doctor_finding.ts";

const ROUTES4 = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
`;
const ZEROS = "0".repeat(32);
const ROUTES6 = `20010db8${"0".repeat(24)} 20 ${ZEROS} 00 ${ZEROS} 00000100 1 0 00000001     eth0
${"0".repeat(31)}1 80 ${ZEROS} 00 ${ZEROS} 00000000 1 0 80200001       lo
${ZEROS} 00 ${ZEROS} 00 fe80${"0".repeat(27)}1 00000400 1 0 00000003    wlan0
`;

const WAYS: [address: string, want: string | null][] = [
  ["127.0.0.1", "lo"],
  ["192.168.1.9", "eth0"],
  ["192.0.2.1", "eth0"],
  ["10.255.0.1", "tun0"],
  ["::1", "lo"],
  ["2001:db8::5", "eth0"],
  ["2001:db9::5", "wlan0"],
  ["fe80::1%eth0", "wlan0"],
  ["no address", null],
];

Deno.test("doctor: the interface that leads to an address, by Linux's tables", () => {
  for (const [address, want] of WAYS) {
    assert.equal(interfaceTo(address, { ipv4: ROUTES4, ipv6: ROUTES6 }), want, address);
  }
  for (const [address] of WAYS) {
    assert.equal(interfaceTo(address, { ipv4: null, ipv6: null }), null);
  }
});

const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
  12: 0100007F:20FB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0
`;

Deno.test("doctor: whether somebody has a UDP port, by Linux's table", () => {
  assert.ok(hasUdpSocket(UDP, 8443));
  assert.ok(!hasUdpSocket(UDP, 8444));
  assert.ok(!hasUdpSocket(UDP, 0), "nobody's peer");
  assert.ok(!hasUdpSocket("", 8443));
});

const FINDINGS: Finding[] = [
  { id: "a", level: "ok", title: "A", value: "good", advice: "", details: ["x: 1", "y: \x1b[1m"] },
  { id: "b", level: "fail", title: "Longer", value: "bad\r\n", advice: "Do it.", details: [] },
];

function whole(colours: boolean): string {
  const table = findingTable(FINDINGS.map(({ title }) => title), colours);
  return FINDINGS.map(table.row).join("") + table.end(FINDINGS);
}

Deno.test("doctor: the table, with colours and without", () => {
  assert.equal(
    whole(false),
    "ok    A       good\n" +
      "              x: 1\n" +
      "              y: \\u001b[1m\n" +
      "fail  Longer  bad\\u000d\\u000a\n" +
      "              -> Do it.\n" +
      "\n2 findings: 1 fail, 0 warn, 1 ok, 0 skip\n",
  );
  const coloured = whole(true);
  assert.ok(coloured.startsWith("\x1b[32mok  \x1b[0m  A       good\n"));
  // deno-lint-ignore no-control-regex -- to see that nothing else has changed
  assert.equal(coloured.replace(/\x1b\[\d+m/g, ""), whole(false));
});
