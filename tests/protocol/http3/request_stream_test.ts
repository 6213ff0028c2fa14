import assert from "node:assert/strict";
import fc from "fast-check";
import { H3Code } from "../../../src/protocol/http3/codes.ts";
import { encodeFrame } from "../../../src/protocol/http3/frame.ts";
import {
  type RequestStreamEvent,
  RequestStreamParser,
} from "../../../src/protocol/http3/request_stream.ts";
import { feed, feedAllWays, type Feeding, hex, toHex } from "./feed.ts";

interface Case {
  name: string;
  role?: "server" | "client";
  /** Which `headers` is the final one; default the first. */
  final?: number;
  tunnel?: true;
  content?: number;
  hex: string;
  want: string[];
}

function show(event: RequestStreamEvent): string {
  switch (event.type) {
    case "headers":
    case "trailers":
      return `${event.type} ${toHex(event.block)}`;
    case "oversize":
      return `oversize ${event.length}`;
    case "data":
      return `data ${toHex(event.bytes)}`;
  }
}

/** A parser whose owner does, at each `headers`, what the case says. */
function make(test: Partial<Case>): Feeding<RequestStreamEvent> {
  const parser = new RequestStreamParser({ role: test.role ?? "server", maxHeaderBytes: 100 });
  let count = 0;
  return {
    parser,
    show: (event) => {
      if (event.type === "headers" && ++count === (test.final ?? 1)) {
        parser.finalHeaders();
        if (test.content !== undefined) parser.expectContent(test.content);
        if (test.tunnel) parser.tunnel();
      }
      return show(event);
    },
  };
}

const big = "ab".repeat(101);
const UNEXPECTED = "H3_FRAME_UNEXPECTED connection";

const cases: Case[] = [
  { name: "HEADERS alone", hex: "01 02 d1d7", want: ["headers d1d7", "end"] },
  { name: "HEADERS of no bytes", hex: "01 00", want: ["headers ", "end"] },
  {
    name: "HEADERS, DATA, DATA, trailers",
    hex: "01 02 d1d7 00 03 616263 00 01 64 01 01 ff",
    want: ["headers d1d7", "data 61626364", "trailers ff", "end"],
  },
  { name: "empty DATA is no event", hex: "01 01 d1 00 00 00 00", want: ["headers d1", "end"] },
  {
    name: "varints need not be in their shortest form",
    hex: "4001 c000000000000001 d1 80000000 4002 6869",
    want: ["headers d1", "data 6869", "end"],
  },
  {
    name: "RFC 9114 §9: unknown frame types MUST be ignored, wherever they are",
    hex: "21 02 0000 01 01 d1 40ff 01 0a 00 01 61 800f0700 00 01 01 ff ffffffffffffffff 03 010203",
    want: ["headers d1", "data 61", "trailers ff", "end"],
  },
  {
    name: "HEADERS above the limit are skipped",
    hex: `01 4065 ${big} 00 01 61`,
    want: ["oversize 101", "data 61", "end"],
  },
  {
    name: "trailers above the limit are skipped, and are the trailers",
    hex: `01 01 d1 01 4065 ${big} 00 01 61`,
    want: ["headers d1", "oversize 101", UNEXPECTED],
  },
  {
    name: "RFC 9114 §4.1: DATA before any HEADERS is an invalid sequence",
    hex: "00 01 61",
    want: [UNEXPECTED],
  },
  {
    name: "RFC 9114 §4.1: DATA behind the trailers is an invalid sequence",
    hex: "01 01 d1 01 01 ff 00 01 61",
    want: ["headers d1", "trailers ff", UNEXPECTED],
  },
  {
    name: "RFC 9114 §4.1: HEADERS behind the trailers is an invalid sequence",
    hex: "01 01 d1 01 01 ff 01 01 ff",
    want: ["headers d1", "trailers ff", UNEXPECTED],
  },
  {
    name: "RFC 9114 §4.1: any number of interim responses may come before the final one",
    role: "client",
    final: 3,
    hex: "01 01 d1 01 01 d2 01 01 d3 00 01 61 01 01 ff",
    want: ["headers d1", "headers d2", "headers d3", "data 61", "trailers ff", "end"],
  },
  {
    name: "RFC 9114 §4.1: DATA before the final HEADERS is an invalid sequence",
    role: "client",
    final: 2,
    hex: "01 01 d1 00 01 61",
    want: ["headers d1", UNEXPECTED],
  },
  {
    name: "RFC 9114 §4.1: a stream that ends before its message began: H3_REQUEST_INCOMPLETE",
    hex: "21 01 00",
    want: ["H3_REQUEST_INCOMPLETE stream"],
  },
  { name: "the same for a stream without a byte", hex: "", want: ["H3_REQUEST_INCOMPLETE stream"] },
  {
    name: "the same for a response that is interim only",
    role: "client",
    final: 2,
    hex: "01 01 d1",
    want: ["headers d1", "H3_REQUEST_INCOMPLETE stream"],
  },
  {
    name: "RFC 9114 §7.2.3: CANCEL_PUSH on a request stream is H3_FRAME_UNEXPECTED",
    hex: "01 01 d1 03 01 00",
    want: ["headers d1", UNEXPECTED],
  },
  {
    name: "RFC 9114 §7.2.4: SETTINGS on a request stream is H3_FRAME_UNEXPECTED",
    hex: "04 00",
    want: [UNEXPECTED],
  },
  {
    name: "RFC 9114 §7.2.6: GOAWAY on a request stream is H3_FRAME_UNEXPECTED",
    hex: "01 01 d1 07 01 00",
    want: ["headers d1", UNEXPECTED],
  },
  {
    name: "RFC 9114 §7.2.7: MAX_PUSH_ID on a request stream is H3_FRAME_UNEXPECTED",
    hex: "0d 01 00",
    want: [UNEXPECTED],
  },
  {
    name: "RFC 9114 §7.2.5: a server MUST treat PUSH_PROMISE as H3_FRAME_UNEXPECTED",
    hex: "05 01 00",
    want: [UNEXPECTED],
  },
  {
    name: "RFC 9114 §7.2.5: a push ID above what MAX_PUSH_ID allowed is H3_ID_ERROR",
    role: "client",
    hex: "05 02 00d1",
    want: ["H3_ID_ERROR connection"],
  },
  {
    name: "RFC 9114 §7.1: a payload that ends before its fields is H3_FRAME_ERROR",
    role: "client",
    hex: "05 00",
    want: ["H3_FRAME_ERROR connection"],
  },
  ...["02", "06", "08", "09"].map((type): Case => ({
    name: `RFC 9114 §7.2.8: frame type 0x${type} of HTTP/2 is H3_FRAME_UNEXPECTED`,
    hex: `01 01 d1 ${type} 00`,
    want: ["headers d1", UNEXPECTED],
  })),
  ...["01", "01 02", "01 02 d1", "01 01 d1 00 02 61", "01 01 d1 40", "01 01 d1 21 01"].map(
    (bytes): Case => ({
      name: `RFC 9114 §7.1: a stream that ends inside a frame is H3_FRAME_ERROR: ${bytes}`,
      hex: bytes,
      want: [
        ...bytes.startsWith("01 01 d1") ? ["headers d1"] : [],
        ...bytes.endsWith("61") ? ["data 61"] : [],
        "H3_FRAME_ERROR connection",
      ],
    }),
  ),
  {
    name: "RFC 9114 §10.8: a length above 2^53-1 is H3_FRAME_ERROR",
    hex: "21 ffffffffffffffff 00",
    want: ["H3_FRAME_ERROR connection"],
  },
  {
    name: "Content-Length that is the sum of all DATA",
    content: 3,
    hex: "01 01 d1 00 02 6162 00 01 63 01 01 ff",
    want: ["headers d1", "data 616263", "trailers ff", "end"],
  },
  {
    name: "RFC 9114 §4.1.2: Content-Length below the sum of all DATA makes a message malformed",
    content: 3,
    hex: "01 01 d1 00 02 6162 00 02 6364",
    want: ["headers d1", "data 6162", "H3_MESSAGE_ERROR stream"],
  },
  {
    name: "RFC 9114 §4.1.2: Content-Length above the sum of all DATA makes a message malformed",
    content: 3,
    hex: "01 01 d1 00 02 6162",
    want: ["headers d1", "data 6162", "H3_MESSAGE_ERROR stream"],
  },
  {
    name: "a tunnel takes DATA and unknown frames",
    tunnel: true,
    hex: "01 01 d1 00 02 6162 21 01 00 00 02 6364",
    want: ["headers d1", "data 61626364", "end"],
  },
  ...["server", "client"].flatMap((role) =>
    ["01", "03", "04", "05", "07", "0d", "02", "06", "08", "09"].map((type): Case => ({
      name: `RFC 9114 §4.4: in a tunnel only DATA may be sent: ${type} to a ${role}`,
      role: role as "server" | "client",
      tunnel: true,
      hex: `01 01 d1 00 01 61 ${type} 01 00`,
      want: ["headers d1", "data 61", UNEXPECTED],
    }))
  ),
];

for (const test of cases) {
  Deno.test(`request stream: ${test.name}`, () => {
    assert.deepEqual(feedAllWays(() => make(test), hex(test.hex)), test.want);
  });
}

Deno.test("request stream: any bytes give events or a PeerError, the same however they are cut", () => {
  const frame = fc.tuple(
    fc.constantFrom(0, 1, 1, 0, 3, 4, 5, 7, 13, 33, 2, 0x40),
    fc.uint8Array({ maxLength: 120 }),
  ).map(([type, payload]) => encodeFrame(type, payload));
  const bytes = fc.array(fc.oneof({ weight: 9, arbitrary: frame }, fc.uint8Array()), {
    maxLength: 6,
  }).map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
  const owner = fc.record({
    role: fc.constantFrom("server" as const, "client" as const),
    tunnel: fc.constantFrom(undefined, true as const),
    final: fc.constantFrom(1, 2),
  });
  fc.assert(
    fc.property(bytes, owner, (input, test) => {
      feedAllWays(() => make(test as Partial<Case>), input);
    }),
    { numRuns: 150 },
  );
});

Deno.test("request stream: memory follows what has come, not what was announced", () => {
  const parser = new RequestStreamParser({ role: "server", maxHeaderBytes: 1 << 30 });
  parser.push(hex("01 a0000000 aa")); // 512 MiB announced: more than may be allocated at once here.
  assert.equal(parser.next(), null);
  assert.equal(parser.buffered, 1);
});

Deno.test("request stream: a frame in one chunk is a view of it", () => {
  const parser = new RequestStreamParser({ role: "server", maxHeaderBytes: 100 });
  const chunk = hex("01 01 d1 00 02 6162");
  parser.push(chunk);
  const headers = parser.next();
  const data = parser.next();
  assert.ok(headers?.type === "headers" && headers.block.buffer === chunk.buffer);
  assert.ok(data?.type === "data" && data.bytes.buffer === chunk.buffer);
});

Deno.test("request stream: misuse by its owner is not a PeerError", () => {
  const parser = new RequestStreamParser({ role: "server", maxHeaderBytes: 100 });
  assert.throws(() => parser.tunnel(), /without CONNECT/);
  assert.throws(() => parser.readTunnel(new Uint8Array(1)), /before tunnel/);
  parser.push(hex("01 01 d1 00 01 61"));
  assert.throws(() => parser.push(new Uint8Array(1)), /before next/);
  parser.next();
  parser.tunnel();
  assert.throws(() => parser.readTunnel(new Uint8Array(1)), /before next/);
});

for (
  const [name, input] of [
    ["whole", "01 01 d1 01 01 d2"],
    ["begun", "01 01 d1 01 04 d2"],
    ["too long to be taken", "01 01 d1 01 4080 d2"],
  ]
) {
  Deno.test(`request stream: RFC 9114 §4.4: trailers before a tunnel are H3_FRAME_UNEXPECTED: ${name}`, () => {
    const parser = new RequestStreamParser({ role: "server", maxHeaderBytes: 100 });
    parser.push(hex(input));
    while (parser.next() !== null);
    const want = { name: "H3Error", scope: "connection", code: H3Code.H3_FRAME_UNEXPECTED };
    assert.throws(() => parser.tunnel(), want);
    assert.throws(() => parser.readTunnel(new Uint8Array(1)), want, "ever after");
  });
}

Deno.test("request stream: finalHeaders() has no effect on a server", () => {
  const { parser, show } = make({ role: "server" });
  assert.deepEqual(feed({ parser, show }, [hex("01 01 d1 00 00 01 01 d2")]), [
    "headers d1",
    "trailers d2",
    "end",
  ]);
});
