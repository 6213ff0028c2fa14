import { namer } from "../wire/names.ts";
import { connectionError, H2Code, protocolError } from "./codes.ts";
import { MAX_MAX_FRAME_BYTES, MIN_MAX_FRAME_BYTES, readUint32, type Role } from "./frame.ts";
import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from "./window.ts";

/** RFC 9113 §6.5.2, RFC 8441 §3. */
export const SettingId = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
  ENABLE_CONNECT_PROTOCOL: 0x8,
} as const;

export type SettingId = typeof SettingId[keyof typeof SettingId];

/** What one end said of itself; the defaults are what holds when it says nothing. */
export interface Settings {
  headerTableSize: number;
  enablePush: boolean;
  /** `null` for no limit. */
  maxConcurrentStreams: number | null;
  initialWindowSize: number;
  maxFrameSize: number;
  /** In bytes, counted as RFC 9113 §6.5.2 says; `null` for no limit. */
  maxHeaderListSize: number | null;
  enableConnectProtocol: boolean;
}

/** RFC 9113 §6.5.1: Identifier (16), Value (32). */
export const SETTING_BYTES = 6;

/** The most settings of one frame: there are seven, and a sender may say each more than once. */
export const MAX_SETTINGS = 64;

/** The RFC's name of a setting, or its number in hex. */
export const settingName: (value: number) => string = namer(SettingId);

/** RFC 9113 §6.5.2: the initial values. */
export function defaultSettings(): Settings {
  return {
    headerTableSize: 4096,
    enablePush: true,
    maxConcurrentStreams: null,
    initialWindowSize: DEFAULT_WINDOW_BYTES,
    maxFrameSize: MIN_MAX_FRAME_BYTES,
    maxHeaderListSize: null,
    enableConnectProtocol: false,
  };
}

/**
 * RFC 9113 §6.5.3: applies the payload of the peer's SETTINGS frame, whose length is a multiple of
 * 6, in the order in which its values appear. `role` is ours. `changed` is told of each value.
 *
 * @throws {H2Error} PROTOCOL_ERROR or FLOW_CONTROL_ERROR, of the connection
 */
export function applySettings(
  settings: Settings,
  payload: Uint8Array,
  { role, changed }: { role: Role; changed?: (id: number, value: number) => void },
): void {
  for (let at = 0; at < payload.length; at += SETTING_BYTES) {
    const id = (payload[at] << 8) | payload[at + 1];
    const value = readUint32(payload, at + 2);
    applyOne(settings, id, value);
    // RFC 9113 §6.5.2: a client MUST treat SETTINGS_ENABLE_PUSH set to 1 as PROTOCOL_ERROR.
    if (id === SettingId.ENABLE_PUSH && value === 1 && role === "client") {
      throw badValue(id, value);
    }
    changed?.(id, value);
  }
}

function applyOne(settings: Settings, id: number, value: number): void {
  switch (id) {
    case SettingId.HEADER_TABLE_SIZE:
      settings.headerTableSize = value;
      return;
    case SettingId.ENABLE_PUSH:
      // RFC 9113 §6.5.2: any value other than 0 or 1 is PROTOCOL_ERROR.
      settings.enablePush = readFlag(id, value);
      return;
    case SettingId.MAX_CONCURRENT_STREAMS:
      settings.maxConcurrentStreams = value;
      return;
    case SettingId.INITIAL_WINDOW_SIZE:
      // RFC 9113 §6.5.2: values above 2^31-1 are FLOW_CONTROL_ERROR.
      if (value > MAX_WINDOW_BYTES) {
        throw connectionError(H2Code.FLOW_CONTROL_ERROR, `${settingName(id)} is ${value}`);
      }
      settings.initialWindowSize = value;
      return;
    case SettingId.MAX_FRAME_SIZE:
      // RFC 9113 §6.5.2: values outside of 2^14 to 2^24-1 are PROTOCOL_ERROR.
      if (value < MIN_MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) throw badValue(id, value);
      settings.maxFrameSize = value;
      return;
    case SettingId.MAX_HEADER_LIST_SIZE:
      settings.maxHeaderListSize = value;
      return;
    case SettingId.ENABLE_CONNECT_PROTOCOL:
      // RFC 8441 §3: the value MUST be 0 or 1, and MUST NOT be 0 after it was 1.
      if (settings.enableConnectProtocol && value === 0) throw badValue(id, value);
      settings.enableConnectProtocol = readFlag(id, value);
  }
  // RFC 9113 §6.5.2: unknown settings MUST be ignored.
}

function readFlag(id: number, value: number): boolean {
  if (value > 1) throw badValue(id, value);
  return value === 1;
}

/** Identifier and value of each of our settings that is not the default. `role` is ours. */
export function settingRows(settings: Settings, role: Role): [id: SettingId, value: number][] {
  const initial = defaultSettings();
  const rows: [SettingId, number][] = [];
  const add = (id: SettingId, value: number | null, other: number | null) => {
    if (value !== null && value !== other) rows.push([id, value]);
  };
  add(SettingId.HEADER_TABLE_SIZE, settings.headerTableSize, initial.headerTableSize);
  // RFC 9113 §6.5.2: for a server, the initial value is equivalent to 0.
  if (role === "client" && !settings.enablePush) rows.push([SettingId.ENABLE_PUSH, 0]);
  add(SettingId.MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams, null);
  add(SettingId.INITIAL_WINDOW_SIZE, settings.initialWindowSize, initial.initialWindowSize);
  add(SettingId.MAX_FRAME_SIZE, settings.maxFrameSize, initial.maxFrameSize);
  add(SettingId.MAX_HEADER_LIST_SIZE, settings.maxHeaderListSize, null);
  if (settings.enableConnectProtocol) rows.push([SettingId.ENABLE_CONNECT_PROTOCOL, 1]);
  return rows;
}

function badValue(id: number, value: number) {
  return protocolError(`${settingName(id)} is ${value}`);
}
