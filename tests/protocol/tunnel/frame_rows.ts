// Frames as they are on the wire, and what they mean.
import type { Auth, Authed } from "../../../src/protocol/tunnel/auth.ts";
import type { Frame } from "../../../src/protocol/tunnel/frame.ts";
import { hex, textHex } from "./frames.ts";

export interface FrameRow {
  readonly name: string;
  readonly hex: string;
  readonly want: Frame;
}

const AUTH: Auth = {
  version: 1,
  clientId: "a1",
  login: { username: "u", password: "" },
  group: "eu",
  agent: "h3ws/1",
  openPorts: [{ protocol: "udp", remotePort: 53, localHost: "::1", localPort: 5353 }],
  maxConns: 9,
};
const AUTH_JSON = '{"version":1,"client_id":"a1","username":"u","password":"","group":"eu",' +
  '"agent":"h3ws/1","open_ports":[{"protocol":"udp","remote_port":53,"local_host":"::1",' +
  '"local_port":5353}],"max_conns":9}';

const NO: Authed = {
  success: false,
  message: "No",
  code: 1,
  session: null,
  heartbeatMs: null,
  refusedPorts: [],
};
const YES: Authed = {
  success: true,
  message: "",
  code: null,
  session: "s7",
  heartbeatMs: 20_000,
  refusedPorts: [],
};

const v6 = "2001:db8::1";
const long = "a".repeat(255);

/** Each in the form that is written here. */
export const frames: readonly FrameRow[] = [
  { name: "AUTH", hex: `01 00 ${textHex(AUTH_JSON)}`, want: { type: "auth", auth: AUTH } },
  {
    name: "AUTHED that refuses",
    hex: `02 00 ${textHex('{"success":false,"message":"No","code":"AUTH_FAILED"}')}`,
    want: { type: "authed", authed: NO },
  },
  {
    name: "AUTHED",
    hex: `02 00 ${textHex('{"success":true,"message":"","session":"s7","heartbeat_ms":20000}')}`,
    want: { type: "authed", authed: YES },
  },
  {
    name: "OPEN to a name",
    hex: `03 01 01 (262144) 80040000 0050 09 ${textHex("a.example")}`,
    want: open({ id: 1, windowBytes: 262_144, host: "a.example", port: 80 }),
  },
  {
    name: "OPEN to an IPv6 address by UDP",
    hex: `03 7fff 02 00 ffff 0b ${textHex(v6)}`,
    want: open({ id: 0x3fff, protocol: "udp", windowBytes: 0, host: v6, port: 65_535 }),
  },
  {
    name: "OPEN to the longest name, with the largest window",
    hex: `03 02 01 c00000007fffffff 0001 40ff ${textHex(long)}`,
    want: open({ id: 2, windowBytes: 0x7fffffff, host: long, port: 1 }),
  },
  {
    name: "OPEN to a name that is not ASCII",
    hex: "03 02 01 05 0001 07 c3a92e74657374",
    want: open({ id: 2, windowBytes: 5, host: "é.test", port: 1 }),
  },
  { name: "OPENED", hex: "04 05 4100", want: { type: "opened", id: 5, windowBytes: 256 } },
  {
    name: "REFUSED",
    hex: `05 05 04 ${textHex("No way")}`,
    want: { type: "refused", id: 5, code: 4, message: "No way" },
  },
  {
    name: "REFUSED without a message",
    hex: "05 05 03",
    want: { type: "refused", id: 5, code: 3, message: "" },
  },
  { name: "DATA", hex: "06 05 00ff61", want: { type: "data", id: 5, bytes: hex("00ff61") } },
  { name: "DATA of nothing", hex: "06 05", want: { type: "data", id: 5, bytes: hex("") } },
  {
    name: "DATA on the last stream there can be",
    hex: "06 c01fffffffffffff 61",
    want: { type: "data", id: Number.MAX_SAFE_INTEGER, bytes: hex("61") },
  },
  { name: "CREDIT", hex: "07 4040 01", want: { type: "credit", id: 64, bytes: 1 } },
  { name: "FIN", hex: "08 05", want: { type: "fin", id: 5 } },
  {
    name: "RESET",
    hex: `09 05 06 ${textHex("é")}`,
    want: { type: "reset", id: 5, code: 6, message: "é" },
  },
  {
    name: "PING",
    hex: "0a 00 0001020304050607",
    want: { type: "ping", payload: hex("0001020304050607") },
  },
  {
    name: "PONG",
    hex: "0b 00 ffffffffffffffff",
    want: { type: "pong", payload: hex("ffffffffffffffff") },
  },
  { name: "DRAIN", hex: "0c 00 7530", want: { type: "drain", ms: 0x3530 } },
];

/** Those that come in another form than they are written in. */
export const otherForms: readonly FrameRow[] = [
  { name: "varints longer than need be", hex: "04 4005 80000001", want: opened(5, 1) },
  {
    // RFC 9113 §7: unknown error codes may be treated as INTERNAL_ERROR.
    name: "RESET with a code of a later version",
    hex: "09 05 63",
    want: { type: "reset", id: 5, code: 6, message: "" },
  },
  {
    name: "AUTHED that refuses with a code of a later version",
    hex: `02 00 ${textHex('{"success":false,"message":"No","code":"TOO_OLD","more":[1]}')}`,
    want: { type: "authed", authed: NO },
  },
];

function opened(id: number, windowBytes: number): Frame {
  return { type: "opened", id, windowBytes };
}

type Open = Extract<Frame, { type: "open" }>;

function open(row: Omit<Open, "type" | "protocol"> & { protocol?: "udp" }): Frame {
  return { type: "open", protocol: "tcp", ...row };
}

/** What is no frame, and what is wrong with it. */
export const faults: readonly { name: string; hex: string; want: RegExp }[] = [
  { name: "nothing", hex: "", want: /Empty frame/ },
  { name: "type 0", hex: "00 00", want: /unknown type 0x0/ },
  { name: "the first type that is not known", hex: "0d 00", want: /unknown type 0xd/ },
  { name: "the last type that is not ignored", hex: "3f 00", want: /unknown type 0x3f/ },
  { name: "a type alone", hex: "06", want: /DATA is cut off/ },
  { name: "half an identifier", hex: "06 40", want: /DATA is cut off/ },
  { name: "an identifier above 2^53-1", hex: "06 c020000000000000", want: /DATA on stream/ },
  { name: "AUTH on a stream", hex: "01 01 7b7d", want: /AUTH on stream 1/ },
  { name: "AUTHED on a stream", hex: "02 01 7b7d", want: /AUTHED on stream 1/ },
  { name: "OPEN on the link", hex: "03 00 01 00 0001 01 61", want: /OPEN on stream 0/ },
  { name: "OPENED on the link", hex: "04 00 01", want: /OPENED on stream 0/ },
  { name: "REFUSED on the link", hex: "05 00 01", want: /REFUSED on stream 0/ },
  { name: "DATA on the link", hex: "06 00 61", want: /DATA on stream 0/ },
  { name: "CREDIT on the link", hex: "07 00 01", want: /CREDIT on stream 0/ },
  { name: "FIN on the link", hex: "08 00", want: /FIN on stream 0/ },
  { name: "RESET on the link", hex: "09 00 01", want: /RESET on stream 0/ },
  { name: "PING on a stream", hex: "0a 01 0001020304050607", want: /PING on stream 1/ },
  { name: "PONG on a stream", hex: "0b 01 0001020304050607", want: /PONG on stream 1/ },
  { name: "DRAIN on a stream", hex: "0c 01 00", want: /DRAIN on stream 1/ },
  { name: "OPEN of protocol 0", hex: "03 01 00 00 0001 01 61", want: /unknown protocol 0/ },
  { name: "OPEN of protocol 3", hex: "03 01 03 00 0001 01 61", want: /unknown protocol 3/ },
  { name: "OPEN to port 0", hex: "03 01 01 00 0000 01 61", want: /OPEN: Port 0/ },
  { name: "OPEN to nobody", hex: "03 01 01 00 0001 00", want: /Host that is none/ },
  {
    name: "OPEN to 256 bytes",
    hex: `03 01 01 00 0001 4100 ${"61".repeat(256)}`,
    want: /Host that is none/,
  },
  { name: "OPEN to a blank", hex: "03 01 01 00 0001 01 20", want: /Host that is none/ },
  { name: "OPEN to a NUL", hex: "03 01 01 00 0001 02 6100", want: /Host that is none/ },
  { name: "OPEN to a DEL", hex: "03 01 01 00 0001 01 7f", want: /Host that is none/ },
  { name: "OPEN to broken UTF-8", hex: "03 01 01 00 0001 01 ff", want: /OPEN .* not UTF-8/ },
  { name: "OPEN with a long window", hex: "03 01 01 80000000", want: /OPEN is cut off/ },
  {
    name: "OPEN with a window above 2^31-1",
    hex: "03 01 01 c000000080000000 0001 01 61",
    want: /OPEN with the number 2147483648/,
  },
  { name: "OPEN without a port", hex: "03 01 01 00", want: /OPEN is cut off/ },
  { name: "OPEN with half a port", hex: "03 01 01 00 00", want: /OPEN is cut off/ },
  { name: "OPEN without a host", hex: "03 01 01 00 0001", want: /OPEN is cut off/ },
  { name: "OPEN with half a host", hex: "03 01 01 00 0001 02 61", want: /OPEN is cut off/ },
  { name: "OPEN with more", hex: "03 01 01 00 0001 01 61 00", want: /OPEN with bytes behind/ },
  { name: "OPENED without a window", hex: "04 01", want: /OPENED is cut off/ },
  { name: "OPENED with half a window", hex: "04 01 40", want: /OPENED is cut off/ },
  { name: "OPENED with more", hex: "04 01 01 00", want: /OPENED with bytes behind/ },
  { name: "REFUSED without a code", hex: "05 01", want: /REFUSED is cut off/ },
  { name: "REFUSED with broken UTF-8", hex: "05 01 01 c3", want: /REFUSED .* not UTF-8/ },
  {
    name: "REFUSED with 1025 bytes of message",
    hex: `05 01 01 ${"61".repeat(1025)}`,
    want: /REFUSED of 1025 bytes is too long/,
  },
  { name: "CREDIT of 0", hex: "07 01 00", want: /CREDIT of 0 bytes/ },
  { name: "CREDIT of nothing", hex: "07 01", want: /CREDIT is cut off/ },
  { name: "CREDIT above 2^31-1", hex: "07 01 c000000080000000", want: /CREDIT with the number/ },
  { name: "CREDIT with more", hex: "07 01 01 01", want: /CREDIT with bytes behind/ },
  { name: "FIN with more", hex: "08 01 61", want: /FIN with bytes behind/ },
  { name: "RESET without a code", hex: "09 01", want: /RESET is cut off/ },
  { name: "PING of 7 bytes", hex: "0a 00 00010203040506", want: /PING of 7 bytes/ },
  { name: "PING of 9 bytes", hex: "0a 00 000102030405060708", want: /PING of 9 bytes/ },
  { name: "PONG of nothing", hex: "0b 00", want: /PONG of 0 bytes/ },
  { name: "DRAIN of nothing", hex: "0c 00", want: /DRAIN is cut off/ },
  { name: "DRAIN above 2^31-1", hex: "0c 00 c000000080000000", want: /DRAIN with the number/ },
  { name: "AUTH of no JSON", hex: "01 00 7b", want: /AUTH must be JSON/ },
  { name: "AUTH of broken UTF-8", hex: "01 00 ff", want: /AUTH .* not UTF-8/ },
  { name: "AUTHED of nothing", hex: "02 00", want: /AUTHED must be JSON/ },
];
