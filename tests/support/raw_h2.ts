// A client over HTTP/2 that sends what a test says, right or wrong, and tells what came back.
import type * as net from "node:net";
import { HpackDecoder } from "../../src/protocol/hpack/decoder.ts";
import { HpackEncoder } from "../../src/protocol/hpack/encoder.ts";
import {
  CLIENT_PREFACE,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  readFrameHeader,
  readUint32,
} from "../../src/protocol/http2/frame.ts";
import { SettingId } from "../../src/protocol/http2/settings.ts";
import { DEFAULT_WINDOW_BYTES } from "../../src/protocol/http2/window.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { H2_PING, h2Frame, h2Get, h2Settings, h2Window, SETTINGS_ACK } from "./h2_frames.ts";
import { fromLatin1, latin1 } from "./inbox.ts";
import { connectRaw, type RawSocket, stopReading } from "./raw_socket.ts";
import { SeenStream } from "./seen_stream.ts";
import { until } from "./until.ts";
import { within } from "./within.ts";

export interface RawH2Options {
  port: number;
  /** By TLS, and whom it trusts. */
  caCerts?: readonly string[];
  /** Our SETTINGS. */
  settings?: readonly (readonly [id: number, value: number])[];
  /** Whether windows are opened as content comes; default `true`. */
  opensWindows?: boolean;
  /** In clear text: the request of HTTP/1.1 that asks for HTTP/2 (RFC 7540 §3.2). */
  upgrade?: string;
  /** How much of our preface goes with it in one packet, in bytes; default 0. */
  earlyBytes?: number;
}

/** What the connection's GOAWAY said. */
export interface SeenGoaway {
  lastStreamId: number;
  code: number;
  text: string;
}

export class RawH2 {
  readonly socket: net.Socket;
  readonly tcp: net.Socket;
  readonly closed: Promise<void>;
  /** Of each GOAWAY. */
  readonly goaways: SeenGoaway[] = [];
  /** What the server's SETTINGS say, by identifier. */
  readonly settings: Map<number, number> = new Map();
  /** Frames that acknowledge a PING. */
  pongs = 0;
  isClosed = false;
  /** Whether the server has acknowledged our SETTINGS. */
  isReady = false;
  /** The head of the answer to `upgrade`. */
  switching = "";
  #awaitsSwitching: boolean;
  readonly #preface: Uint8Array;
  readonly #streams = new Map<number, SeenStream>();
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();
  readonly #opensWindows: boolean;
  /** RFC 9113 §6.9: what we may send, by stream; 0 for the connection. */
  readonly #rooms = new Map<number, number>();
  #initialRoom = DEFAULT_WINDOW_BYTES;
  #pending: Uint8Array = new Uint8Array(0);
  #block: Uint8Array[] = [];
  #nextId = 1;

  private constructor({ socket, tcp }: RawSocket, options: RawH2Options) {
    this.socket = socket;
    this.tcp = tcp;
    this.#opensWindows = options.opensWindows ?? true;
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    socket.on("end", () => socket.end());
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.isClosed = true;
        resolve();
      });
    });
    const { upgrade, earlyBytes = 0 } = options;
    const preface = concat([CLIENT_PREFACE, h2Settings(options.settings ?? [])]);
    this.#awaitsSwitching = upgrade !== undefined;
    this.#preface = upgrade === undefined ? preface : preface.slice(earlyBytes);
    if (upgrade === undefined) {
      this.write(preface);
    } else {
      // Stream 1 is that of the request.
      this.#nextId = 3;
      this.write(fromLatin1(upgrade), preface.subarray(0, earlyBytes));
    }
  }

  /** Resolves when the SETTINGS of both sides are known. */
  static async connect(options: RawH2Options): Promise<RawH2> {
    const { port, caCerts } = options;
    const raw = connectRaw(port, { caCerts, alpn: "h2" });
    const { socket } = raw;
    const event = caCerts === undefined ? "connect" : "secureConnect";
    await within(
      "a connection by HTTP/2",
      new Promise<void>((resolve, reject) => {
        socket.once(event, () => resolve());
        socket.once("error", reject);
      }),
    );
    const client = new RawH2(raw, options);
    await until("SETTINGS", () => client.isReady || client.isClosed);
    return client;
  }

  write(...frames: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(concat(frames));
  }

  /** Resolves when the kernel has taken it, or the connection is gone. */
  writeAll(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) return resolve();
      const done = () => {
        this.socket.off("close", done);
        resolve();
      };
      this.socket.once("close", done);
      this.socket.write(bytes, done);
    });
  }

  /** The block of a field section: it must be sent, in the order in which blocks are made. */
  block(fields: readonly Field[]): Uint8Array {
    return this.#encoder.encode(fields);
  }

  /** A HEADERS frame, with END_HEADERS. */
  headers(streamId: number, fields: readonly Field[], end = true): Uint8Array {
    const flags = Flag.END_HEADERS | (end ? Flag.END_STREAM : 0);
    return h2Frame([FrameType.HEADERS, flags], streamId, this.block(fields));
  }

  /** How many bytes of DATA the server takes now, for who heeds its windows. */
  room(streamId: number): number {
    const ofStream = this.#initialRoom + (this.#rooms.get(streamId) ?? 0);
    return Math.max(0, Math.min(ofStream, DEFAULT_WINDOW_BYTES + (this.#rooms.get(0) ?? 0)));
  }

  /** So many bytes of DATA were sent. */
  sent(streamId: number, bytes: number): void {
    this.#opened(0, -bytes);
    this.#opened(streamId, -bytes);
  }

  #opened(streamId: number, bytes: number): void {
    this.#rooms.set(streamId, (this.#rooms.get(streamId) ?? 0) + bytes);
  }

  /** The next stream's identifier. */
  nextId(): number {
    this.#nextId += 2;
    return this.#nextId - 2;
  }

  /** A request without content, or with the frames that `more` makes behind its head. */
  request(fields: readonly Field[], more?: (id: number) => Uint8Array[]): number {
    const id = this.nextId();
    const head = this.headers(id, fields, more === undefined);
    this.write(head, ...(more?.(id) ?? []));
    return id;
  }

  stream(streamId: number): SeenStream {
    let stream = this.#streams.get(streamId);
    if (stream === undefined) this.#streams.set(streamId, stream = new SeenStream());
    return stream;
  }

  /** Waits until the stream has ended, in whatever way, or the connection has. */
  async over(streamId: number): Promise<SeenStream> {
    const stream = this.stream(streamId);
    await until(`the end of stream ${streamId}`, () => stream.isOver || this.isClosed);
    return stream;
  }

  /** Waits for the head of the answer. */
  async head(streamId: number): Promise<SeenStream> {
    const stream = this.stream(streamId);
    const test = () => stream.status !== null || stream.isOver || this.isClosed;
    await until(`an answer on stream ${streamId}`, test);
    return stream;
  }

  /** A GET, whole. */
  async get(path: string, fields: readonly Field[] = []): Promise<SeenStream> {
    return await this.over(this.request(h2Get(path, fields)));
  }

  /** Waits until all that was sent before has been read, which a PING shows. */
  async roundTrip(): Promise<void> {
    const { pongs } = this;
    this.write(H2_PING);
    await until("a PING's answer", () => this.pongs > pongs || this.isClosed);
  }

  /** Waits for the end of the connection, and gives the code of its GOAWAY; `null` for none. */
  async end(): Promise<number | null> {
    await within("the end of the connection", this.closed);
    return this.goaways.at(-1)?.code ?? null;
  }

  /** Takes nothing more in. */
  stopReading(): void {
    stopReading(this);
  }

  async close(): Promise<void> {
    this.socket.destroy();
    this.tcp.destroy();
    await this.closed;
  }

  #take(chunk: Uint8Array): void {
    this.#pending = concat([this.#pending, chunk]);
    if (this.#awaitsSwitching && !this.#switch()) return;
    const header = { length: 0, type: 0, flags: 0, streamId: 0 };
    let at = 0;
    while (this.#pending.length - at >= FRAME_HEADER_BYTES) {
      readFrameHeader(this.#pending, at, header);
      const end = at + FRAME_HEADER_BYTES + header.length;
      if (this.#pending.length < end) break;
      this.#frame(header, this.#pending.slice(at + FRAME_HEADER_BYTES, end));
      at = end;
    }
    this.#pending = this.#pending.slice(at);
  }

  /** Whether the answer's head is whole; behind a 101 our preface goes out. */
  #switch(): boolean {
    const text = latin1(this.#pending);
    const end = text.indexOf("\r\n\r\n") + 4;
    if (end < 4) return false;
    this.switching = text.slice(0, end);
    this.#pending = this.#pending.slice(end);
    this.#awaitsSwitching = false;
    if (this.switching.startsWith("HTTP/1.1 101 ")) this.write(this.#preface);
    return true;
  }

  #frame(
    { type, flags, streamId }: { type: number; flags: number; streamId: number },
    payload: Uint8Array,
  ): void {
    switch (type) {
      case FrameType.DATA:
        return this.#data(streamId, payload, flags);
      case FrameType.HEADERS:
        this.#block = [payload];
        if (flags & Flag.END_STREAM) this.stream(streamId).ended = true;
        return this.#section(streamId, flags);
      case FrameType.CONTINUATION:
        this.#block.push(payload);
        return this.#section(streamId, flags);
      case FrameType.RST_STREAM:
        this.stream(streamId).reset = readUint32(payload, 0);
        return;
      case FrameType.SETTINGS:
        if (flags & Flag.ACK) this.isReady = true;
        else this.#settings(payload);
        return;
      case FrameType.WINDOW_UPDATE:
        return this.#opened(streamId, readUint32(payload, 0));
      case FrameType.PING:
        if (flags & Flag.ACK) this.pongs++;
        else this.write(h2Frame([FrameType.PING, Flag.ACK], 0, payload));
        return;
      case FrameType.GOAWAY:
        this.goaways.push({
          lastStreamId: readUint32(payload, 0),
          code: readUint32(payload, 4),
          text: latin1(payload.subarray(8)),
        });
    }
  }

  #settings(payload: Uint8Array): void {
    for (let at = 0; at < payload.length; at += 6) {
      const id = payload[at] << 8 | payload[at + 1];
      this.settings.set(id, readUint32(payload, at + 2));
      if (id === SettingId.INITIAL_WINDOW_SIZE) this.#initialRoom = readUint32(payload, at + 2);
    }
    this.write(SETTINGS_ACK);
  }

  #data(streamId: number, payload: Uint8Array, flags: number): void {
    const stream = this.stream(streamId);
    stream.data.push(payload);
    stream.bytes += payload.length;
    if (flags & Flag.END_STREAM) stream.ended = true;
    if (!this.#opensWindows || payload.length === 0) return;
    this.write(h2Window(0, payload.length), h2Window(streamId, payload.length));
  }

  #section(streamId: number, flags: number): void {
    if (!(flags & Flag.END_HEADERS)) return;
    const { fields } = this.#decoder.decode(concat(this.#block), Infinity);
    this.stream(streamId).sections.push(fields);
  }
}

export { SeenStream } from "./seen_stream.ts";
export { Flag, FrameType, SettingId };
export * from "./h2_frames.ts";
