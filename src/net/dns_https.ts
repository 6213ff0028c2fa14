import { DnsError } from "../protocol/dns/error.ts";
import {
  decodeHttpsAnswer,
  encodeHttpsQuery,
  type HttpsAnswer,
  isAnswerTo,
} from "../protocol/dns/https_record.ts";
import { concat } from "../protocol/wire/bytes.ts";
import { askUdp } from "./ask_udp.ts";
import type { ByteStream } from "./byte_stream.ts";
import { dial } from "./dial.ts";
import { NetError } from "./error.ts";

/** Who is asked for records. */
export interface Resolver {
  /** An IP address, IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
}

const PREFIX_BYTES = 2;

/**
 * Asks a resolver for the HTTPS records of a name (RFC 9460), which Deno's own resolver has no way
 * to do: by UDP, and by TCP where the answer does not fit (RFC 7766).
 *
 * @throws {NetError} where it does not answer
 * @throws {DnsError} where its answer can't be read
 */
export async function resolveHttps(
  name: string,
  { address, port }: Resolver,
  signal: AbortSignal,
): Promise<HttpsAnswer> {
  const query = encodeHttpsQuery(name, crypto.getRandomValues(new Uint16Array(1))[0]);
  const read = (bytes: Uint8Array) => isAnswerTo(bytes, query) ? decodeHttpsAnswer(bytes) : null;
  const answer = await askUdp({ address, port, datagram: query, read, signal });
  if (!answer.truncated) return answer;
  const stream = await dial({ hostname: address, port }, signal);
  const giveUp = () => stream.abort();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await askStream(stream, query);
  } catch (error) {
    throw signal.aborted ? new NetError("timeout", "no answer by TCP", error) : error;
  } finally {
    signal.removeEventListener("abort", giveUp);
    stream.abort();
  }
}

/** RFC 1035 §4.2.2: by TCP each message stands behind its length, in two bytes. */
async function askStream(stream: ByteStream, query: Uint8Array): Promise<HttpsAnswer> {
  const framed = new Uint8Array(PREFIX_BYTES + query.length);
  new DataView(framed.buffer).setUint16(0, query.length);
  framed.set(query, PREFIX_BYTES);
  await stream.write(framed);
  let got: Uint8Array = new Uint8Array(0);
  for (;;) {
    const length = got.length < PREFIX_BYTES ? Infinity : (got[0] << 8) | got[1];
    if (got.length >= PREFIX_BYTES + length) {
      const message = got.subarray(PREFIX_BYTES, PREFIX_BYTES + length);
      if (!isAnswerTo(message, query)) throw new DnsError("The answer is one to another question");
      return decodeHttpsAnswer(message);
    }
    const chunk = await stream.read();
    if (chunk === null) throw new NetError("lost", "the resolver closed the connection");
    got = concat([got, chunk.slice()], got.length + chunk.length);
  }
}
