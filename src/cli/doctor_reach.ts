import { isIP } from "node:net";
import { formatDuration } from "../config/units.ts";
import { dial } from "../net/dial.ts";
import { resolveHttps, type Resolver } from "../net/dns_https.ts";
import { messageOf } from "../net/error.ts";
import { addressesOf } from "../net/happy_eyeballs.ts";
import { DnsError, Rcode } from "../protocol/dns/error.ts";
import { type HttpsRecord, httpsRecordName } from "../protocol/dns/https_record.ts";
import { namer } from "../protocol/wire/names.ts";
import type { Context, DoctorProbe } from "./doctor_context.ts";
import { explain } from "./doctor_explain.ts";
import { count, fail, ms, ok, type Outcome, skip, warn } from "./doctor_finding.ts";
import { readSystem } from "./doctor_local.ts";

/** More addresses of a host are not tried. */
const MAX_ADDRESSES = 8;
const DNS_PORT = 53;
const rcodeName = namer(Rcode);

const dns: DoctorProbe = {
  id: "dns",
  title: "DNS",
  async run({ target: { hostname }, known }) {
    const beganMs = performance.now();
    const addresses = await addressesOf(hostname);
    known.addresses = addresses.slice(0, MAX_ADDRESSES);
    if (isIP(hostname) !== 0) return ok(`${hostname} is an address`);
    const more = addresses.length > MAX_ADDRESSES ? `, ${addresses.length} in all` : "";
    const took = ms(performance.now() - beganMs);
    return ok(`${known.addresses.join(", ")}${more} (${took})`);
  },
};

const httpsRecord: DoctorProbe = {
  id: "dns_https",
  title: "HTTPS record",
  late: (_, timeoutMs) => skip(`the resolver did not answer in ${formatDuration(timeoutMs)}`),
  async run(context, signal) {
    const { hostname, port, secure } = context.target;
    if (!secure) return skip("of use to wss:// alone");
    if (isIP(hostname) !== 0) return skip("an address has none");
    if (/(^|\.)localhost$/.test(hostname)) return skip("localhost has none");
    const resolver = context.config.resolver ?? await systemResolver();
    if (resolver === null) return skip("no resolver is known; --resolver names one");
    const name = httpsRecordName(hostname, port);
    try {
      const { rcode, records } = await resolveHttps(name, resolver, signal);
      if (rcode === Rcode.NXDOMAIN) return noRecord(name);
      if (rcode !== Rcode.NOERROR) return skip(`the resolver answered ${rcodeName(rcode)}`);
      return records.length === 0 ? noRecord(name) : recordsOutcome(records, context);
    } catch (error) {
      if (!(error instanceof DnsError)) {
        return skip(`the resolver can't be asked: ${messageOf(error)}`);
      }
      return warn(`the answer can't be read: ${error.message}`, "Have the record mended.");
    }
  },
};

function noRecord(name: string): Outcome {
  return ok("none", {
    details: [`a record of ${name} with alpn="h3,h2" tells browsers of HTTP/3 before they connect`],
  });
}

function recordsOutcome(records: readonly HttpsRecord[], { known, target }: Context): Outcome {
  const services = records.filter(({ priority }) => priority > 0);
  known.recordAlpn = services.flatMap(({ alpn }) => alpn);
  const details = records.map(recordText);
  if (services.length === 0) return ok(`an alias of ${records[0].target}`, { details });
  const value = `alpn ${[...new Set(known.recordAlpn)].join(", ") || "http/1.1"}`;
  const other = services.find(({ port }) => port !== null && port !== target.port);
  if (other === undefined) return ok(value, { details });
  return warn(
    `${value}, port ${other.port}`,
    `Make sure that port ${other.port} is open to everybody: browsers go there by the record.`,
    { details },
  );
}

function recordText(record: HttpsRecord): string {
  const { priority, target, alpn, port, ipv4Hints, ipv6Hints, ech, noDefaultAlpn } = record;
  return [
    `${priority} ${target}`,
    ...(alpn.length > 0 ? [`alpn=${alpn.join(",")}`] : []),
    ...(noDefaultAlpn ? ["no-default-alpn"] : []),
    ...(port === null ? [] : [`port=${port}`]),
    ...(ipv4Hints.length > 0 ? [`ipv4hint=${ipv4Hints.join(",")}`] : []),
    ...(ech ? ["ech"] : []),
    ...(ipv6Hints.length > 0 ? [`ipv6hint=${ipv6Hints.join(",")}`] : []),
  ].join(" ");
}

/** The first one of /etc/resolv.conf. */
async function systemResolver(): Promise<Resolver | null> {
  const text = await readSystem("/etc/resolv.conf");
  const address = text?.match(/^[ \t]*nameserver[ \t]+([0-9A-Fa-f:.]+)/m)?.[1];
  return address === undefined || isIP(address) === 0 ? null : { address, port: DNS_PORT };
}

interface Tried {
  readonly address: string;
  readonly tookMs: number;
  readonly failed: Outcome | null;
}

const tcp: DoctorProbe = {
  id: "tcp",
  title: "TCP",
  needs: ["dns"],
  async run({ target, known, config }, signal) {
    // Each has as long, so that one that is silent does not hide what the others do.
    const own = AbortSignal.any([signal, AbortSignal.timeout(config.timeoutMs * 0.9)]);
    const tried = await Promise.all(
      known.addresses.map((address) => tryTcp(address, target.port, own)),
    );
    const details = tried.length < 2
      ? []
      : tried.map(({ address, tookMs, failed }) =>
        `${address}: ${failed === null ? ms(tookMs) : failed.value}`
      );
    const good = tried.filter(({ failed }) => failed === null);
    const bad = tried.find(({ failed }) => failed !== null);
    const where = `port ${target.port}`;
    if (good.length === 0) {
      const { value, advice = "" } = bad!.failed!;
      return fail(`${where}: ${value}`, advice, { details });
    }
    const value = `${where} of ${good[0].address} in ${ms(good[0].tookMs)}`;
    if (bad === undefined) return ok(value, { details });
    return warn(
      `${value}, but ${count(tried.length - good.length, "address")} of ${tried.length} failed`,
      `Serve on ${bad.address} too, or take it out of the DNS: browsers lose time there.`,
      { details },
    );
  },
};

async function tryTcp(hostname: string, port: number, signal: AbortSignal): Promise<Tried> {
  const beganMs = performance.now();
  const took = () => performance.now() - beganMs;
  try {
    (await dial({ hostname, port }, signal)).abort();
    return { address: hostname, tookMs: took(), failed: null };
  } catch (error) {
    const failed = signal.aborted
      ? fail("no answer", "See whether a firewall drops what is sent to it.")
      : explain(error, 0);
    return { address: hostname, tookMs: took(), failed };
  }
}

/** The way to the server, below TLS and QUIC. */
export const reachProbes: readonly DoctorProbe[] = [dns, httpsRecord, tcp];
