// What metering costs: `deno bench tests/bench/meter_bench.ts`. Each run walks 1 MiB of masked
// BINARY frames in chunks of 64 KiB; the group's baseline copies the same bytes once.

import { Meter } from "../../src/protocol/websocket/meter.ts";
import { headerSizeOf, writeHeader } from "../../src/protocol/websocket/header.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { Traffic } from "../../src/protocol/websocket/traffic.ts";

const MEGABYTE = 1 << 20;
const CHUNK = 1 << 16;
const maskKey = new Uint8Array([0x37, 0xfa, 0x21, 0x3d]);

/** Frames of `length` bytes of payload, up to 1 MiB, in chunks; whole messages or fragments. */
function chunksOf(length: number, fragments: boolean): Uint8Array[] {
  const size = headerSizeOf(length, true) + length;
  const frames = 2 * Math.floor(MEGABYTE / size / 2);
  const bytes = new Uint8Array(frames * size);
  for (let i = 0; i < frames; i++) {
    const fin = !fragments || i % 2 === 1;
    const opcode = fragments && fin ? Opcode.CONTINUATION : Opcode.BINARY;
    writeHeader(bytes, i * size, { fin, rsv: 0, opcode, length, maskKey });
  }
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.slice(at, at + CHUNK));
  return chunks;
}

const target = new Uint8Array(CHUNK);
const sizes = [
  ["64 B", 64, false],
  ["64 B, two a message", 64, true],
  ["1 KiB", 1024, false],
  ["16 KiB", 16384, false],
] as const;

for (const [name, length, fragments] of sizes) {
  const chunks = chunksOf(length, fragments);
  const frames = 2 * Math.floor(MEGABYTE / (headerSizeOf(length, true) + length) / 2);
  const meter = new Meter({
    masked: true,
    maxFrameBytes: 1 << 20,
    maxMessageBytes: 8 << 20,
    traffic: new Traffic(),
  });
  Deno.bench({ name: `copy 1 MiB (${name})`, group: name, baseline: true }, () => {
    for (const chunk of chunks) target.set(chunk);
  });
  Deno.bench({ name: `meter 1 MiB, ${frames} frames of ${name}`, group: name }, () => {
    for (const chunk of chunks) {
      meter.push(chunk);
      while (meter.next() !== null);
    }
  });
}
