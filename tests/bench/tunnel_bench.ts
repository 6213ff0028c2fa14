// What unframing a tunnel costs: `deno bench tests/bench/tunnel_bench.ts`. Each run takes 1 MiB of
// DATA frames in chunks of 64 KiB, as QUIC gives them, and joins their payloads in place; the
// group's baseline copies the same bytes once.

import { frameHeaderSize, FrameType, writeFrameHeader } from "../../src/protocol/http3/frame.ts";
import { RequestStreamParser } from "../../src/protocol/http3/request_stream.ts";

const MEGABYTE = 1 << 20;
const CHUNK = 1 << 16;

/** A tunnel: HEADERS that nobody reads came, and CONNECT was accepted. */
function openTunnel(): RequestStreamParser {
  const parser = new RequestStreamParser({ role: "server", maxHeaderBytes: 65536 });
  parser.push(new Uint8Array([FrameType.HEADERS, 0]));
  while (parser.next() !== null);
  parser.tunnel();
  return parser;
}

/** Frames of `length` bytes up to 1 MiB; joining overwrites headers, so each run writes them. */
function framesOf(length: number): { bytes: Uint8Array; payload: number; write: () => void } {
  const size = frameHeaderSize(FrameType.DATA, length) + length;
  const frames = Math.floor(MEGABYTE / size);
  const bytes = new Uint8Array(frames * size);
  const write = () => {
    for (let i = 0; i < frames; i++) writeFrameHeader(bytes, i * size, FrameType.DATA, length);
  };
  return { bytes, payload: frames * length, write };
}

const target = new Uint8Array(CHUNK);
const sizes = [
  ["64 B", 64],
  ["1 KiB", 1024],
  ["16 KiB", 16384],
  ["256 KiB", 262144],
] as const;

for (const [name, length] of sizes) {
  const { bytes, payload, write } = framesOf(length);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.subarray(at, at + CHUNK));
  Deno.bench({ name: `copy 1 MiB (${name})`, group: name, baseline: true }, () => {
    write();
    for (const chunk of chunks) target.set(chunk);
  });
  const parser = openTunnel();
  Deno.bench({ name: `readTunnel 1 MiB, frames of ${name}`, group: name }, () => {
    write();
    let sum = 0;
    for (const chunk of chunks) sum += parser.readTunnel(chunk);
    if (sum !== payload) throw new Error(`${sum} bytes, not ${payload}`);
  });
}
