// What a socket's own work on a message costs, without any transport: `deno bench
// tests/bench/endpoint_bench.ts`. Each run is 1 MiB: masked frames in chunks of 32 KiB are decoded
// as at a server, messages go out as a server's (not masked) or a client's.

import { Outbox } from "../../src/endpoint/outbox.ts";
import { MessageDecoder } from "../../src/protocol/websocket/decoder.ts";
import { headerSizeOf, writeHeader } from "../../src/protocol/websocket/header.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";

const MEGABYTE = 1 << 20;
const CHUNK = 1 << 15;
const maskKey = new Uint8Array([0x37, 0xfa, 0x21, 0x3d]);

/** 1 MiB of payload in frames of `length` bytes, in chunks. */
function chunksOf(length: number): Uint8Array[] {
  const size = headerSizeOf(length, true) + length;
  const frames = MEGABYTE / length;
  const bytes = new Uint8Array(frames * size);
  const frame = { fin: true, rsv: 0, opcode: Opcode.BINARY, length, maskKey };
  for (let i = 0; i < frames; i++) writeHeader(bytes, i * size, frame);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.slice(at, at + CHUNK));
  return chunks;
}

const sizes = [["64 B", 64], ["16 KiB", 1 << 14], ["1 MiB", MEGABYTE]] as const;

for (const [name, length] of sizes) {
  const chunks = chunksOf(length);
  const decoder = new MessageDecoder({
    masked: true,
    maxFrameBytes: MEGABYTE,
    maxMessageBytes: MEGABYTE,
  });
  Deno.bench(`decode, messages of ${name}`, { group: "decode" }, () => {
    for (const chunk of chunks) {
      decoder.push(chunk);
      while (decoder.next() !== null);
    }
  });
}

const stream = {
  headroom: 0,
  read: () => new Promise<null>(() => {}),
  write: () => Promise.resolve(),
  closeWrite: () => Promise.resolve(),
  abort: () => {},
};

for (const masks of [false, true]) {
  for (const [name, length] of sizes) {
    const outbox = new Outbox({ stream, masks, deflater: null, onBroken: () => {} });
    const message = new Uint8Array(length);
    Deno.bench(
      `send, ${masks ? "masked " : ""}messages of ${name}`,
      { group: "send" },
      async () => {
        for (let at = 0; at < MEGABYTE; at += length) await outbox.send(message);
      },
    );
  }
}
