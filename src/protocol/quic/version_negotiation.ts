// RFC 8999: what holds for every version of QUIC. Whoever is asked for a version that does not exist
// tells those that it speaks (RFC 9000 §6), before any cryptography.
import { PeerError } from "../wire/error.ts";
import { namer } from "../wire/names.ts";

/** RFC 9000 §15, RFC 9369 §3.1 */
export const QuicVersion = { v1: 0x00000001, v2: 0x6b3343cf } as const;

/** RFC 9000 §20.1: PROTOCOL_VIOLATION. */
const PROTOCOL_VIOLATION = 0xa;
/** RFC 9000 §14.1: a client's first datagram is no smaller. */
export const PROBE_BYTES = 1200;
const LONG_HEADER = 0x80;
const FIXED_BIT = 0x40;
/** RFC 9000 §15: of the form 0x?a?a?a?a, reserved to make servers tell their versions. */
const RESERVED_VERSION = 0x1a2a3a4a;
const ID_BYTES = 8;
/** Flags, version, and the lengths of both connection IDs. */
const MIN_BYTES = 7;

const nameOf = namer(QuicVersion);

/** "v1", "draft-29", or the number in hex. */
export function quicVersionName(version: number): string {
  return version >>> 8 === 0xff0000 ? `draft-${version & 0xff}` : nameOf(version);
}

/** Whether it means nothing (RFC 9000 §15): servers add such to their lists. */
export function isReservedVersion(version: number): boolean {
  return ((version & 0x0f0f0f0f) >>> 0) === 0x0a0a0a0a;
}

/** A datagram that any QUIC server answers with its versions. `ids` are 16 random bytes. */
export function versionProbe(ids: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(PROBE_BYTES);
  out[0] = LONG_HEADER | FIXED_BIT;
  new DataView(out.buffer).setUint32(1, RESERVED_VERSION);
  out[5] = ID_BYTES;
  out.set(ids.subarray(0, ID_BYTES), 6);
  out[6 + ID_BYTES] = ID_BYTES;
  out.set(ids.subarray(ID_BYTES, 2 * ID_BYTES), 7 + ID_BYTES);
  return out;
}

/**
 * The versions that a server tells, its reserved ones left out; `null` for what is no answer to a
 * probe with these `ids`.
 *
 * @throws {PeerError} PROTOCOL_VIOLATION for an answer that can't be read
 */
export function readVersions(datagram: Uint8Array, ids: Uint8Array): number[] | null {
  if (datagram.length < MIN_BYTES || (datagram[0] & LONG_HEADER) === 0) return null;
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  // RFC 8999 §6: the version of a Version Negotiation packet is 0.
  if (view.getUint32(1) !== 0) return null;
  const at = 7 + 2 * ID_BYTES;
  // RFC 8999 §6: both connection IDs are those of the client's packet, in turn.
  if (!isId(datagram, 5, ids.subarray(ID_BYTES, 2 * ID_BYTES))) return null;
  if (!isId(datagram, 6 + ID_BYTES, ids.subarray(0, ID_BYTES))) return null;
  if (datagram.length === at || (datagram.length - at) % 4 !== 0) {
    const message = "A Version Negotiation packet ends inside a version";
    throw new PeerError(PROTOCOL_VIOLATION, "connection", message);
  }
  const versions: number[] = [];
  for (let i = at; i < datagram.length; i += 4) versions.push(view.getUint32(i));
  return versions.filter((version) => !isReservedVersion(version));
}

function isId(datagram: Uint8Array, at: number, id: Uint8Array): boolean {
  return datagram[at] === ID_BYTES && at + 1 + ID_BYTES <= datagram.length &&
    id.every((byte, i) => datagram[at + 1 + i] === byte);
}
