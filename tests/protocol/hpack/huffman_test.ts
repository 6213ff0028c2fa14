import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  huffmanDecode,
  huffmanEncode,
  huffmanEncodedLength,
  readString,
  writeString,
} from "../../../src/protocol/hpack/huffman.ts";
import { CODE_LENGTHS, CODES, EOS } from "../../../src/protocol/hpack/huffman_table.ts";
import { COMPRESSION_ERROR, HpackError } from "../../../src/protocol/hpack/integer.ts";
import { latin1 } from "../../../src/protocol/wire/latin1.ts";
import { codeOf, hex, latin1Text, toHex } from "./support.ts";

function encode(text: string): Uint8Array {
  const out = new Uint8Array(huffmanEncodedLength(text) + 3);
  const end = huffmanEncode(text, out, 2);
  assert.equal(end, out.length - 1, "huffmanEncodedLength is not what huffmanEncode writes");
  return out.subarray(2, end);
}

function decode(bytes: Uint8Array, maxBytes = 1 << 20): string | null {
  // In the middle of other bytes, which must not matter.
  const room = new Uint8Array(bytes.length + 12).fill(0x5a);
  room.set(bytes, 5);
  return huffmanDecode(room, 5, 5 + bytes.length, maxBytes);
}

/** Bytes of bits, such as "1111 0", filled up with ones. */
function bits(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  const whole = digits.padEnd(Math.ceil(digits.length / 8) * 8, "1");
  return Uint8Array.from(whole.match(/.{8}/g) ?? [], (byte) => parseInt(byte, 2));
}

function codeBits(symbol: number): string {
  return CODES[symbol].toString(2).padStart(CODE_LENGTHS[symbol], "0");
}

const VECTORS = [
  { name: "C.4.1", hex: "f1e3c2e5f23a6ba0ab90f4ff", text: "www.example.com" },
  { name: "C.4.2", hex: "a8eb10649cbf", text: "no-cache" },
  { name: "C.4.3 name", hex: "25a849e95ba97d7f", text: "custom-key" },
  { name: "C.4.3 value", hex: "25a849e95bb8e8b4bf", text: "custom-value" },
  { name: "C.6.1 :status", hex: "6402", text: "302" },
  { name: "C.6.1 cache-control", hex: "aec3771a4b", text: "private" },
  {
    name: "C.6.1 date",
    hex: "d07abe941054d444a8200595040b8166e082a62d1bff",
    text: "Mon, 21 Oct 2013 20:13:21 GMT",
  },
  {
    name: "C.6.1 location",
    hex: "9d29ad171863c78f0b97c8e9ae82ae43d3",
    text: "https://www.example.com",
  },
  { name: "C.6.2 :status", hex: "640eff", text: "307" },
  {
    name: "C.6.3 date",
    hex: "d07abe941054d444a8200595040b8166e084a62d1bff",
    text: "Mon, 21 Oct 2013 20:13:22 GMT",
  },
  { name: "C.6.3 content-encoding", hex: "9bd9ab", text: "gzip" },
  {
    name: "C.6.3 set-cookie",
    hex:
      "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    text: "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  },
  { name: "the empty string", hex: "", text: "" },
];

for (const { name, hex: digits, text } of VECTORS) {
  Deno.test(`huffman: RFC 7541 ${name}`, () => {
    assert.equal(decode(hex(digits)), text);
    assert.equal(toHex(encode(text)), digits);
    assert.equal(decode(hex(digits), text.length), text);
    if (text !== "") assert.equal(decode(hex(digits), text.length - 1), null);
  });
}

Deno.test("huffman: the code of RFC 7541 Appendix B is complete and canonical", () => {
  const symbols = Array.from(CODE_LENGTHS.keys());
  symbols.sort((a, b) => CODE_LENGTHS[a] - CODE_LENGTHS[b] || a - b);
  let next = 0;
  let length = 0;
  for (const symbol of symbols) {
    next *= 2 ** (CODE_LENGTHS[symbol] - length);
    length = CODE_LENGTHS[symbol];
    assert.equal(CODES[symbol], next, `symbol ${symbol}`);
    next++;
  }
  assert.equal(symbols.at(-1), EOS);
  assert.equal(next, 2 ** length);
});

Deno.test("huffman: each byte, alone and between others", () => {
  for (let symbol = 0; symbol < 256; symbol++) {
    const char = String.fromCharCode(symbol);
    assert.equal(toHex(encode(char)), toHex(bits(codeBits(symbol))));
    for (const text of [char, char + char, `a${char}b`, `0${char}`, `AA${char}zz`]) {
      assert.equal(decode(encode(text)), text);
    }
  }
});

Deno.test("huffman: decode(encode(x)) = x, up to the limit and not above", () => {
  fc.assert(
    fc.property(latin1Text(200), (text) => {
      assert.equal(decode(encode(text)), text);
      assert.equal(decode(encode(text), text.length), text);
      assert.equal(decode(encode(text), text.length - 1), null);
    }),
    { numRuns: 500 },
  );
});

for (const length of [1023, 1024, 1025, 2048, 4096, 4097, 20000]) {
  Deno.test(`huffman: a string of ${length} bytes comes whole, and not with a lower limit`, () => {
    const text = "ab\u00e9~\0/ ".repeat(3000).slice(0, length);
    const bytes = encode(text);
    assert.equal(decode(bytes), text);
    assert.equal(decode(bytes, length), text);
    for (const limit of [length - 1, 1024, 1023, 1, 0, -1]) {
      if (limit < length) assert.equal(decode(bytes, limit), null);
    }
  });
}

Deno.test("huffman: a limit below 0 lets nothing through", () => {
  assert.equal(decode(new Uint8Array(0), -1), null);
  assert.equal(decode(encode("a"), -32), null);
});

Deno.test("RFC 7541 §5.2: padding strictly longer than 7 bits MUST be a decoding error", () => {
  for (const text of ["", "a", "www.example.com", "?", "\u00e9"]) {
    const good = encode(text);
    for (let more = 1; more <= 6; more++) {
      const padded = new Uint8Array(good.length + more).fill(0xff);
      padded.set(good);
      assert.equal(codeOf(() => decode(padded)), COMPRESSION_ERROR, `${text} and ${more} bytes`);
    }
  }
});

Deno.test("RFC 7541 §5.2: padding that is not of ones MUST be a decoding error", () => {
  // "0" is 00000; three bits of padding behind it.
  for (const padding of ["000", "001", "010", "011", "100", "101", "110"]) {
    assert.equal(codeOf(() => decode(bits("00000" + padding))), COMPRESSION_ERROR);
  }
  assert.equal(decode(bits("00000 111")), "0");
  // "!", a code of 7 bits, and 7 bits of the 8 of "X", which look like ones all but one.
  const seven = String.fromCharCode(CODES.indexOf(0b1011101));
  assert.equal(decode(bits("1111111000 1011101 1111111")), "!" + seven);
  assert.equal(codeOf(() => decode(bits("1111111000 1011101 1111110"))), COMPRESSION_ERROR);
});

Deno.test("RFC 7541 §5.2: a string that contains EOS MUST be a decoding error", () => {
  for (const before of ["", "a", "ab", "~", "\u00e9", "\n"]) {
    for (const after of ["", "a", "hello"]) {
      const codes = [...before].map((c) => codeBits(c.charCodeAt(0))).join("") + codeBits(EOS) +
        [...after].map((c) => codeBits(c.charCodeAt(0))).join("");
      assert.equal(codeOf(() => decode(bits(codes))), COMPRESSION_ERROR);
    }
  }
});

Deno.test("huffman: a string that ends inside a code is an error, for each code", () => {
  for (let symbol = 0; symbol < 256; symbol++) {
    const code = codeBits(symbol);
    for (let length = 8; length < code.length; length += 8) {
      assert.throws(() => decode(bits(code.slice(0, length))), HpackError);
    }
  }
});

Deno.test("huffman: any bytes give what the table read bit by bit gives", () => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0xff, 0xfe, 0xfc, 0xf8));
  const bytes = fc.array(byte, { maxLength: 24 }).map((all) => Uint8Array.from(all));
  fc.assert(
    fc.property(bytes, (bytes) => {
      const want = bitByBit(bytes);
      if (want === null) assert.throws(() => decode(bytes), HpackError);
      else assert.equal(decode(bytes), want);
    }),
    { numRuns: 3000 },
  );
});

/** Decodes by comparing each beginning with each code; `null` for an error. */
function bitByBit(bytes: Uint8Array): string | null {
  const codes = new Map(Array.from(CODES, (_, symbol) => [codeBits(symbol), symbol]));
  const all = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  let text = "";
  let code = "";
  for (const bit of all) {
    code += bit;
    const symbol = codes.get(code);
    if (symbol === undefined) continue;
    if (symbol === EOS) return null;
    text += String.fromCharCode(symbol);
    code = "";
  }
  return /^1{0,7}$/.test(code) ? text : null;
}

Deno.test("huffman: only latin1 can be encoded", () => {
  assert.throws(() => huffmanEncodedLength("caf\u0113"), RangeError);
});

Deno.test("latin1: 0x80 to 0x9f stay what they are", () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff);
  const text = latin1(bytes, 1, 4999);
  assert.equal(text.length, 4998);
  for (let i = 0; i < text.length; i++) assert.equal(text.charCodeAt(i), (i + 1) & 0xff);
});

Deno.test("string literal: Huffman where that is shorter, read(write(x)) = x", () => {
  const prefix = fc.integer({ min: 3, max: 7 });
  fc.assert(fc.property(latin1Text(300), prefix, (text, prefixBits) => {
    const out = { bytes: new Uint8Array(text.length + 10), at: 0 };
    writeString(out, { pattern: 0, prefixBits }, text);
    const huffman = ((out.bytes[0] >> prefixBits) & 1) === 1;
    assert.equal(huffman, huffmanEncodedLength(text) < text.length);
    const bytes = out.bytes.subarray(0, out.at);
    const cursor = { bytes, at: 0 };
    assert.equal(readString(cursor, prefixBits, text.length), text);
    assert.equal(cursor.at, bytes.length);
    const limited = { bytes, at: 0 };
    assert.equal(readString(limited, prefixBits, text.length - 1), null);
    assert.equal(limited.at, bytes.length, "the cursor goes on behind a string that is too long");
    const cut = { bytes: bytes.subarray(0, -1), at: 0 };
    assert.throws(() => readString(cut, prefixBits, 1000), HpackError);
  }));
});
