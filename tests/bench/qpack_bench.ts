// What field sections cost: `deno bench tests/bench/qpack_bench.ts`. Decoded are the heads that
// Chromium and quic-go open a WebSocket with, encoded the answers to them.

import vectors from "../vectors/qpack.json" with { type: "json" };
import { decodeFieldSection } from "../../src/protocol/qpack/decoder.ts";
import { encodeFieldSection } from "../../src/protocol/qpack/encoder.ts";
import { type Field, getField } from "../../src/protocol/wire/field.ts";

const MAX_BYTES = 65536;

function vector(name: string): { block: Uint8Array; fields: Field[] } {
  const found = vectors.sections.find((section) => section.name === name);
  if (found === undefined) throw new Error(`No vector "${name}"`);
  // The same bytes from either encoder.
  const digits = found.blocks["quic-go/qpack"].match(/../g) ?? [];
  return {
    block: Uint8Array.from(digits, (pair) => parseInt(pair, 16)),
    fields: found.fields as unknown as Field[],
  };
}

for (const client of ["Chromium", "quic-go"]) {
  const { block, fields } = vector(`${client}'s extended CONNECT for a WebSocket`);
  Deno.bench(`decode ${client}'s CONNECT: ${fields.length} fields, ${block.length} bytes`, () => {
    const { fields } = decodeFieldSection(block, MAX_BYTES);
    // Comparing makes V8 settle what the strings are.
    if (getField(fields, "sec-websocket-protocol") !== "chat.v2") throw new Error("not decoded");
  });
}

const answer = vector("200 to an extended CONNECT");
const answerName = `${answer.fields.length} fields, ${answer.block.length} bytes`;
Deno.bench(`encode the 200 to a CONNECT: ${answerName}`, () => {
  if (encodeFieldSection(answer.fields).length !== answer.block.length) throw new Error("not so");
});

const bare: Field[] = [[":status", "200"]];
Deno.bench("encode a bare 200", () => {
  if (encodeFieldSection(bare).length !== 3) throw new Error("not so");
});

const request = vector("Chromium's extended CONNECT for a WebSocket");
Deno.bench(`encode Chromium's CONNECT: ${request.fields.length} fields`, () => {
  if (encodeFieldSection(request.fields).length !== request.block.length) throw new Error("not so");
});

const long = vector("value of 3000 bytes of ASCII");
Deno.bench("decode a value of 3000 random bytes of ASCII", () => {
  if (decodeFieldSection(long.block, MAX_BYTES).fields.length !== 1) throw new Error("not decoded");
});

const raw = vector("value of 1500 bytes that Huffman makes longer");
Deno.bench(`decode a value of 1500 bytes in codes of 20 to 30 bits`, () => {
  if (decodeFieldSection(raw.block, MAX_BYTES).fields.length !== 1) throw new Error("not decoded");
});
