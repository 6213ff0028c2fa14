import { DnsError, Rcode } from "./error.ts";
import { encodeName, readName } from "./name.ts";
import { readSvcParams, type SvcParams, uint16 } from "./svc_params.ts";

/** RFC 9460 §14.1: the type of an HTTPS record; RFC 1035 §3.2.4: the Internet's class. */
const TYPE_HTTPS = 65;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
/** RFC 1035 §4.1.1 */
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
/** Records of one answer that are kept; nobody has as many. */
const MAX_RECORDS = 32;

/** Where else an origin is served, and what is spoken there (RFC 9460 §2). */
export interface HttpsRecord extends SvcParams {
  /** The least one goes first; 0 for an alias of `target`. */
  priority: number;
  /** "." for the name that was asked for. */
  target: string;
}

/** What a resolver answered. */
export interface HttpsAnswer {
  /** Whether it did not fit, and has to be asked for by TCP. */
  truncated: boolean;
  /** One of `Rcode`. */
  rcode: number;
  /** By priority. */
  records: HttpsRecord[];
}

/** RFC 9460 §9.1: the name that an origin's HTTPS records have. */
export function httpsRecordName(hostname: string, port: number): string {
  return port === 443 ? hostname : `_${port}._https.${hostname}`;
}

/**
 * The question for the HTTPS records of a name. `id` is any number of 16 bits.
 *
 * @throws {DnsError} for a name that can't stand in the DNS
 */
export function encodeHttpsQuery(name: string, id: number): Uint8Array {
  const encoded = encodeName(name);
  const out = new Uint8Array(HEADER_BYTES + encoded.length + 4);
  const view = new DataView(out.buffer);
  view.setUint16(0, id);
  view.setUint16(2, FLAG_RECURSION_DESIRED);
  view.setUint16(4, 1);
  out.set(encoded, HEADER_BYTES);
  view.setUint16(HEADER_BYTES + encoded.length, TYPE_HTTPS);
  view.setUint16(HEADER_BYTES + encoded.length + 2, CLASS_IN);
  return out;
}

/** Whether `message` answers `query`, and nothing else: RFC 5452 §9.1. */
export function isAnswerTo(message: Uint8Array, query: Uint8Array): boolean {
  if (message.length < query.length) return false;
  const flags = uint16(message, 2);
  if ((flags & FLAG_RESPONSE) === 0 || uint16(message, 0) !== uint16(query, 0)) return false;
  if (uint16(message, 4) !== 1) return false;
  for (let at = HEADER_BYTES; at < query.length; at++) {
    if (lowerCase(message[at]) !== lowerCase(query[at])) return false;
  }
  return true;
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/**
 * Reads the answer to `encodeHttpsQuery`.
 *
 * @throws {DnsError}
 */
export function decodeHttpsAnswer(message: Uint8Array): HttpsAnswer {
  if (message.length < HEADER_BYTES) throw new DnsError("The message is shorter than its header");
  const flags = uint16(message, 2);
  if ((flags & FLAG_RESPONSE) === 0) throw new DnsError("The message is no answer");
  const truncated = (flags & FLAG_TRUNCATED) !== 0;
  const rcode = flags & 0xf;
  // What is cut off has to be asked for again, as a whole.
  if (truncated || rcode !== Rcode.NOERROR) return { truncated, rcode, records: [] };
  let at = HEADER_BYTES;
  for (let left = uint16(message, 4); left > 0; left--) {
    at = readName(message, at).behind + 4;
    if (at > message.length) throw new DnsError("The message ends inside its question");
  }
  return { truncated, rcode, records: readRecords(message, at, uint16(message, 6)) };
}

function readRecords(message: Uint8Array, at: number, count: number): HttpsRecord[] {
  const records: HttpsRecord[] = [];
  for (let left = count; left > 0; left--) {
    const { behind } = readName(message, at);
    if (behind + 10 > message.length) throw new DnsError("The message ends inside a record");
    const from = behind + 10;
    at = from + uint16(message, behind + 8);
    if (at > message.length) throw new DnsError("The message ends inside a record");
    const isHttps = uint16(message, behind) === TYPE_HTTPS &&
      uint16(message, behind + 2) === CLASS_IN;
    // A CNAME or its signature may stand beside them.
    if (isHttps && records.length < MAX_RECORDS) {
      records.push(readRecord(message.subarray(from, at)));
    }
  }
  return records.sort((a, b) => a.priority - b.priority);
}

/** RFC 9460 §2.2: SvcPriority, TargetName (uncompressed), SvcParams. */
function readRecord(data: Uint8Array): HttpsRecord {
  if (data.length < 3) throw new DnsError("A record ends inside its priority");
  const { name, behind } = readName(data, 2, false);
  return { priority: uint16(data, 0), target: name, ...readSvcParams(data.subarray(behind)) };
}
