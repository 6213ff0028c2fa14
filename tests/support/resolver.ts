import type { Resolver } from "../../src/net/dns_https.ts";
import { dnsAnswer, type RawRecord } from "./dns_message.ts";

/** How a resolver of the tests answers. */
export interface ResolverOptions {
  records?: readonly RawRecord[];
  /** RCODE. */
  rcode?: number;
  /** By UDP it says that the answer does not fit. */
  truncated?: boolean;
  /** The first answer has another question's number. */
  forgeFirst?: boolean;
  silent?: boolean;
}

/** A resolver on the loopback; `asked` has the way that each question came. */
export async function withResolver(
  options: ResolverOptions,
  body: (resolver: Resolver, asked: string[]) => Promise<void>,
): Promise<void> {
  const { records = [], rcode = 0, truncated = false, forgeFirst = false, silent = false } =
    options;
  const asked: string[] = [];
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = tcp.addr;
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  const byUdp = async () => {
    for await (const [query, from] of udp) {
      asked.push("udp");
      if (silent) continue;
      const answer = dnsAnswer({ query, flags: rcode | (truncated ? 0x200 : 0), records });
      if (forgeFirst && asked.length === 1) answer[0] ^= 1;
      await udp.send(answer, from);
    }
  };
  const byTcp = async () => {
    for await (const conn of tcp) {
      asked.push("tcp");
      const buffer = new Uint8Array(1024);
      const count = await conn.read(buffer) ?? 0;
      const answer = dnsAnswer({ query: buffer.slice(2, count), records });
      // In two pieces, as TCP may.
      const framed = Uint8Array.of(answer.length >> 8, answer.length & 0xff, ...answer);
      await conn.write(framed.subarray(0, 1));
      await conn.write(framed.subarray(1));
      conn.close();
    }
  };
  const serving = [byUdp(), byTcp()];
  try {
    await body({ address: "127.0.0.1", port }, asked);
  } finally {
    udp.close();
    tcp.close();
    await Promise.all(serving);
  }
}
