// What HTTP/1.1 messages cost: `deno bench tests/bench/http1_bench.ts`. The heads are those of a
// browser's navigation and its answer; a body is 1 MiB in chunks of 16 KiB, read 64 KiB at a time.

import { BodyParser } from "../../src/protocol/http1/body.ts";
import { encodeRequestHead, encodeResponseHead } from "../../src/protocol/http1/encode.ts";
import { endToEnd, isPersistent } from "../../src/protocol/http1/connection.ts";
import { RequestHeadParser, ResponseHeadParser } from "../../src/protocol/http1/head.ts";
import { RequestSequence } from "../../src/protocol/http1/request_sequence.ts";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import { latin1Bytes } from "../../src/protocol/wire/latin1.ts";

const REQUEST: Field[] = [
  ["host", "shop.example.com"],
  ["connection", "keep-alive"],
  ["cache-control", "max-age=0"],
  ["sec-ch-ua", '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"'],
  ["sec-ch-ua-mobile", "?0"],
  ["sec-ch-ua-platform", '"Linux"'],
  ["upgrade-insecure-requests", "1"],
  [
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  ],
  [
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  ],
  ["sec-fetch-site", "same-origin"],
  ["sec-fetch-mode", "navigate"],
  ["sec-fetch-user", "?1"],
  ["sec-fetch-dest", "document"],
  ["referer", "https://shop.example.com/articles/"],
  ["accept-encoding", "gzip, deflate, br, zstd"],
  ["accept-language", "en-US,en;q=0.9,de;q=0.8"],
  ["cookie", "session=8f1d0c2b9a7e4f6d; theme=dark; consent=1"],
];
const RESPONSE: Field[] = [
  ["date", "Mon, 01 Jan 2026 00:00:00 GMT"],
  ["content-type", "text/html; charset=utf-8"],
  ["content-length", "1024"],
  ["connection", "keep-alive"],
  ["server", "nginx"],
  ["last-modified", "Sun, 31 Dec 2025 10:00:00 GMT"],
  ["etag", '"6954f2a0-400"'],
  ["cache-control", "private, max-age=60"],
  ["vary", "Accept-Encoding"],
  ["x-request-id", "8f1d0c2b-9a7e-4f6d-b1c2-3d4e5f607182"],
];
const UPGRADE: Field[] = [
  ["host", "chat.example.com"],
  ["connection", "Upgrade"],
  ["upgrade", "websocket"],
  ["sec-websocket-version", "13"],
  ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ["origin", "https://chat.example.com"],
  [
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  ],
  ["sec-websocket-extensions", "permessage-deflate; client_max_window_bits"],
  ["x-forwarded-for", "192.0.2.7"],
  ["x-forwarded-proto", "https"],
  ["x-forwarded-host", "chat.example.com"],
  ["via", "3 h3ws"],
];
const target = "/articles/2026/a-long-title-of-some-page?page=2&sort=newest";

const requestHead = { method: "GET", target, fields: REQUEST };
const request = encodeRequestHead(requestHead);
const response = encodeResponseHead({ status: 200, fields: RESPONSE });

/** Throws unless the last field is there: comparing makes V8 settle what the strings are. */
function mustHave(fields: readonly Field[], name: string, value: string): void {
  if (getField(fields, name) !== value) throw new Error("not parsed");
}

Deno.bench(`parse a request head: ${REQUEST.length} fields, ${request.length} bytes`, () => {
  const parser = new RequestHeadParser();
  parser.push(request);
  mustHave(parser.next()!.fields, "cookie", REQUEST[16][1]);
});

Deno.bench(`parse a request head in two pieces`, () => {
  const parser = new RequestHeadParser();
  parser.push(request.subarray(0, 500));
  parser.next();
  parser.push(request.subarray(500));
  mustHave(parser.next()!.fields, "cookie", REQUEST[16][1]);
});

Deno.bench(`parse a response head: ${RESPONSE.length} fields, ${response.length} bytes`, () => {
  const parser = new ResponseHeadParser();
  parser.push(response);
  mustHave(parser.next()!.fields, "x-request-id", RESPONSE[9][1]);
});

Deno.bench(`encode a request head: ${REQUEST.length} fields`, () => {
  if (encodeRequestHead(requestHead).length !== request.length) throw new Error("not so");
});

const upgrade = { method: "GET", target: "/chat", fields: UPGRADE };
Deno.bench(`encode an upgrade: ${UPGRADE.length} fields`, () => {
  if (encodeRequestHead(upgrade).length < 300) throw new Error("not so");
});

Deno.bench(`encode a response head: ${RESPONSE.length} fields`, () => {
  const bytes = encodeResponseHead({ status: 200, fields: RESPONSE });
  if (bytes.length !== response.length) throw new Error("not so");
});

const sequence = new RequestSequence();
const answers = new ResponseHeadParser();
Deno.bench("all of a proxied GET: head in, head out, and the same for its answer", () => {
  sequence.push(request);
  const event = sequence.next();
  if (event?.type !== "request" || sequence.next()?.type !== "end") throw new Error("not parsed");
  const out = encodeRequestHead({ ...event.head, fields: endToEnd(event.head.fields) });
  answers.push(response);
  const answer = answers.next()!;
  const back = encodeResponseHead({ ...answer, fields: endToEnd(answer.fields) });
  if (!isPersistent(answer) || out.length + back.length < 500) throw new Error("not so");
  answers.restart();
  sequence.restart();
});

const CHUNK = 16384;
const READ = 65536;

/** 1 MiB in chunks of `size`, as reads of 64 KiB. */
function chunkedReads(size: number): Uint8Array[] {
  const one = `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`;
  const bytes = latin1Bytes(one.repeat((1 << 20) / size) + "0\r\n\r\n");
  const reads: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += READ) reads.push(bytes.subarray(at, at + READ));
  return reads;
}

for (const size of [CHUNK, 256]) {
  const reads = chunkedReads(size);
  Deno.bench(`parse a chunked body: 1 MiB in chunks of ${size} bytes`, () => {
    const parser = new BodyParser({ framing: "chunked", invalid: 502 });
    let sum = 0;
    for (const read of reads) {
      parser.push(read);
      for (let part = parser.next(); part !== null; part = parser.next()) sum += part.length;
    }
    if (sum !== 1 << 20 || !parser.done) throw new Error("not parsed");
  });
}
