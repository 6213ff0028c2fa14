import { namer } from "../wire/names.ts";
import { readVarint, varintSize, varintSizeAt, writeVarint } from "../wire/varint.ts";
import { H3Code, H3Error } from "./codes.ts";

/** RFC 9114 §7.2.4.1, RFC 9204 §5, RFC 9220 §3, RFC 9297 §2.1.1. */
export const SettingId = {
  QPACK_MAX_TABLE_CAPACITY: 0x1,
  MAX_FIELD_SECTION_SIZE: 0x6,
  QPACK_BLOCKED_STREAMS: 0x7,
  ENABLE_CONNECT_PROTOCOL: 0x8,
  H3_DATAGRAM: 0x33,
} as const;

export type SettingId = typeof SettingId[keyof typeof SettingId];

/** What one end said of itself; the defaults are what holds when it says nothing. */
export interface Settings {
  /** In bytes, counted as RFC 9114 §4.2.2 says; `null` for no limit. */
  maxFieldSectionSize: number | null;
  enableConnectProtocol: boolean;
  qpackMaxTableCapacity: number;
  qpackBlockedStreams: number;
  h3Datagram: boolean;
  /** Identifier and value of others, in order; of a peer's, the first `MAX_UNKNOWN` alone. */
  unknown: [id: number, value: number][];
}

/** RFC 9114 §7.2.4: unknown settings are ignored; that a peer sends some may be worth knowing. */
export const MAX_UNKNOWN = 4;

/** The RFC's name of a setting, or its number in hex. */
export const settingName: (value: number) => string = namer(SettingId);

/** The settings of a peer that sends an empty SETTINGS frame. */
export function defaultSettings(): Settings {
  return {
    maxFieldSectionSize: null,
    enableConnectProtocol: false,
    qpackMaxTableCapacity: 0,
    qpackBlockedStreams: 0,
    h3Datagram: false,
    unknown: [],
  };
}

/**
 * RFC 9114 §7.2.4: decodes the payload of a SETTINGS frame.
 *
 * @throws {H3Error} H3_SETTINGS_ERROR or H3_FRAME_ERROR, of the connection
 */
export function decodeSettings(payload: Uint8Array): Settings {
  const settings = defaultSettings();
  const seen = new Set<number>();
  let at = 0;
  while (at < payload.length) {
    const valueAt = behindVarint(payload, at);
    const behind = behindVarint(payload, valueAt);
    const id = readVarint(payload, at);
    // RFC 9114 §7.2.4: the same setting MUST NOT occur more than once. (An identifier above 2^53-1
    // is not exact, so two of them that look alike may differ.)
    if (seen.has(id)) throw settingsError(`Duplicate setting ${settingName(id)}`);
    if (Number.isSafeInteger(id)) seen.add(id);
    setOne(settings, id, readVarint(payload, valueAt));
    at = behind;
  }
  return settings;
}

/** RFC 9114 §7.1: a payload that ends before its fields is H3_FRAME_ERROR. */
function behindVarint(payload: Uint8Array, at: number): number {
  const behind = at < payload.length ? at + varintSizeAt(payload[at]) : Infinity;
  if (behind > payload.length) {
    throw new H3Error(H3Code.H3_FRAME_ERROR, "connection", "SETTINGS ends inside a setting");
  }
  return behind;
}

function setOne(settings: Settings, id: number, value: number): void {
  switch (id) {
    case SettingId.QPACK_MAX_TABLE_CAPACITY:
      settings.qpackMaxTableCapacity = value;
      return;
    case SettingId.MAX_FIELD_SECTION_SIZE:
      settings.maxFieldSectionSize = value;
      return;
    case SettingId.QPACK_BLOCKED_STREAMS:
      settings.qpackBlockedStreams = value;
      return;
    case SettingId.ENABLE_CONNECT_PROTOCOL:
      // RFC 8441 §3: the value MUST be 0 or 1.
      settings.enableConnectProtocol = readFlag(id, value);
      return;
    case SettingId.H3_DATAGRAM:
      // RFC 9297 §2.1.1: the value MUST be 0 or 1.
      settings.h3Datagram = readFlag(id, value);
      return;
  }
  // RFC 9114 §7.2.4.1: settings of HTTP/2 that have no meaning here are H3_SETTINGS_ERROR.
  if (id >= 0x2 && id <= 0x5) throw settingsError(`Setting ${settingName(id)} is of HTTP/2`);
  if (settings.unknown.length < MAX_UNKNOWN) settings.unknown.push([id, value]);
}

function readFlag(id: number, value: number): boolean {
  if (value > 1) throw settingsError(`Setting ${settingName(id)} is ${value}, not 0 or 1`);
  return value === 1;
}

/** The payload of a SETTINGS frame; what is not given or has its default is left out. */
export function encodeSettings(settings: Partial<Settings>): Uint8Array {
  const rows: [number, number][] = [];
  if (settings.qpackMaxTableCapacity) {
    rows.push([SettingId.QPACK_MAX_TABLE_CAPACITY, settings.qpackMaxTableCapacity]);
  }
  if (settings.maxFieldSectionSize !== undefined && settings.maxFieldSectionSize !== null) {
    rows.push([SettingId.MAX_FIELD_SECTION_SIZE, settings.maxFieldSectionSize]);
  }
  if (settings.qpackBlockedStreams) {
    rows.push([SettingId.QPACK_BLOCKED_STREAMS, settings.qpackBlockedStreams]);
  }
  if (settings.enableConnectProtocol) rows.push([SettingId.ENABLE_CONNECT_PROTOCOL, 1]);
  if (settings.h3Datagram) rows.push([SettingId.H3_DATAGRAM, 1]);
  rows.push(...settings.unknown ?? []);

  const size = rows.reduce((sum, [id, value]) => sum + varintSize(id) + varintSize(value), 0);
  const out = new Uint8Array(size);
  let at = 0;
  for (const [id, value] of rows) at = writeVarint(out, writeVarint(out, at, id), value);
  return out;
}

/**
 * RFC 9114 §7.2.4.1: a setting of the form 0x1f * N + 0x21, which means nothing, to be sent as
 * `unknown` so that peers stay used to such. `random` is any whole number from 0 to 2^32-1.
 */
export function greaseSettings(random: number): [id: number, value: number][] {
  return [[0x1f * random + 0x21, random % 0x100]];
}

function settingsError(message: string): H3Error {
  return new H3Error(H3Code.H3_SETTINGS_ERROR, "connection", message);
}
