import { isIPv4, isIPv6 } from "node:net";
import type { DoctorProbe } from "./doctor_context.ts";
import { ok, skip, warn } from "./doctor_finding.ts";
import { interfaceTo } from "./doctor_proc.ts";

const NOT_LINUX = "known on Linux alone";
/** What QUIC servers ask for: a burst must fit while the process is busy. */
const GOOD_UDP_BYTES = 2_500_000;
/** RFC 9000 §14: 1200 bytes of UDP payload, below the headers of UDP and IPv6. */
const MIN_MTU = 1200 + 8 + 40;

/** Reads a file of the system's; `null` where there is none. */
export async function readSystem(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return null;
  }
}

const udpBuffers: DoctorProbe = {
  id: "local_udp",
  title: "UDP buffers here",
  async run() {
    const [receive, send] = await Promise.all(
      ["rmem_max", "wmem_max"].map(async (name) =>
        Number(await readSystem(`/proc/sys/net/core/${name}`) ?? NaN)
      ),
    );
    if (Number.isNaN(receive) || Number.isNaN(send)) return skip(NOT_LINUX);
    const value = `at most ${receive} bytes to receive, ${send} to send`;
    if (Math.min(receive, send) >= GOOD_UDP_BYTES) return ok(value);
    return warn(
      value,
      "If a QUIC server runs on this machine: sysctl -w net.core.rmem_max=7500000 " +
        "net.core.wmem_max=7500000.",
    );
  },
};

const mtu: DoctorProbe = {
  id: "local_mtu",
  title: "MTU of the way",
  needs: ["dns"],
  async run({ known }) {
    const [address] = known.addresses;
    const name = interfaceTo(address, {
      ipv4: isIPv4(address) ? await readSystem("/proc/net/route") : null,
      ipv6: isIPv6(address) ? await readSystem("/proc/net/ipv6_route") : null,
    });
    const text = name === null ? null : await readSystem(`/sys/class/net/${name}/mtu`);
    if (text === null) return skip("the interface of the way is not known");
    const bytes = Number(text);
    const value = `${bytes} bytes on ${name}`;
    if (bytes >= MIN_MTU) return ok(value);
    return warn(value, `Raise it to ${MIN_MTU} bytes or more, or QUIC can't go that way.`);
  },
};

const PROXY_VARIABLES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

const proxy: DoctorProbe = {
  id: "local_proxy",
  title: "HTTP proxy here",
  run({ env }) {
    const found = PROXY_VARIABLES.find((name) => env[name]);
    if (found === undefined) return ok("none is set");
    return warn(
      `${found} is set`,
      "The probes go directly; programs that go by the proxy need it to let CONNECT through, and " +
        "have no HTTP/3.",
    );
  },
};

/** What this machine brings along. */
export const localProbes: readonly DoctorProbe[] = [udpBuffers, mtu, proxy];
