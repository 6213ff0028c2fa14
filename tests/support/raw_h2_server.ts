// A server of HTTP/2 in clear text that sends what a test says, right or wrong.
import assert from "node:assert/strict";
import { HpackDecoder } from "../../src/protocol/hpack/decoder.ts";
import { HpackEncoder } from "../../src/protocol/hpack/encoder.ts";
import {
  CLIENT_PREFACE,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  frameTypeName,
  readFrameHeader,
} from "../../src/protocol/http2/frame.ts";
import { SettingId } from "../../src/protocol/http2/settings.ts";
import { ConnStream } from "../../src/net/tcp.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { h2Frame, h2Settings, SETTINGS_ACK } from "./h2_frames.ts";
import { Inbox } from "./inbox.ts";
import { tcpPair } from "./pair.ts";
import { within } from "./within.ts";

export interface SeenFrame {
  type: string;
  flags: number;
  streamId: number;
  payload: Uint8Array;
}

/** One connection, and its other end for a client. */
export class RawH2Server {
  readonly stream: ConnStream;
  readonly #conn: Deno.TcpConn;
  readonly #inbox: Inbox;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();

  private constructor(stream: ConnStream, conn: Deno.TcpConn) {
    this.stream = stream;
    this.#conn = conn;
    const own = new ConnStream(conn);
    this.#inbox = new Inbox("from the client", async () => (await own.read())?.slice() ?? null);
  }

  static async make(): Promise<RawH2Server> {
    const { stream, peer } = await tcpPair();
    return new RawH2Server(stream, peer);
  }

  async send(...parts: Uint8Array[]): Promise<void> {
    const bytes = concat(parts);
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** SETTINGS with RFC 8441, and the acknowledgement of the client's. */
  welcome(rows: readonly (readonly [number, number])[] = []): Promise<void> {
    const settings = h2Settings([[SettingId.ENABLE_CONNECT_PROTOCOL, 1], ...rows]);
    return this.send(settings, SETTINGS_ACK);
  }

  /** HEADERS. */
  head(streamId: number, fields: readonly Field[], endStream = false): Uint8Array {
    const flags = Flag.END_HEADERS | (endStream ? Flag.END_STREAM : 0);
    return h2Frame([FrameType.HEADERS, flags], streamId, this.#encoder.encode(fields));
  }

  async preface(): Promise<void> {
    assert.deepEqual(await this.#inbox.take(CLIENT_PREFACE.length), CLIENT_PREFACE);
  }

  async next(): Promise<SeenFrame> {
    const header = { length: 0, type: 0, flags: 0, streamId: 0 };
    readFrameHeader(await within("a frame", this.#inbox.take(FRAME_HEADER_BYTES)), 0, header);
    const { length, type, flags, streamId } = header;
    const payload = length === 0 ? new Uint8Array(0) : await this.#inbox.take(length);
    return { type: frameTypeName(type), flags, streamId, payload };
  }

  /** The next frame of that type; those before it are passed over. */
  async until(type: keyof typeof FrameType): Promise<SeenFrame> {
    for (;;) {
      const frame = await this.next();
      if (frame.type === type) return frame;
    }
  }

  /** What a HEADERS frame says. */
  fields({ payload }: SeenFrame): readonly Field[] {
    return this.#decoder.decode(payload, 65_536).fields;
  }

  fin(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }
}
