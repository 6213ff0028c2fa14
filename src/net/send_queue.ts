// A system wakes who writes to a TCP socket only when a good part of its buffer is free, which may
// be megabytes: a peer that reads slowly but steadily then looks as if it read nothing. Linux tells
// in /proc/net how much of what was written the peer has not acknowledged.

import ipaddr from "ipaddr.js";

/** Both ends of a TCP connection of this machine's. */
export interface SocketEnds {
  readonly local: { readonly hostname: string; readonly port: number };
  readonly remote: { readonly hostname: string; readonly port: number };
}

/** So long one look at all sockets serves everyone. */
const FRESH_MS = 200;
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];

let looked: Promise<Map<string, number>> | null = null;

/** How many bytes the peer has not acknowledged; `null` where the system does not tell. */
export async function unsentBytes({ local, remote }: SocketEnds): Promise<number | null> {
  if (Deno.build.os !== "linux") return null;
  if (looked === null) {
    looked = lookAtAll();
    Deno.unrefTimer(setTimeout(() => looked = null, FRESH_MS));
  }
  return (await looked).get(`${endText(local)} ${endText(remote)}`) ?? null;
}

/** The send queues of all sockets that have something in them. */
async function lookAtAll(): Promise<Map<string, number>> {
  const queues = new Map<string, number>();
  for (const table of TABLES) {
    const text = await Deno.readTextFile(table).catch(() => "");
    for (const [, local, remote, unsent] of text.matchAll(LINE)) {
      const bytes = parseInt(unsent, 16);
      if (bytes > 0) queues.set(`${withoutPrefix(local)} ${withoutPrefix(remote)}`, bytes);
    }
  }
  return queues;
}

const LINE = /^ *\d+: ([0-9A-F]+:[0-9A-F]+) ([0-9A-F]+:[0-9A-F]+) [0-9A-F]+ ([0-9A-F]+):/gm;

/** RFC 4291 §2.5.5.2: IPv4 in IPv6, as the table has it. */
const MAPPED = "0000000000000000FFFF0000";

function withoutPrefix(end: string): string {
  return end.startsWith(MAPPED) ? end.slice(MAPPED.length) : end;
}

/** As the tables have it: words of 32 bits in the byte order of the machine, and the port. */
function endText({ hostname, port }: SocketEnds["local"]): string {
  const bytes = addressBytes(hostname);
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    text += bytes.slice(at, at + 4).reverse().map((byte) => hex(byte, 2)).join("");
  }
  return `${withoutPrefix(text)}:${hex(port, 4)}`;
}

function hex(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, "0");
}

function addressBytes(hostname: string): number[] {
  return ipaddr.isValid(hostname) ? ipaddr.parse(hostname).toByteArray() : [];
}
