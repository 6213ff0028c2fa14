import assert from "node:assert/strict";
import {
  type RequestEvent,
  RequestSequence,
  type SequenceEvent,
} from "../../../src/protocol/http1/request_sequence.ts";
import { latin1, latin1Text } from "../../fuzz/input.ts";

const HOST = "Host: a.example\r\n";

function get(path: string, lines = ""): string {
  return `GET ${path} HTTP/1.1\r\n${HOST}${lines}\r\n`;
}

function started(text: string): RequestSequence {
  const sequence = new RequestSequence();
  sequence.push(latin1(text));
  return sequence;
}

function head(sequence: RequestSequence): RequestEvent {
  const event = sequence.next();
  assert.equal(event?.type, "request");
  return event as RequestEvent;
}

/** All events up to the next `null`, each as a short text. */
function told(sequence: RequestSequence): string[] {
  const texts: string[] = [];
  for (let event = sequence.next(); event !== null; event = sequence.next()) {
    texts.push(text(event));
  }
  return texts;
}

function text(event: SequenceEvent): string {
  if (event.type === "request") return `${event.head.method} ${event.head.target}`;
  if (event.type === "data") return latin1Text(event.bytes);
  return ["end", ...event.trailers.map((field) => field.join("="))].join(" ");
}

Deno.test("sequence: pipelined requests come one after the other, each when it is asked for", () => {
  const post = `POST /2 HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`;
  const chunked = `PUT /3 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n` +
    "0\r\nA: b\r\n\r\n";
  const sequence = started(get("/1") + post + chunked + "\r\n" + get("/4"));
  const wants = [["GET /1", "end"], ["POST /2", "abc", "end"], ["PUT /3", "de", "end a=b"]];
  for (const want of wants) {
    assert.deepEqual(told(sequence), want);
    assert.deepEqual(told(sequence), []);
    sequence.restart();
  }
  assert.deepEqual(told(sequence), ["GET /4", "end"]);
});

Deno.test("sequence: what a head means for its connection", () => {
  const { framing, expectsContinue, upgrade, persistent } = head(
    started(`PUT / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`),
  );
  assert.deepEqual([framing, expectsContinue, upgrade, persistent], [2, true, null, true]);
});

const PERSISTENT: [name: string, text: string, want: boolean][] = [
  ["HTTP/1.1", get("/"), true],
  ["close", get("/", "Connection: close\r\n"), false],
  ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", false],
  ["HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true],
  ["an offer to switch", get("/", "Connection: upgrade\r\nUpgrade: tcp\r\n"), false],
  ["an offer of h2c, which is no offer", get("/", "Connection: upgrade\r\nUpgrade: h2c\r\n"), true],
  ["RFC 9931 §8: CONNECT", `CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n`, false],
];

for (const [name, request, want] of PERSISTENT) {
  Deno.test(`sequence: may another request follow? ${name}`, () => {
    const sequence = started(request + get("/smuggled"));
    assert.equal(head(sequence).persistent, want);
    assert.deepEqual(told(sequence), ["end"]);
    if (want) {
      sequence.restart();
      assert.deepEqual(told(sequence), ["GET /smuggled", "end"]);
    } else {
      assert.throws(() => sequence.restart(), Error);
      assert.deepEqual(told(sequence), []);
    }
  });
}

Deno.test("RFC 9110 §7.8: bytes behind an Upgrade are those of a tunnel, and no request", () => {
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  const sequence = started(get("/", upgrade) + get("/smuggled"));
  assert.deepEqual(head(sequence).upgrade, ["websocket"]);
  assert.deepEqual(told(sequence), ["end"]);
  assert.equal(latin1Text(sequence.rest()), get("/smuggled"));
  assert.equal(sequence.rest().length, 0);
});

Deno.test("RFC 9110 §7.8: the new protocol begins behind the content of its request", () => {
  const lines = "Connection: Upgrade\r\nUpgrade: tcp\r\nTransfer-Encoding: chunked\r\n";
  const sequence = started(`POST / HTTP/1.1\r\n${HOST}${lines}\r\n2\r\n{}\r\n0\r\n\r\ntunnel`);
  assert.deepEqual(told(sequence), ["POST /", "{}", "end"]);
  assert.equal(latin1Text(sequence.rest()), "tunnel");
});

Deno.test("sequence: no bytes are taken between `end` and `restart`", () => {
  const sequence = started(get("/1"));
  assert.deepEqual(told(sequence), ["GET /1", "end"]);
  assert.throws(() => sequence.push(latin1(get("/2"))), Error);
  sequence.restart();
  sequence.push(latin1(get("/2")));
  assert.deepEqual(told(sequence), ["GET /2", "end"]);
});

Deno.test("sequence: an error is the last thing it tells, whatever comes behind", () => {
  const bad = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n`;
  const sequence = started(bad + get("/smuggled"));
  assert.equal(text(sequence.next()!), "POST /");
  assert.equal(text(sequence.next()!), "x");
  for (let i = 0; i < 3; i++) {
    assert.throws(() => sequence.next(), { name: "HttpError", code: 400 });
    assert.throws(() => sequence.end(), { name: "HttpError", code: 400 });
    sequence.push(latin1(get("/smuggled")));
  }
});

const CUT: [name: string, text: string, fault: boolean][] = [
  ["before the first request", "", false],
  ["in the empty line before it", "\r", true],
  ["behind the empty line before it", "\r\n", false],
  ["in a head", get("/").slice(0, -2), true],
  ["behind a request", get("/"), false],
  ["in a body", `PUT / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nab`, true],
  ["in trailers", `PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n`, true],
];

for (const [name, request, fault] of CUT) {
  Deno.test(`sequence: the connection ends ${name}`, () => {
    const sequence = started(request);
    told(sequence);
    if (fault) assert.throws(() => sequence.end(), { name: "HttpError", code: 400 });
    else sequence.end();
  });
}

Deno.test("sequence: `inHead` from the first byte of a head to its last", () => {
  const sequence = new RequestSequence();
  const seen: boolean[] = [sequence.inHead];
  for (const piece of ["G", get("/").slice(1, 20), get("/").slice(20)]) {
    sequence.push(latin1(piece));
    told(sequence);
    seen.push(sequence.inHead);
  }
  sequence.restart();
  seen.push(sequence.inHead);
  assert.deepEqual(seen, [false, true, true, false, false]);
});

Deno.test("sequence: the limits hold for each request anew", () => {
  const limits = { head: { limit: 60, maxFields: 2 }, body: { limit: 20, maxTrailers: 1 } };
  const sequence = new RequestSequence(limits);
  for (let i = 0; i < 5; i++) {
    sequence.push(latin1(get(`/${i}`)));
    assert.deepEqual(told(sequence), [`GET /${i}`, "end"]);
    sequence.restart();
  }
  sequence.push(latin1(get("/", "a:\r\nb:\r\n")));
  assert.throws(() => told(sequence), { name: "HttpError", code: 431 });
});
