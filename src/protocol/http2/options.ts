import { DEFAULT_RATES, type Rates } from "./budget.ts";
import { MAX_MAX_FRAME_BYTES, MIN_MAX_FRAME_BYTES, type Role } from "./frame.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import type { Upgrade } from "./upgrade.ts";
import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from "./window.ts";

/** What we announce to the peer, and keep to. */
export interface LocalSettings {
  /** The most streams that the peer may have open; default 128. */
  maxConcurrentStreams: number;
  /** The most bytes of a stream that are not consumed; default 65535. */
  initialWindowBytes: number;
  /** The most bytes of all streams that are not consumed; default 1 MiB, at least 65535. */
  connectionWindowBytes: number;
  /** The longest frame that we take; default 16384, which is the least. */
  maxFrameBytes: number;
  /** The largest field section that we take, as RFC 9113 §6.5.2 counts it; default 65536. */
  maxHeaderBytes: number;
  /** The most fields of one field section; default 256. */
  maxFields: number;
  /** The dynamic table of the peer's HPACK encoder, and the largest of ours; default 4096. */
  headerTableBytes: number;
  /** RFC 8441 §3: whether requests may have :protocol; default, for a server, `true`. */
  enableConnectProtocol: boolean;
  /**
   * Whether requests that have it although they may not are given to who answers them (RFC 9113
   * §8.1.1: a server may answer what is malformed); default `false`.
   */
  givesUnaskedProtocol: boolean;
}

/** What we bear. Each that is passed ends the connection by ENHANCE_YOUR_CALM. */
export interface Limits extends Rates {
  /** The most CONTINUATION frames of one field block; default 64. CVE-2024-27316. */
  maxContinuations: number;
  /** The most bytes of answers that wait while the peer doesn't read; default 65536. */
  maxReplyBytes: number;
}

export interface Http2Options {
  /** Which end we are. */
  role: Role;
  settings?: Partial<LocalSettings>;
  limits?: Partial<Limits>;
  /** Server: what came by HTTP/1.1. The 101 was sent; the client's preface is still to come. */
  upgrade?: Upgrade;
}

/** A field block may be so many times as large, encoded, as what it may say. */
const BLOCK_FACTOR = 4;

/** All settings, those that are not given by their defaults. */
export function localSettings({ role, settings }: Http2Options): LocalSettings {
  const all: LocalSettings = {
    maxConcurrentStreams: 128,
    initialWindowBytes: DEFAULT_WINDOW_BYTES,
    connectionWindowBytes: 1 << 20,
    maxFrameBytes: MIN_MAX_FRAME_BYTES,
    maxHeaderBytes: 65536,
    maxFields: 256,
    headerTableBytes: 4096,
    enableConnectProtocol: role === "server",
    givesUnaskedProtocol: false,
    ...settings,
  };
  // RFC 9113 §6.9.2: the window of the connection can't be made smaller than it is at first.
  // §6.9.1: no window may exceed 2^31-1.
  const connection = Math.max(all.connectionWindowBytes, DEFAULT_WINDOW_BYTES);
  all.connectionWindowBytes = Math.min(connection, MAX_WINDOW_BYTES);
  all.initialWindowBytes = Math.min(all.initialWindowBytes, MAX_WINDOW_BYTES);
  // RFC 9113 §6.5.2: SETTINGS_MAX_FRAME_SIZE is from 2^14 to 2^24-1.
  const frame = Math.max(all.maxFrameBytes, MIN_MAX_FRAME_BYTES);
  all.maxFrameBytes = Math.min(frame, MAX_MAX_FRAME_BYTES);
  return all;
}

/** All limits, those that are not given by their defaults. */
export function allLimits({ limits }: Http2Options): Limits {
  return { ...DEFAULT_RATES, maxContinuations: 64, maxReplyBytes: 65536, ...limits };
}

/** What goes into our SETTINGS frame. */
export function announced(local: LocalSettings, role: Role): Settings {
  return {
    ...defaultSettings(),
    headerTableSize: local.headerTableBytes,
    // RFC 9113 §8.4: a client that wants no push says so.
    enablePush: false,
    // RFC 9113 §5.1.2: for a client, that limits pushed streams, of which there are none.
    maxConcurrentStreams: role === "server" ? local.maxConcurrentStreams : null,
    initialWindowSize: local.initialWindowBytes,
    maxFrameSize: local.maxFrameBytes,
    maxHeaderListSize: local.maxHeaderBytes,
    enableConnectProtocol: role === "server" && local.enableConnectProtocol,
  };
}

/** RFC 9113 §10.5.1: the longest encoded field block that is read, to answer 431 or to keep step. */
export function maxFieldBlockBytes({ maxHeaderBytes }: LocalSettings): number {
  return BLOCK_FACTOR * maxHeaderBytes;
}
