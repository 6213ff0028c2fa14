import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { Socket, type SocketOptions } from "../../src/endpoint/socket.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { NetError } from "../../src/net/error.ts";
import { encodeClose, encodeFrame, type Frame } from "../../src/protocol/websocket/encoder.ts";
import { readHeader } from "../../src/protocol/websocket/header.ts";
import { applyMask } from "../../src/protocol/websocket/mask.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { within } from "../support/within.ts";

export type Role = SocketOptions["role"];
export const ROLES: readonly Role[] = ["client", "server"];
export const utf8 = new TextEncoder();

/** A stream in the hands of a test, which is the peer. */
export class TestStream implements ByteStream {
  readonly headroom = 0;
  /** What was done to it, in order: the bytes of each write, or the name of the call. */
  readonly calls: (Uint8Array | "closeWrite" | "abort")[] = [];
  #told = 0;
  #wakeTest: () => void = () => {};
  readonly #input: (Uint8Array | null | Error)[] = [];
  #reader: PromiseWithResolvers<Uint8Array | null> | null = null;
  #room: PromiseWithResolvers<void> | null = null;
  #broken: Error | null = null;
  reads = 0;
  onLost: ((error: Error) => void) | null = null;

  read(): Promise<Uint8Array | null> {
    assert.equal(this.#reader, null, "two reads at once");
    this.reads++;
    this.#reader = Promise.withResolvers();
    const { promise } = this.#reader;
    this.#give();
    return promise;
  }

  #give(): void {
    if (this.#reader === null || this.#input.length === 0) return;
    const reader = this.#reader;
    this.#reader = null;
    const next = this.#input.shift()!;
    if (next instanceof Error) reader.reject(next);
    else reader.resolve(next);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#broken !== null) throw this.#broken;
    // By the rules it may be overwritten once this has resolved.
    this.#call(bytes.slice());
    await this.#room?.promise;
    if (this.#broken !== null) throw this.#broken;
  }

  async closeWrite(): Promise<void> {
    if (this.#broken !== null) throw this.#broken;
    this.#call("closeWrite");
    await this.#room?.promise;
  }

  abort(): void {
    if (this.calls.at(-1) === "abort") return;
    this.#call("abort");
    this.#broken = new NetError("aborted", "aborted");
    this.#reader?.reject(this.#broken);
    this.#reader = null;
    this.#room?.reject(this.#broken);
  }

  #call(call: Uint8Array | "closeWrite" | "abort"): void {
    this.calls.push(call);
    this.#wakeTest();
  }

  /** What the peer sends: bytes, FIN as `null`, or what breaks the stream. */
  feed(...input: (Uint8Array | null | Error)[]): void {
    for (const item of input) this.#input.push(item instanceof Uint8Array ? item.slice() : item);
    this.#give();
  }

  /** Writes fail from now on, reads don't. */
  breakWrites(error: Error): void {
    this.#broken = error;
    this.#room?.reject(error);
  }

  /** The peer reads no more, until `makeRoom`. */
  fill(): void {
    this.#room = Promise.withResolvers();
    this.#room.promise.catch(() => {});
  }

  makeRoom(): void {
    this.#room?.resolve();
    this.#room = null;
  }

  /** The next call: a frame as text, or the name of the call. */
  async next(): Promise<string> {
    while (this.calls.length === this.#told) {
      const called = new Promise<void>((resolve) => this.#wakeTest = resolve);
      await within("a call of the socket on its stream", called);
    }
    const call = this.calls[this.#told++];
    return typeof call === "string" ? call : frameText(call);
  }

  /** Calls that no test has asked for yet. */
  get rest(): string[] {
    return this.calls.slice(this.#told).map((call) =>
      typeof call === "string" ? call : frameText(call)
    );
  }
}

/** A frame as text: `TEXT hello`, `BINARY+ 65536 bytes` without FIN, `CLOSE 1000 bye`. */
export function frameText(bytes: Uint8Array): string {
  const { opcode, fin, masked, rsv, size, length } = readHeader(bytes, 0);
  assert.equal(bytes.length, size + length, "one frame in one write");
  const payload = bytes.slice(size);
  if (masked) applyMask(payload, bytes.subarray(size - 4, size));
  const name = Object.entries(Opcode).find(([, code]) => code === opcode)![0];
  const flags = `${rsv === 0 ? "" : `*${rsv}`}${fin ? "" : "+"}${masked ? "" : " unmasked"}`;
  if (opcode === Opcode.CLOSE) {
    const code = length === 0 ? "" : ` ${(payload[0] << 8) | payload[1]}`;
    return `${name}${flags}${code} ${new TextDecoder().decode(payload.subarray(2))}`.trimEnd();
  }
  const text = length > 125 ? `${length} bytes` : new TextDecoder().decode(payload);
  return `${name}${flags} ${text}`.trimEnd();
}

/** A socket of this role and the stream to its peer. */
export function socketOn(
  role: Role,
  options: Partial<SocketOptions> = {},
): { socket: Socket; stream: TestStream; peer: Peer } {
  const stream = new TestStream();
  const socket = new Socket({
    role,
    stream,
    http: "1.1",
    protocol: "",
    extensions: "",
    fields: [],
    maxFrameBytes: 1024 * 1024,
    maxMessageBytes: 1024 * 1024,
    ...options,
  });
  return { socket, stream, peer: peerOf(role) };
}

/** Frames as the peer of a socket makes them. */
export interface Peer {
  frame(frame: Omit<Frame, "maskKey">): Uint8Array;
  text(text: string): Uint8Array;
  binary(bytes: Uint8Array): Uint8Array;
  ping(text?: string): Uint8Array;
  pong(text?: string): Uint8Array;
  close(code: number, reason?: string): Uint8Array;
}

export function peerOf(role: Role): Peer {
  const maskKey = role === "server" ? Uint8Array.of(1, 2, 3, 4) : undefined;
  const frame: Peer["frame"] = (frame) => encodeFrame({ ...frame, maskKey });
  return {
    frame,
    text: (text) => frame({ opcode: Opcode.TEXT, payload: utf8.encode(text) }),
    binary: (payload) => frame({ opcode: Opcode.BINARY, payload }),
    ping: (text = "") => frame({ opcode: Opcode.PING, payload: utf8.encode(text) }),
    pong: (text = "") => frame({ opcode: Opcode.PONG, payload: utf8.encode(text) }),
    close: (code, reason) => encodeClose(code, reason, maskKey),
  };
}

/** As `frameText` has the frames of a socket of this role. */
export function sent(role: Role, text: string): string {
  if (role === "client") return text;
  const [name, ...rest] = text.split(" ");
  return [name, "unmasked", ...rest].join(" ");
}

export { concat };

/** Lets all run that is ready, but no timer. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
